// Numbers as people read them. What is not known is a dash.

/** @param {Intl.NumberFormatOptions} options */
const format = options => {
  const { format: write } = new Intl.NumberFormat('en-US', options)
  return (/** @type {number | null} */ value) => value === null ? '–' : write(value)
}

export const count = format({ maximumFractionDigits: 0 })
export const money = format({ minimumFractionDigits: 2, maximumFractionDigits: 2 })
export const percent = format({ style: 'percent', maximumFractionDigits: 1 })
const oneDecimal = format({ maximumFractionDigits: 1 })

/** Small numbers of payments a second, or of ms, with a decimal: 1,234 or 4.5. @param {number | null} value */
export const rate = value => value !== null && value < 9.95 ? oneDecimal(value) : count(value)

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

/** @param {number} number @param {string} singular */
export const counted = (number, singular) => `${count(number)} ${singular}${number === 1 ? '' : 's'}`
