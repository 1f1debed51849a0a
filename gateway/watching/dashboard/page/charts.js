import { element } from './figures.js'
import { clock, count, rate } from './words.js'

/** @typedef {import('../history.ts').Point} Point */
/**
 * @typedef {{ name: string, at: number, color: string, dash?: number[], isFilled?: boolean }} Line `at`: where in a
 * Point
 */

const SPAN_MS = 300_000
/** As long as less is known, the charts show less, but no less than this. */
const LEAST_SPAN_MS = 60_000
/** Points are 5 s apart when nobody watched. After a longer time without any a line is not drawn on. */
const GAP_MS = 12_000
const TROUBLED = 7
const PLOT_HEIGHT = 200

/** @type {{ id: string, say: (value: number | null) => string, least: number, lines: Line[] }[]} */
const CHARTS = [
  {
    id: 'flow-chart',
    say: rate,
    least: 10,
    lines: [
      { name: 'in', at: 1, color: '--in' },
      { name: 'out, default', at: 2, color: '--default', isFilled: true },
      { name: 'out, fallback', at: 3, color: '--fallback', dash: [6, 3], isFilled: true }
    ]
  },
  { id: 'queue-chart', say: count, least: 10, lines: [{ name: 'waiting', at: 4, color: '--in', isFilled: true }] },
  {
    id: 'latency-chart',
    say: rate,
    least: 2,
    lines: [
      { name: 'p99', at: 6, color: '--in' },
      { name: 'p50', at: 5, color: '--muted', dash: [3, 3] }
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
  const draw = () => {
    for (const chart of charts) chart.draw()
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  return {
    /**
     * The gateway's last minutes. One that was just started knows less than the page does. @param {readonly Point[]}
     * known
     */
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
function drawn(chart, pointsNow) {
  const { id, say, lines } = chart
  const frame = element(id)
  const size = () => ({ width: frame.clientWidth, height: PLOT_HEIGHT })
  const plot = new uPlot({ ...size(), ...optionsOf(chart, pointsNow) }, [[], ...lines.map(() => [])], frame)

  new ResizeObserver(() => {
    plot.setSize(size())
  }).observe(frame)
  return {
    draw() {
      const rows = withGaps(pointsNow())
      if (rows.length === 0) return
      plot.setData([rows.map(([atMs]) => atMs / 1_000), ...lines.map(({ at }) => rows.map(row => row[at] ?? null))])
      // The newest figures, unless somebody points at older ones.
      if (plot.cursor.left === undefined || plot.cursor.left < 0) plot.setLegend({ idx: rows.length - 1 }, false)
      const last = rows.at(-1)
      frame.setAttribute(
        'aria-label',
        `The last 5 minutes. Now: ${lines.map(({ name, at }) => `${name} ${say(last?.[at] ?? null)}`).join(', ')}.`
      )
      frame.dataset.points = String(rows.length)
    }
  }
}

/**
 * How a chart looks, but for its size.
 *
 * @param {(typeof CHARTS)[number]} chart
 * @param {() => Point[]} pointsNow
 * @returns {Omit<uPlot.Options, 'width' | 'height'>}
 */
function optionsOf({ say, least, lines }, pointsNow) {
  const axis = /** @type {const} */ ({
    stroke: () => style('--muted'),
    font: '13px system-ui, sans-serif',
    grid: { stroke: () => style('--grid'), width: 1 },
    ticks: { show: false }
  })
  return {
    padding: [8, 12, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' } },
    // Properties of the style sheet as they are, so that the markers follow it from dark to light.
    legend: {
      markers: {
        width: 3,
        stroke: (_, at) => `var(${lines[at - 1]?.color ?? '--ink'})`,
        dash: (_, at) => (lines[at - 1]?.dash ? 'dashed' : 'solid'),
        fill: () => ''
      }
    },
    scales: {
      x: { time: true, range: () => spanOf(pointsNow()) },
      y: { range: (_, __, max) => [0, Math.max(least, max * 1.1)] }
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 70,
        incrs: [15, 30, 60, 120],
        values: (_, splits, __, ___, step) => splits.map(split => clock(split * 1_000).slice(0, step < 60 ? 8 : 5))
      },
      { ...axis, size: 56, values: (_, splits) => splits.map(say) }
    ],
    series: [
      { label: 'at', value: (_, at) => clock(at * 1_000) },
      ...lines.map(({ name, color, dash, isFilled }) => ({
        label: name,
        stroke: () => style(color),
        width: 2,
        ...(dash && { dash }),
        points: { show: false },
        ...(isFilled && { fill: () => `color-mix(in srgb, ${style(color)} 22%, transparent)` }),
        value: (/** @type {uPlot} */ _, /** @type {number | null} */ value) => say(value)
      }))
    ],
    hooks: {
      drawClear: [
        u => {
          shadeTrouble(u, pointsNow())
        }
      ]
    }
  }
}

/** The times that a chart shows, in seconds. @param {readonly Point[]} points @returns {uPlot.Range.MinMax} */
function spanOf(points) {
  const toMs = points.at(-1)?.[0] ?? Date.now()
  const knownMs = toMs - (points[0]?.[0] ?? toMs)
  return [(toMs - Math.min(SPAN_MS, Math.max(LEAST_SPAN_MS, knownMs))) / 1_000, toMs / 1_000]
}

/** @param {readonly Point[]} points @returns {readonly Point[]} */
function withGaps(points) {
  return points.flatMap((point, index) => {
    const before = points[index - 1]
    return before !== undefined && point[0] - before[0] > GAP_MS
      ? [/** @type {Point} */ ([before[0] + 1, null, null, null, null, null, null, 0]), point]
      : [point]
  })
}

/** The times at which something was wrong get a background. @param {uPlot} plot @param {readonly Point[]} points */
function shadeTrouble(plot, points) {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  ctx.fillStyle = style('--trouble-shade')
  points.forEach((point, index) => {
    const next = points[index + 1]
    if (point[TROUBLED] === 0 || next === undefined || next[0] - point[0] > GAP_MS) return
    const left = Math.round(plot.valToPos(point[0] / 1_000, 'x', true))
    ctx.fillRect(left, bbox.top, Math.round(plot.valToPos(next[0] / 1_000, 'x', true)) - left, bbox.height)
  })
  ctx.restore()
}
