/** Earlier than any other time: for what never happened, or at an unknown time. In ms since 1970. */
export const NEVER_MS = 0
