import { Counter, Gauge, Histogram as PromHistogram, Registry } from 'prom-client'
import { countOf, cumulativeByDoubling, type Histogram } from '../histogram.ts'

type Labels<L extends string> = Record<L, string>
/** The values of a metric, each with its labels; asked for at each scrape. */
export type Values<L extends string, T> = readonly (readonly [Labels<L>, T])[]
type Read<L extends string, T> = () => Values<L, T> | Promise<Values<L, T>>

/**
 * The metrics of one process. Nothing is counted here: a payment adds to plain numbers elsewhere, and each metric says
 * where its values are read when Prometheus asks. So a payment costs the same whether or not somebody scrapes.
 */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  return {
    counter<L extends string>(name: string, help: string, labelNames: readonly L[], read: Read<L, number>): void {
      new Counter({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const values = await read()
          this.reset()
          // What is not known is left out, rather than 0.
          if (values.length === 0 && labelNames.length === 0) this.remove()
          for (const [labels, value] of values) this.inc(labels, value)
        }
      })
    },
    gauge<L extends string>(name: string, help: string, labelNames: readonly L[], read: Read<L, number>): void {
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const values = await read()
          this.reset()
          if (values.length === 0 && labelNames.length === 0) this.remove()
          for (const [labels, value] of values) this.set(labels, value)
        }
      })
    },
    histogram<L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[],
      read: () => Values<L, Histogram>
    ): void {
      registry.registerMetric(new ReadHistogram(name, help, labelNames, read))
    },
    contentType: registry.contentType,
    /** The text of one scrape. */
    render: () => registry.metrics()
  }
}

export type Metrics = ReturnType<typeof createMetrics>

type Exposed = { metricName: string; labels: Record<string, string | number>; value: number }

/**
 * prom-client's histogram takes one value at a time; this one tells what was counted elsewhere. Buckets double, from
 * 62.5 µs.
 */
class ReadHistogram<L extends string> extends PromHistogram<L> {
  readonly #name: string
  readonly #help: string
  readonly #read: () => Values<L, Histogram>

  constructor(name: string, help: string, labelNames: readonly L[], read: () => Values<L, Histogram>) {
    super({ name, help, labelNames, registers: [] })
    this.#name = name
    this.#help = help
    this.#read = read
  }

  // The registry asks for this where it is there; see getMetricsAsString in prom-client/lib/registry.js.
  getForPromString() {
    const values = this.#read().flatMap(([labels, histogram]) => this.#expose(labels, histogram))
    return Promise.resolve({ name: this.#name, help: this.#help, type: 'histogram', values, aggregator: 'sum' })
  }

  #expose(labels: Labels<L>, histogram: Histogram): Exposed[] {
    const count = countOf(histogram)
    const bucket = (le: string | number, value: number) => ({
      metricName: `${this.#name}_bucket`,
      labels: { le, ...labels },
      value
    })
    return [
      ...cumulativeByDoubling(histogram).map(({ upToMs, count: upTo }) => bucket(upToMs / 1_000, upTo)),
      bucket('+Inf', count),
      { metricName: `${this.#name}_sum`, labels, value: histogram.sumMs / 1_000 },
      { metricName: `${this.#name}_count`, labels, value: count }
    ]
  }
}
