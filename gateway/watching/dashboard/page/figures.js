import { clock, count, duration, money, percent, rate } from './words.js'

/** @typedef {import('../../status/render.ts').StatusBody} Status */
/** @typedef {Status['processors']['default']} Processor */
/** @typedef {'default' | 'fallback'} ProcessorName */

/** What stands at `data-figure`, by its name. @type {Record<string, (status: Status) => string>} */
const FIGURES = {
  answeredBy: ({ answeredBy }) => answeredBy,
  in: ({ acceptedPerSecond }) => rate(acceptedPerSecond),
  refused: ({ accepting }) => count(accepting.answers.refused),
  out: ({ settledPerSecond }) => rate(settledPerSecond),
  outDefault: ({ processors }) => rate(processors.default.settledPerSecond),
  outFallback: ({ processors }) => rate(processors.fallback.settledPerSecond),
  waiting: ({ queue }) => count(queue.waiting),
  oldestWaiting: ({ queue }) => duration(queue.oldestWaitingSeconds),
  inFlight: ({ queue }) => count(queue.inFlight),
  acceptP99: ({ accepting }) => rate(accepting.latency.p99Ms),
  acceptP50: ({ accepting }) => rate(accepting.latency.p50Ms),
  net: status => money(status.money.net),
  settled: status => money(status.money.settled),
  fees: status => money(status.money.fees),
  allOnFallbackFees: status => money(status.money.allOnFallback.fees),
  allOnFallbackNet: status => money(status.money.allOnFallback.net),
  saved: status => money(status.money.net - status.money.allOnFallback.net),
  preferred: ({ preferred }) => preferred.processor ?? 'nobody knows',
  preferredWhy: ({ preferred }) => preferred.why
}

const VERDICTS = {
  works: '✓ works',
  fails: '✕ fails',
  'fails-for-some': '! fails for some workers',
  'said-to-fail': '! is called failing, works for us'
}
const BREAKERS = { CLOSED: '✓ CLOSED', OPEN: '✕ OPEN', HALF_OPEN: '! HALF_OPEN' }

/**
 * What stands at `data-of` within a processor's card. @type {Record<string, (processor: Processor, status: Status) =>
 * string>}
 */
const OF_PROCESSOR = {
  verdict: ({ verdict }) => VERDICTS[verdict],
  health: ({ health }) =>
    health === null
      ? 'no recent poll'
      : `${health.failing ? '✕ failing' : '✓ healthy'}, min ${count(health.minResponseTimeMs)} ms, ${duration(health.ageSeconds)} ago`,
  breakers: ({ breakers }) =>
    breakers.length === 0
      ? 'no worker'
      : breakers
          .map(
            ({ worker, state, openSeconds }) =>
              `${BREAKERS[state]} ${worker}${openSeconds === null ? '' : `, ${duration(openSeconds)}`}`
          )
          .join('\n'),
  successRate: ({ successRate }) => percent(successRate),
  latency: ({ latency }) => `${rate(latency.meanMs)} / ${rate(latency.p99Ms)} ms`,
  inFlight: ({ inFlight }) => count(inFlight),
  settledPerSecond: ({ settledPerSecond }) => rate(settledPerSecond),
  payments: ({ settled }) => count(settled.payments),
  share: ({ settled }, { processors }) => {
    const all = processors.default.settled.payments + processors.fallback.settled.payments
    return percent(all === 0 ? null : settled.payments / all)
  },
  amount: ({ settled }) => money(settled.amount),
  fees: ({ settled }) => money(settled.fees)
}

const PROCESSORS = /** @type {const} */ (['default', 'fallback'])

/** @param {string} id */
export function element(id) {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** Puts a card for each processor into the page, still without figures. */
export function createCards() {
  const template = /** @type {HTMLTemplateElement} */ (element('processor'))
  for (const name of PROCESSORS) {
    const card = element(name)
    card.append(template.content.cloneNode(true))
    card.querySelector('.key')?.classList.add(name)
    write(card, '[data-of="name"]', name)
  }
}

/** Everything but banner and charts. @param {Status} status */
export function showFigures(status) {
  for (const [name, text] of Object.entries(FIGURES)) write(document, `[data-figure="${name}"]`, text(status))
  for (const name of PROCESSORS) {
    const card = element(name)
    const processor = status.processors[name]
    card.dataset.verdict = processor.verdict
    for (const [part, text] of Object.entries(OF_PROCESSOR)) write(card, `[data-of="${part}"]`, text(processor, status))
    card.querySelector('.badge')?.toggleAttribute('hidden', status.preferred.processor !== name)
  }
  showProcesses(status)
}

/** @param {Status} status */
function showProcesses({ gateways, workers, monitors, redis, isCurrent }) {
  const living = [...gateways, ...workers, ...monitors].map(({ label, isAlive, silentSeconds, lastSignAt }) => {
    const silence =
      silentSeconds === null || lastSignAt === null
        ? 'no sign of life yet'
        : `silent for ${duration(silentSeconds)}, since ${clock(Date.parse(lastSignAt))}`
    return { label: isAlive ? label : `${label}, ${silence}`, isAlive }
  })
  const memory = `${count(redis.usedBytes / 1_048_576)} MB${redis.maxBytes === null ? '' : ` of ${count(redis.maxBytes / 1_048_576)}`}`
  const items = [...living, { label: `redis, ${memory}`, isAlive: isCurrent }].map(({ label, isAlive }) => {
    const item = document.createElement('li')
    item.className = isAlive ? 'alive' : 'dead'
    item.textContent = `${isAlive ? '✓' : '✕'} ${label}`
    return item
  })
  element('processes').replaceChildren(...items)
}

/** @param {ParentNode} within @param {string} selector @param {string} text */
function write(within, selector, text) {
  const found = within.querySelector(selector)
  if (found === null) throw new Error(`the page has no ${selector}`)
  if (found.textContent === text) return
  found.textContent = text
  // The largest figures get a smaller font.
  found.classList.toggle('long', text.length > 6)
}
