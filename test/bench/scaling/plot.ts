import * as echarts from 'echarts'
import type { EChartsOption } from 'echarts'
import { stableSvg } from '../../simulation/plot.ts'
import { SERVICES } from '../result.ts'
import { PARTS, wholeCoreRate, type Setup } from './conclusions.ts'

const [WIDTH, HEIGHT] = [1_000, 760]
const COLOURS = {
  haproxy: '#b2abd2',
  gateway: '#2166ac',
  gateways: '#2166ac',
  redis: '#d6604d',
  worker: '#4d9221',
  monitor: '#999999'
}

/** As SVG: at which rate each part would have a whole core, beside what was reached; and what a payment costs whom. */
export function plotScaling(title: string, setups: readonly Setup[]): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT })
  const names = setups.map(({ workers, gateways }) => `${workers} × worker\n${gateways} × gateway`)
  const bar = { type: 'bar' as const, barGap: '10%', emphasis: { disabled: true } }
  const option: EChartsOption = {
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: title, left: 'center', top: 5 },
    legend: { top: 40, data: [...PARTS, 'reached on this machine'] },
    grid: [
      { left: 90, right: 20, top: 100, height: 260 },
      { left: 90, right: 20, top: 460, height: 240 }
    ],
    xAxis: [0, 1].map(gridIndex => ({ gridIndex, type: 'category', data: names, axisLabel: { interval: 0 } })),
    yAxis: ['payments/s at which one process has a whole core', 'µs of CPU a payment'].map((name, gridIndex) => ({
      gridIndex,
      type: 'value',
      name,
      nameLocation: 'middle',
      nameGap: 65
    })),
    series: [
      ...PARTS.map(part => ({
        ...bar,
        name: part,
        color: COLOURS[part],
        data: setups.map(setup => Math.round(wholeCoreRate(setup, part)))
      })),
      {
        name: 'reached on this machine',
        type: 'scatter' as const,
        color: '#000000',
        symbol: 'diamond',
        symbolSize: 12,
        data: setups.map(({ highest }) => Math.round(highest.settledPerSecond))
      },
      ...SERVICES.map(service => ({
        ...bar,
        name: service === 'gateways' ? 'gateway' : service,
        stack: 'cost',
        xAxisIndex: 1,
        yAxisIndex: 1,
        color: COLOURS[service],
        barWidth: '45%',
        data: setups.map(({ highest }) => Number(highest.cpuMicrosByService[service].toFixed(1)))
      }))
    ]
  }
  chart.setOption(option)
  const svg = chart.renderToSVGString()
  chart.dispose()
  return stableSvg(svg)
}
