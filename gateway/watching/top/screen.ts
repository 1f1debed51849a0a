import type { ReadStream, WriteStream } from 'node:tty'
import { fitted, type Line, type Tone } from './layout.ts'

const ALTERNATE_SCREEN = { enter: '\x1b[?1049h\x1b[?25l', leave: '\x1b[?25h\x1b[?1049l' }
const COLOURS: Record<Tone, string> = { bad: '\x1b[1;31m', good: '\x1b[32m', title: '\x1b[1m' }
const CTRL_C = '\x03'

export type Screen = {
  columns: () => number
  /** Replaces what is shown, as far as it fits. */
  draw: (lines: readonly Line[]) => void
}

/**
 * Takes the terminal until the process ends, however it ends, and then gives it back as it was.
 *
 * @param onQuit for q, Ctrl-C and signals
 * @param onResize when the window has another size: draw again
 */
export function openScreen(
  input: ReadStream,
  output: WriteStream,
  hasColours: boolean,
  onQuit: () => void,
  onResize: () => void
): Screen {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onQuit)
  output.on('error', onQuit).on('resize', onResize)
  process.on('exit', () => {
    if (input.isTTY) input.setRawMode(false)
    output.write(ALTERNATE_SCREEN.leave)
  })
  if (input.isTTY) {
    input
      .setRawMode(true)
      .setEncoding('utf8')
      .on('data', (keys: string) => {
        if (keys === 'q' || keys === 'Q' || keys.includes(CTRL_C)) onQuit()
      })
  }
  output.write(ALTERNATE_SCREEN.enter)
  // Some terminals don't know their size.
  const size = () => ({ columns: output.columns || 80, rows: output.rows || 24 })
  return {
    columns: () => size().columns,
    draw(lines) {
      const { columns, rows } = size()
      // Each line erases what the one before it leaves to its right: nothing is ever blank in between, so nothing
      // flickers. A full line leaves nothing, and erasing there would take its last letter.
      const texts = fitted(lines, { columns, rows }).map(
        line => painted(line, hasColours) + (line.text.length < columns ? '\x1b[K' : '')
      )
      output.write(`\x1b[H${texts.join('\n')}\x1b[J`)
    }
  }
}

function painted({ text, tone }: Line, hasColours: boolean): string {
  return tone && hasColours ? `${COLOURS[tone]}${text}\x1b[0m` : text
}
