import { element } from './figures.js'
import { clock, count, rate } from './words.js'

/** @typedef {import('../history.ts').Point} Point */
/** @typedef {{ name: string, at: number, color: string, dash?: number[], isFilled?: boolean }} Line `at`: where in a Point */

const SPAN_MS = 300_000
/** As long as less is known, the charts show less, but no less than this. */
const LEAST_SPAN_MS = 60_000
/** Points are 5 s apart when nobody watched. After a longer time without any a line is not drawn on. */
const GAP_MS = 12_000
const TROUBLED = 7

const CHARTS = [
  {
    id: 'flow-chart', say: rate, least: 10, lines: [
      { name: 'in', at: 1, color: '--in' },
      { name: 'out by default', at: 2, color: '--default', isFilled: true },
      { name: 'out by fallback', at: 3, color: '--fallback', dash: [6, 3], isFilled: true }
    ]
  },
  { id: 'queue-chart', say: count, least: 10, lines: [{ name: 'waiting', at: 4, color: '--in', isFilled: true }] },
  {
    id: 'latency-chart', say: rate, least: 2, lines: [
      { name: '99 of 100 within', at: 6, color: '--in' },
      { name: 'half within', at: 5, color: '--muted', dash: [3, 3] }
    ]
  }
]

/** The value that a custom property of the style sheet has now, dark or light. @param {string} name */
const style = name => getComputedStyle(document.body).getPropertyValue(name)

/** Draws the charts, without points at first. */
export function createCharts() {
  /** @type {Point[]} */
  let points = []
  const charts = CHARTS.map(chart => drawn(chart, () => points))
  const draw = () => { for (const chart of charts) chart.draw() }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  return {
    /** The gateway's last minutes. One that was just started knows less than the page does. @param {readonly Point[]} known */
    begin(known) {
      const first = known[0]?.[0] ?? Infinity
      points = [...points.filter(([atMs]) => atMs < first), ...known]
      draw()
    },
    /** @param {Point} point */
    add(point) {
      const last = points.at(-1)
      if (last !== undefined && point[0] <= last[0]) return
      points = [...points.filter(([atMs]) => atMs >= point[0] - SPAN_MS), point]
      draw()
    }
  }
}

/** @param {(typeof CHARTS)[number]} chart @param {() => Point[]} pointsNow */
function drawn({ id, say, least, lines }, pointsNow) {
  const frame = element(id)
  const span = () => {
    const points = pointsNow()
    const toMs = points.at(-1)?.[0] ?? Date.now()
    const knownMs = toMs - (points[0]?.[0] ?? toMs)
    return /** @type {uPlot.Range.MinMax} */ ([(toMs - Math.min(SPAN_MS, Math.max(LEAST_SPAN_MS, knownMs))) / 1_000, toMs / 1_000])
  }
  const axis = /** @type {const} */ ({
    stroke: () => style('--muted'), font: '13px system-ui, sans-serif', grid: { stroke: () => style('--grid'), width: 1 }, ticks: { show: false }
  })
  const plot = new uPlot({
    width: frame.clientWidth, height: frame.clientHeight, padding: [8, 12, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' } },
    legend: { show: true },
    scales: {
      x: { time: true, range: span },
      y: { range: (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.1)] }
    },
    axes: [
      { ...axis, space: 60, values: (_, splits) => splits.map(split => clock(split * 1_000).slice(0, 5)), incrs: [60, 120] },
      { ...axis, size: 58, values: (_, splits) => splits.map(say) }
    ],
    series: [
      { label: 'at', value: (_, at) => at === null ? '–' : clock(at * 1_000) },
      ...lines.map((/** @type {Line} */ { name, color, dash, isFilled }) => ({
        label: name, stroke: () => style(color), width: 2, ...dash && { dash }, points: { show: false },
        ...isFilled && { fill: () => `color-mix(in srgb, ${style(color)} 22%, transparent)` },
        value: (/** @type {uPlot} */ _, /** @type {number | null} */ value) => say(value)
      }))
    ],
    hooks: { drawClear: [u => { shadeTrouble(u, pointsNow()) }] }
  }, [[], ...lines.map(() => [])], frame)

  new ResizeObserver(() => { plot.setSize({ width: frame.clientWidth, height: frame.clientHeight - legendHeight(plot) }) }).observe(frame)
  return {
    draw() {
      const rows = withGaps(pointsNow())
      plot.setData([rows.map(([atMs]) => atMs / 1_000), ...lines.map(({ at }) => rows.map(row => row[at] ?? null))])
      // The newest figures, unless somebody points at older ones.
      if (plot.cursor.left === undefined || plot.cursor.left < 0) plot.setLegend({ idx: rows.length - 1 }, false)
      const last = rows.at(-1)
      frame.setAttribute('aria-label', `The last 5 minutes. Now: ${lines.map(({ name, at }) => `${name} ${say(last?.[at] ?? null)}`).join(', ')}.`)
      frame.dataset.points = String(rows.length)
    }
  }
}

/** @param {uPlot} plot */
function legendHeight(plot) {
  return plot.root.querySelector('.u-legend')?.clientHeight ?? 0
}

/** @param {readonly Point[]} points @returns {readonly Point[]} */
function withGaps(points) {
  return points.flatMap((point, index) => {
    const before = points[index - 1]
    return before !== undefined && point[0] - before[0] > GAP_MS ? [/** @type {Point} */ ([before[0] + 1, null, null, null, null, null, null, 0]), point] : [point]
  })
}

/** The times at which something was wrong get a background. @param {uPlot} plot @param {readonly Point[]} points */
function shadeTrouble({ ctx, bbox, valToPos }, points) {
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  ctx.fillStyle = style('--trouble-shade')
  points.forEach((point, index) => {
    const next = points[index + 1]
    if (point[TROUBLED] === 0 || next === undefined || next[0] - point[0] > GAP_MS) return
    const left = Math.round(valToPos(point[0] / 1_000, 'x', true))
    ctx.fillRect(left, bbox.top, Math.round(valToPos(next[0] / 1_000, 'x', true)) - left, bbox.height)
  })
  ctx.restore()
}
