/** A list of texts that have no blanks, as it reads best. */
export function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
