import { element } from './figures.js'
import { clock, count, counted, withLocalTimes } from './words.js'

/** @typedef {import('./figures.js').Status} Status */

/** @typedef {'waiting' | 'lost' | 'well' | 'trouble' | 'serious'} Mood */

/** Clients are refused, nothing is settled, or nobody knows. @param {Status} status */
function isSerious({ isCurrent, gateways, workers, processors }) {
  return (
    !isCurrent ||
    gateways.some(({ refusing }) => refusing !== null) ||
    !workers.some(({ isAlive }) => isAlive) ||
    (processors.default.verdict === 'fails' && processors.fallback.verdict === 'fails')
  )
}

/** @param {Status} status */
export function showStatus(status) {
  const { problems, isCurrent, at } = status
  const mood = problems.length === 0 ? 'well' : isSerious(status) ? 'serious' : 'trouble'
  const headline =
    mood === 'well'
      ? 'All is well'
      : !isCurrent
        ? 'Redis is away: old figures'
        : mood === 'serious'
          ? 'Something is seriously wrong'
          : 'Something is wrong'
  const atMs = Date.parse(at)
  show(
    mood,
    headline,
    problems.map(problem => withLocalTimes(problem, atMs))
  )
  element('lost').hidden = true
  element('as-of').textContent = clock(atMs)
  document.body.classList.toggle('stale', !isCurrent)
}

/**
 * To be called again while it lasts.
 *
 * @param {number} silentMs for how long nothing was heard
 * @param {string | undefined} lastAt of when the figures are that are shown; none yet if missing
 */
export function showLost(silentMs, lastAt) {
  show('lost', lastAt === undefined ? 'No connection' : 'Connection lost', [])
  const figures =
    lastAt === undefined ? 'There are no figures yet.' : `All figures are those of ${clock(Date.parse(lastAt))}.`
  const lost = element('lost')
  lost.textContent = `Nothing heard for ${count(Math.round(silentMs / 1_000))} s, trying again … ${figures}`
  lost.hidden = false
  document.body.classList.add('stale')
}

/** @param {Mood} mood @param {string} headline @param {readonly string[]} problems */
function show(mood, headline, problems) {
  document.body.dataset.mood = mood
  document.title = mood === 'well' ? 'Payments' : `${headline} – Payments`
  element('headline').textContent = headline
  element('problems').replaceChildren(
    ...problems.map(problem => {
      const item = document.createElement('li')
      item.textContent = problem
      return item
    })
  )
  // Read aloud when it changes. The sentences change every second, with the durations in them.
  const announced = problems.length === 0 ? headline : `${headline}: ${counted(problems.length, 'problem')}`
  if (element('announced').textContent !== announced) element('announced').textContent = announced
}
