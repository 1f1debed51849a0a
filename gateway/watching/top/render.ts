import { PROCESSOR_NAMES, type ProcessorName } from '../../../shared/payment.ts'
import { clock, counted, duration, megabytes, formatCount } from '../status/format.ts'
import { sparkline, tableLines, wrapped, type Line } from './layout.ts'
import type { ReceivedStatus } from './status-json.ts'
import type { Sample, View } from './view.ts'

const NONE = '-'
const VERDICTS: Record<ReceivedStatus['processors']['default']['verdict'], string> = {
  works: 'works',
  fails: 'FAILS',
  'fails-for-some': 'FAILS FOR SOME',
  'said-to-fail': 'SAID TO FAIL'
}

/** The whole picture, problems first, for a window of so many columns. */
export function renderView(view: View, width: number): Line[] {
  const { status } = view
  const lines = headLines(view, width)
  if (status === null) return lines
  const plain = (texts: readonly string[]): Line[] => texts.map(text => ({ text }))
  return [
    ...lines,
    { text: '' },
    ...plain(flowLines(status, view.samples, width)),
    { text: '' },
    ...processorLines(status, width),
    { text: '' },
    ...plain(moneyLines(status, width)),
    { text: '' },
    ...plain(auditLines(status, width)),
    ...processLines(status, width)
  ]
}

function headLines({ address, status, lost }: View, width: number): Line[] {
  const from = status === null ? '' : `  ${clock(status.at)}, from ${status.answeredBy}`
  const lines: Line[] = [{ text: `Payment pipeline  ${address}${from}`, tone: 'title' }]
  const bad = (text: string, indent = '  ') =>
    lines.push(...wrapped(text, width, indent).map(each => ({ text: each, tone: 'bad' as const })))
  if (lost !== null) {
    const figures = status === null ? '' : ` The figures below are of ${clock(status.at)}, the last that came.`
    bad(`NOT REACHED since ${clock(lost.since)}: ${lost.reason}. It is tried again every second.${figures}`)
  }
  if (status === null) return lines
  if (status.problems.length === 0) {
    if (lost === null) lines.push({ text: 'All is well.', tone: 'good' })
    return lines
  }
  bad(
    `${counted(status.problems.length, 'PROBLEM', 'PROBLEMS')}${lost === null ? '' : ' then'}${status.isCurrent ? '' : `; all figures are of ${clock(status.at)}`}:`
  )
  for (const problem of status.problems) bad(`* ${problem}`)
  return lines
}

function flowLines(
  { acceptedPerSecond, settledPerSecond, queue, accepting }: ReceivedStatus,
  samples: readonly Sample[],
  width: number
): string[] {
  const flow = (name: string, now: string, read: (sample: NonNullable<Sample>) => number) => {
    const head = `${name.padEnd(9)}${now.padStart(9)}  `
    return (
      head +
      sparkline(
        samples.map(sample => sample && read(sample)),
        width - head.length
      )
    ).trimEnd()
  }
  const oldest = queue.oldestSeconds === null ? '' : `, oldest ${duration(queue.oldestSeconds)}`
  const { answers, latency } = accepting
  // These are 0 on most days.
  const rare = (['duplicate', 'conflict', 'invalid'] as const)
    .filter(name => answers[name] > 0)
    .map(name => `, ${formatCount(answers[name])} ${name}`)
  return [
    flow('accepted', `${rate(acceptedPerSecond)}/s`, ({ accepted }) => accepted),
    flow('settled', `${rate(settledPerSecond)}/s`, ({ settled }) => settled),
    flow('waiting', formatCount(queue.waiting), ({ waiting }) => waiting),
    ...wrapped(
      `queue    ${formatCount(queue.unsettled)} unsettled: ${formatCount(queue.waiting)} waiting, ${formatCount(queue.inFlight)} in flight${oldest}; ` +
        counted(queue.deadLetters, 'dead letter'),
      width,
      ' '.repeat(9)
    ),
    ...wrapped(
      `in 10 s  ${formatCount(answers.accepted)} accepted, ${formatCount(answers.refused)} refused${rare.join('')}; ` +
        `p50 ${milliseconds(latency.p50Ms)}, p99 ${milliseconds(latency.p99Ms)}`,
      width,
      ' '.repeat(9)
    )
  ]
}

