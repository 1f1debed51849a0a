/** A number as people write it: 1,234. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** "1 payment", "1,234 payments". */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${Math.round(count) === 1 ? singular : plural}`
}

/** How long, in the one unit that says it: "0.4 s", "12 s", "3 min", "2 h", "4 days". */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`
}

/** The time of day of an ISO time: "12:00:01 UTC". */
export function clock(iso: string): string {
  return `${iso.slice(11, 19)} UTC`
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`
}

/** "a", "a and b", "a, b and c". */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
}
