import * as echarts from 'echarts'
import type { EChartsOption } from 'echarts'
import type { Schedule, Stage } from '../support/contest/schedule.ts'
import type { Sample } from './simulate.ts'

const [WIDTH, HEIGHT] = [1_000, 720]
const COLOURS = { default: '#2166ac', fallback: '#d6604d', waiting: '#666666' }

/** One run over time as SVG: what the processors did, what waited, what was in flight, and what was booked where. */
export function plotRun(title: string, schedule: Schedule, samples: readonly Sample[]): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT })
  const lastS = (samples.at(-1)?.atMs ?? 0) / 1_000
  const panels = ['waiting', 'in flight', 'booked per second']
  const line = (
    name: string,
    panel: number,
    colour: string,
    value: (sample: Sample, before: Sample | undefined) => number
  ) => ({
    name,
    type: 'line' as const,
    xAxisIndex: panel,
    yAxisIndex: panel,
    showSymbol: false,
    color: colour,
    lineStyle: { width: 1.5 },
    data: samples.map((sample, index) => [sample.atMs / 1_000, value(sample, samples[index - 1])])
  })
  const perSecond = (name: 'default' | 'fallback') => (sample: Sample, before: Sample | undefined) =>
    before
      ? Math.round(((sample.bookedCounts[name] - before.bookedCounts[name]) * 1_000) / (sample.atMs - before.atMs))
      : 0
  const option: EChartsOption = {
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: title, left: 'center' },
    legend: { top: 30, data: ['waiting', 'default', 'fallback'] },
    grid: panels.map((_, panel) => ({ left: 70, right: 20, top: 130 + panel * 195, height: 150 })),
    xAxis: panels.map((_, panel) => ({
      gridIndex: panel,
      type: 'value',
      min: 0,
      max: Math.ceil(lastS / 10) * 10,
      name: panel === 2 ? 's' : ''
    })),
    yAxis: panels.map((name, panel) => ({
      gridIndex: panel,
      type: 'value',
      name,
      nameLocation: 'middle',
      nameGap: 50
    })),
    series: [
      {
        ...line('waiting', 0, COLOURS.waiting, sample => sample.waitingCount),
        markLine: stageLines(schedule.stages, true)
      },
      {
        ...line('default', 1, COLOURS.default, sample => sample.inFlightCounts.default),
        markLine: stageLines(schedule.stages, false)
      },
      line('fallback', 1, COLOURS.fallback, sample => sample.inFlightCounts.fallback),
      { ...line('default', 2, COLOURS.default, perSecond('default')), markLine: stageLines(schedule.stages, false) },
      line('fallback', 2, COLOURS.fallback, perSecond('fallback'))
    ]
  }
  chart.setOption(option)
  const svg = chart.renderToSVGString()
  chart.dispose()
  return stableSvg(svg)
}

function stageLines(stages: readonly Stage[], isLabelled: boolean) {
  const behaviour = (stage: Stage, name: 'default' | 'fallback') =>
    `${stage[name].delayMs}${stage[name].failing ? ' FAILS' : ''}`
  return {
    silent: true,
    symbol: 'none',
    lineStyle: { color: '#bbbbbb', type: 'solid' as const },
    data: stages.map(stage => ({
      xAxis: stage.atMs / 1_000,
      label: {
        show: isLabelled && stages.length <= 10,
        formatter: `d ${behaviour(stage, 'default')}\nf ${behaviour(stage, 'fallback')}`,
        align: 'left' as const,
        fontSize: 10
      }
    }))
  }
}

/**
 * The names of clip paths and classes count up over the life of the process; the same run has to give the same file.
 */
export function stableSvg(svg: string): string {
  const names = new Map<string, string>()
  return svg.replace(
    /zr\d+-[a-z]+-?\d+/g,
    name => names.get(name) ?? names.set(name, `n${names.size}`).get(name) ?? name
  )
}