function processorLines({ processors, preferred }: ReceivedStatus, width: number): Line[] {
  const each = (read: (figures: ReceivedStatus['processors'][ProcessorName]) => string) =>
    PROCESSOR_NAMES.map(name => read(processors[name]))
  const [header = '', ...rows] = tableLines(
    [
      { header: 'processor', cells: PROCESSOR_NAMES },
      { header: 'state', cells: each(({ verdict }) => VERDICTS[verdict]) },
      { header: 'breaker', cells: each(({ breakers }) => breakersInShort(breakers)) },
      { header: 'health poll', cells: each(({ health }) => healthInShort(health)), dropOrder: 2 },
      {
        header: 'least ms',
        cells: each(({ health }) => (health === null ? NONE : formatCount(health.minResponseTimeMs))),
        dropOrder: 6
      },
      { header: 'in flight', cells: each(({ inFlight }) => formatCount(inFlight)), dropOrder: 3 },
      { header: 'out/s', cells: each(({ settledPerSecond }) => rate(settledPerSecond)) },
      {
        header: 'booked',
        cells: each(({ successRate }) => (successRate === null ? NONE : `${(successRate * 100).toFixed(1)} %`)),
        dropOrder: 1
      },
      { header: 'p50 ms', cells: each(({ latency }) => shortNumber(latency.p50Ms)), dropOrder: 5 },
      { header: 'p99 ms', cells: each(({ latency }) => shortNumber(latency.p99Ms)), dropOrder: 4 }
    ],
    width
  )
  return [
    { text: header },
    ...rows.map((text, index) =>
      processors[PROCESSOR_NAMES[index] ?? 'default'].verdict === 'works' ? { text } : { text, tone: 'bad' as const }
    ),
    ...wrapped(`prefer ${preferred.processor ?? 'any'}: ${preferred.why}`, width, '  ').map(text => ({ text }))
  ]
}

function healthInShort(health: ReceivedStatus['processors']['default']['health']): string {
  return health === null ? 'unknown' : `${health.failing ? 'FAILING' : 'well'} ${duration(health.ageSeconds)} ago`
}

/** All workers' breakers of one processor; the rows of the workers tell each. */
function breakersInShort(breakers: ReceivedStatus['processors']['default']['breakers']): string {
  const open = breakers.filter(({ state }) => state !== 'CLOSED')
  if (breakers.length === 0) return 'unknown'
  if (open.length === 0) return 'CLOSED'
  return breakers.length === 1 ? (open[0]?.state ?? '') : `${open.length} of ${breakers.length} OPEN`
}

function moneyLines({ processors, money }: ReceivedStatus, width: number): string[] {
  const books = PROCESSOR_NAMES.map(name => processors[name].settled)
  const bothPayments = books.reduce((sum, { payments }) => sum + BigInt(payments), 0n)
  return tableLines(
    [
      { header: 'money', cells: [...PROCESSOR_NAMES, 'both', 'all at fallback'] },
      {
        header: 'payments',
        cells: [...books.map(({ payments }) => grouped(payments)), grouped(bothPayments.toString()), ''],
        dropOrder: 1
      },
      { header: 'settled', cells: [...books.map(({ amount }) => grouped(amount)), grouped(money.settled), ''] },
      {
        header: 'fees',
        cells: [...books.map(({ fees }) => grouped(fees)), grouped(money.fees), grouped(money.allOnFallback.fees)]
      },
      { header: 'net', cells: ['', '', grouped(money.net), grouped(money.allOnFallback.net)] }
    ],
    width
  )
}

/** What the last audit compared, and what not. */
function auditLines({ audit }: ReceivedStatus, width: number): string[] {
  if (audit === null) return ['audit    none since the books began']
  const { ageSeconds, kind, isEqual, oneByOne, notCompared } = audit
  // A gateway of an older version tells neither of the last two.
  const { count = 0, oldestSeconds } = notCompared ?? {}
  const found = !isEqual
    ? 'THE BOOKS DIFFER'
    : count > 0
      ? 'the books agree in all that was compared'
      : 'the books agree'
  const each = oneByOne
    ? `, ${formatCount(oneByOne.compared)} of ${counted(oneByOne.of, 'payment')} compared one by one`
    : ''
  const inFlight =
    count > 0
      ? `; not compared: ${formatCount(count)} in flight, the oldest for ${duration(oldestSeconds ?? 0)} by then`
      : ''
  return wrapped(`audit    ${duration(ageSeconds)} ago, ${kind}: ${found}${each}${inFlight}`, width, ' '.repeat(9))
}

