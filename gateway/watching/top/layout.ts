import { renderTable } from '../../../shared/table.ts'

/** One line of the screen. The tone is a colour where there are colours; the text says it all without. */
export type Line = { text: string; tone?: Tone }
export type Tone = 'bad' | 'good' | 'title'

/**
 * A column of a table. Where the window is too narrow, columns with the highest `dropOrder` go first; those without one
 * stay.
 */
export type Column = { header: string; cells: readonly string[]; dropOrder?: number }

const BARS = '▁▂▃▄▅▆▇█'
const SPARKS_MIN = 10

/** A table as wide as fits, its header first. */
export function tableLines(columns: readonly Column[], width: number): string[] {
  const lines = renderTable(
    columns.map(({ header }) => header),
    (columns[0]?.cells ?? []).map((_, row) => columns.map(({ cells }) => cells[row] ?? ''))
  ).split('\n')
  const expendable = columns.filter(({ dropOrder }) => dropOrder !== undefined)
  const isTooWide = lines.some(line => line.length > width)
  if (!isTooWide || expendable.length === 0) return lines
  const [next] = expendable.sort((a, b) => (b.dropOrder ?? 0) - (a.dropOrder ?? 0))
  return tableLines(
    columns.filter(column => column !== next),
    width
  )
}

/**
 * Breaks a text at its spaces; all lines but the first begin with `indent`. A longer word than a line is cut in pieces.
 */
export function wrapped(text: string, width: number, indent = ''): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text
    .split(' ')
    .flatMap(each => each.match(new RegExp(`.{1,${Math.max(1, width - indent.length)}}`, 'gu')) ?? [''])) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = indent + word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

/**
 * Bars from nothing to the largest number, as many of the latest as fit; a gap where there is no number. Nothing for a
 * single one.
 */
export function sparkline(numbers: readonly (number | null)[], width: number): string {
  if (width < SPARKS_MIN || numbers.length < 2) return ''
  const shown = numbers.slice(-width)
  const largest = Math.max(...shown.map(number => number ?? 0))
  return shown
    .map(number =>
      number === null ? ' ' : BARS[largest === 0 ? 0 : Math.round((number / largest) * (BARS.length - 1))]
    )
    .join('')
}

/**
 * No line longer than the window, not more lines than it has: empty ones go first, then the last, and the last line
 * says so.
 */
export function fitted(lines: readonly Line[], { columns, rows }: { columns: number; rows: number }): Line[] {
  const kept = lines.length <= rows ? lines : lines.filter(({ text }) => text !== '')
  const shown =
    kept.length <= rows
      ? kept
      : [...kept.slice(0, rows - 1), { text: `… ${kept.length - rows + 1} more lines: a taller window shows them.` }]
  return shown.map(line =>
    line.text.length <= columns ? line : { ...line, text: `${line.text.slice(0, columns - 1)}…` }
  )
}
