import { integer, type ConfigOf } from '../shared/environment.ts'
import type { BreakerLimits } from './breaker.ts'

/** All settings of the routing policy; docs/routing.md says how to choose. */
export const ROUTING_VARIABLES = {
  inFlightMax: integer('IN_FLIGHT_MAX', {
    default: 800,
    min: 1,
    max: 10_000,
    unit: 'payments',
    about:
      'Payments that this worker has at one processor at most. A processor runs 800 at once; divide by the number of workers.'
  }),
  takePerSecondMax: integer('TAKE_PER_SECOND_MAX', {
    default: 20_000,
    min: 100,
    max: 1_000_000,
    unit: 'payments a second',
    about: 'The pace at which this worker drains a backlog, so that Redis has time for new payments meanwhile.'
  }),
  fallbackAfterMs: integer('FALLBACK_AFTER_MS', {
    default: 11_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    about: 'How long a payment waits at most for a failing default processor before it may go to the fallback.'
  }),
  fallbackWaitMs: integer('FALLBACK_WAIT_MS', {
    default: 8_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    about: 'How long it waits once default has failed for FALLBACK_AFTER_MS; never longer than that.'
  }),
  surplusWaitMs: integer('SURPLUS_WAIT_MS', {
    default: 5_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    about:
      'What would wait for longer than this, because more comes than a working default takes, goes to the fallback.'
  }),
  breakerFailures: integer('BREAKER_FAILURES', {
    default: 3,
    min: 1,
    max: 1_000,
    unit: 'failures in a row',
    about: 'Opens the circuit breaker of a processor.'
  }),
  breakerOpenMs: integer('BREAKER_OPEN_MS', {
    default: 250,
    min: 10,
    max: 600_000,
    unit: 'ms',
    about: 'How often an open breaker lets one payment through as a probe.'
  })
}

/** Parameters that nobody has to choose; the simulation varies them all the same. */
const ROUTING_CONSTANTS = {
  /**
   * When fallback is back first: how long to wait at most for the answer to a probe that tells whether default is back
   * as well. Longer than a default that is back with 5 s of delay takes.
   */
  bothBackWaitMs: 6_000,
  /**
   * For so long after a booking of its own the worker does not believe published health that calls that processor
   * failing: two polls, of which one was under way when it came back.
   */
  ownWordMs: 10_000
}

export type RoutingParameters = ConfigOf<typeof ROUTING_VARIABLES> & typeof ROUTING_CONSTANTS

/** What the environment says of them, and the constants. */
export function routingParametersOf(config: ConfigOf<typeof ROUTING_VARIABLES>): RoutingParameters {
  return { ...config, ...ROUTING_CONSTANTS }
}

export function breakerLimitsOf({ breakerFailures, breakerOpenMs, ownWordMs }: RoutingParameters): BreakerLimits {
  return { failuresMax: breakerFailures, openMs: breakerOpenMs, ownWordMs }
}