function processLines({ gateways, workers, monitors, processors, redis }: ReceivedStatus, width: number): Line[] {
  const breakerOf = (name: ProcessorName, worker: string) => {
    const breaker = processors[name].breakers.find(each => each.worker === worker)
    return (
      breaker &&
      `${name} ${breaker.state}${breaker.openSeconds === null ? '' : ` for ${duration(breaker.openSeconds)}`}`
    )
  }
  const rows = [
    ...gateways.map(gateway => ({
      ...gateway,
      does: gateway.refusing
        ? `REFUSES: ${gateway.refusing.reason}`
        : `accepts ${rate(gateway.acceptedPerSecond)}/s, ${counted(gateway.connections, 'connection')}`
    })),
    ...workers.map(worker => ({
      ...worker,
      does: [`has ${formatCount(worker.pending)}`, ...PROCESSOR_NAMES.map(name => breakerOf(name, worker.label))]
        .filter(text => text !== undefined)
        .join(', ')
    })),
    ...monitors.map(monitor => ({
      ...monitor,
      does: `${monitor.isActive ? 'polls' : 'stands by'}${PROCESSOR_NAMES.map(name => monitor.polls[name] && `, ${name} ${monitor.polls[name].result}`).join('')}`
    }))
  ]
  const lastSign = ({ silentSeconds, isAlive }: (typeof rows)[number]) =>
    silentSeconds === null ? 'NONE' : `${duration(silentSeconds)} ago${isAlive ? '' : ' SILENT'}`
  const [header = '', ...lines] = tableLines(
    [
      { header: 'process', cells: rows.map(({ label }) => label) },
      { header: 'last sign', cells: rows.map(lastSign) },
      {
        header: 'memory',
        cells: rows.map(({ process }) => (process ? megabytes(process.residentBytes) : NONE)),
        dropOrder: 1
      },
      { header: 'lag ms', cells: rows.map(({ process }) => shortNumber(process?.eventLoopLagMs ?? null)), dropOrder: 2 }
    ],
    width
  )
  const textWidth = Math.max(header.length, ...lines.map(line => line.length))
  const { usedBytes, maxBytes } = redis
  const filled =
    maxBytes === null
      ? `${megabytes(usedBytes)}, no limit`
      : `${megabytes(usedBytes)} of ${megabytes(maxBytes)}, ${((usedBytes / maxBytes) * 100).toFixed(0)} %`
  return [
    { text: header },
    ...lines.map((line, index) => {
      const text = `${line.padEnd(textWidth)}  ${rows[index]?.does ?? ''}`
      return rows[index]?.isAlive === true ? { text } : { text, tone: 'bad' as const }
    }),
    { text: `redis memory ${filled}${redis.canWriteLog ? '' : ', CANNOT WRITE ITS LOG'}` },
    ...memoryLines(redis.memory, width)
  ]
}

function memoryLines(memory: ReceivedStatus['redis']['memory'], width: number): Line[] {
  // A gateway of an older version does not tell it.
  if (!memory) return []
  const { queueBytes, idsBytes, totalsBytes, otherBytes } = memory
  const parts = `queue ${megabytes(queueBytes)}, ids ${megabytes(idsBytes)}, totals ${megabytes(totalsBytes)}, other ${megabytes(otherBytes)}`
  return wrapped(parts, width - 2).map(text => ({ text: `  ${text}` }))
}

/** "1234567.89" becomes "1,234,567.89". */
function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',')
}

function rate(perSecond: number): string {
  return perSecond < 10 ? String(Math.round(perSecond * 10) / 10) : formatCount(perSecond)
}

function shortNumber(number: number | null): string {
  return number === null ? NONE : number < 100 ? number.toFixed(1) : formatCount(number)
}

function milliseconds(number: number | null): string {
  return number === null ? NONE : `${shortNumber(number)} ms`
}
