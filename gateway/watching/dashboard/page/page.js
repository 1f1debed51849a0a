import { showLost, showStatus } from './banner.js'
import { createCharts } from './charts.js'
import { stayConnected } from './connection.js'
import { createCards, showFigures } from './figures.js'

/** @typedef {import('../history.ts').Point} Point */
/** @typedef {{ points: Point[] } | { point: Point, status: import('./figures.js').Status }} Message */

createCards()
const charts = createCharts()

let heardMs = Date.now()
/** Of when the figures are that are shown. @type {string | undefined} */
let lastAt
/** Runs while there is no connection. @type {number | undefined} */
let lostTimer

stayConnected('/dashboard/live', {
  hear(/** @type {Message} */ message) {
    if ('points' in message) {
      charts.begin(message.points)
      return
    }
    window.clearInterval(lostTimer)
    lostTimer = undefined
    heardMs = Date.now()
    lastAt = message.status.at
    showStatus(message.status)
    showFigures(message.status)
    charts.add(message.point)
  },
  lose() {
    const show = () => {
      showLost(Date.now() - heardMs, lastAt)
    }
    show()
    lostTimer ??= window.setInterval(show, 1_000)
  }
})
