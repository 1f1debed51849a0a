/** What the health monitor last learned about a processor; in Redis a hash for each, for as long as it is fresh. */
export type Health = {
  failing: boolean
  /** Its present delay; 0 when unknown. */
  minResponseTimeMs: number
  /** When it was asked, in ms since 1970. */
  checkedAtMs: number
}

/** As the fields of a hash; see docs/redis.md. */
export function renderHealth({ failing, minResponseTimeMs, checkedAtMs }: Health): Record<string, string> {
  return {
    failing: String(failing),
    minResponseTimeMs: String(minResponseTimeMs),
    checkedAt: new Date(checkedAtMs).toISOString()
  }
}

/** Undefined where there is none. */
export function parseHealth(fields: Record<string, string | undefined>): Health | undefined {
  const { failing, minResponseTimeMs, checkedAt } = fields
  if (failing === undefined || checkedAt === undefined) return undefined
  return {
    failing: failing === 'true',
    minResponseTimeMs: Number(minResponseTimeMs),
    checkedAtMs: Date.parse(checkedAt)
  }
}
