// Numbers as people read them. What is not known is a dash.

/** @param {Intl.NumberFormatOptions} options */
const format = options => {
  const numbers = new Intl.NumberFormat('en-US', options)
  return (/** @type {number | null} */ value) => (value === null ? '–' : numbers.format(value))
}

export const count = format({ maximumFractionDigits: 0 })
export const money = format({ minimumFractionDigits: 2, maximumFractionDigits: 2 })
export const percent = format({ style: 'percent', maximumFractionDigits: 1 })
const oneDecimal = format({ maximumFractionDigits: 1 })

/** Small numbers of payments a second, or of ms, with a decimal: 1,234 or 4.5. @param {number | null} value */
export const rate = value => (value !== null && value < 9.95 ? oneDecimal(value) : count(value))

/** "0.4 s", "12 s", "3 min", "2 h" @param {number | null} seconds */
export function duration(seconds) {
  if (seconds === null) return '–'
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7_200 ? `${Math.floor(seconds / 60)} min` : `${count(Math.floor(seconds / 3_600))} h`
}

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of day where the reader is: "14:03:05". @param {number} ms */
export const clock = ms => time.format(ms)

/**
 * A sentence of the status with its times of day, "14:03:05 UTC", as the reader's clock has them.
 *
 * @param {string} sentence
 * @param {number} atMs when it was said: its times are from before, and not a day old
 */
export function withLocalTimes(sentence, atMs) {
  return sentence.replace(/(\d\d:\d\d:\d\d) UTC/g, (_, time) => {
    const sameDayMs = Date.parse(`${new Date(atMs).toISOString().slice(0, 10)}T${time}Z`)
    // An hour's grace: the time of another clock may lie a little ahead.
    return clock(sameDayMs > atMs + 3_600_000 ? sameDayMs - 86_400_000 : sameDayMs)
  })
}

/** @param {number} number @param {string} singular */
export const counted = (number, singular) => `${count(number)} ${singular}${number === 1 ? '' : 's'}`
