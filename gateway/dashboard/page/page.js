import { showLost, showStatus } from './banner.js'
import { createCharts } from './charts.js'
import { stayConnected } from './connection.js'
import { createCards, showFigures } from './figures.js'

/** @typedef {import('../history.ts').Point} Point */
/** @typedef {{ points: Point[] } | { point: Point, status: import('./figures.js').Status }} Message */

createCards()
const charts = createCharts()

/** When the figures that are shown were true. @type {number | undefined} */
let heardAtMs
/** @type {{ sinceMs: number, timer: number } | undefined} */
let loss

stayConnected('/dashboard/live', {
  hear(/** @type {Message} */ message) {
    if ('points' in message) {
      charts.begin(message.points)
      return
    }
    window.clearInterval(loss?.timer)
    loss = undefined
    heardAtMs = Date.parse(message.status.at)
    showStatus(message.status)
    showFigures(message.status)
    charts.add(message.point)
  },
  lose() {
    if (loss !== undefined) return
    const sinceMs = Date.now()
    const show = () => { showLost({ sinceMs, heardAtMs }) }
    loss = { sinceMs, timer: window.setInterval(show, 1_000) }
    show()
  }
})
