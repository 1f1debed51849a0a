import { isDeepStrictEqual } from 'node:util'
import { address, integer, oneOf, optionalText, type Rule, type Variable } from '../shared/environment.ts'
import { centsFromDecimal, CENTS_MAX, type Cents } from '../shared/money.ts'
import { ID_RETENTION_HOURS, type SERVICE_VARIABLES } from '../shared/variables.ts'

const MAX_AMOUNT: Variable<Cents> = {
  name: 'MAX_AMOUNT',
  about: 'The largest amount of one payment, in whole currency units; a larger one gets 400.',
  default: '1000000',
  wants: `an amount above 0 and up to ${CENTS_MAX / 100}, with at most two decimals`,
  parse: text => (/^\d+(\.\d{1,2})?$/.test(text) ? centsFromDecimal(Number(text)) : undefined)
}

/** A share such as 0.05, in millionths. */
function fee(name: string, standard: string, about: string): Variable<bigint> {
  return {
    name,
    about,
    default: standard,
    wants: 'a share from 0 to 1 with at most six decimals',
    parse: text => {
      const share = /^[01](\.\d{1,6})?$/.test(text) ? Number(text) : NaN
      return share <= 1 ? BigInt(Math.round(share * 1_000_000)) : undefined
    }
  }
}

/** A larger request body gets 413. A payment as clients write it has about 70 bytes. */
export const BODY_BYTES_MAX = 4_096

/** Payments of one gateway that wait for Redis at most; more get 503 at once. At 20,000/s half a second's. */
export const WAITING_MAX = 10_000

export const GATEWAY_VARIABLES = {
  idRetentionHours: ID_RETENTION_HOURS,
  listen: address('LISTEN', { default: '127.0.0.1:8080', about: 'Where the gateway takes HTTP.' }),
  maxAmount: MAX_AMOUNT,
  maxQueuedPayments: integer('MAX_QUEUED_PAYMENTS', {
    default: 2_000_000,
    min: 1,
    max: 100_000_000,
    unit: 'payments',
    about: 'Payments that Redis holds unsettled at most; more get 503. About 130 bytes of Redis memory each.'
  }),
  redisTimeoutMs: integer('REDIS_TIMEOUT_MS', {
    default: 2_000,
    min: 50,
    max: 60_000,
    unit: 'ms',
    about:
      'How long a request waits for Redis before it gets 503. Its payment may be kept all the same, and is then paid.'
  }),
  status: oneOf('STATUS', ['open', 'closed'], {
    default: 'open',
    about: 'closed answers 404 to GET /status where clients connect; METRICS_LISTEN tells it in any case.'
  }),
  dashboard: oneOf('DASHBOARD', ['open', 'closed'], {
    default: 'open',
    about: 'closed answers 404 to /dashboard, the live page of the status. STATUS=closed closes it as well.'
  }),
  defaultFee: fee(
    'DEFAULT_FEE',
    '0.05',
    'What the default processor keeps of a payment, for the money in the status; not more than FALLBACK_FEE.'
  ),
  fallbackFee: fee('FALLBACK_FEE', '0.15', 'The same for the fallback processor.'),
  purge: oneOf('PURGE', ['closed', 'open'], {
    default: 'closed',
    about: 'open lets POST /purge-payments empty queue and books; closed answers 404.'
  }),
  purgeToken: {
    ...optionalText('PURGE_TOKEN', {
      wants: '8 to 200 visible characters',
      pattern: /^[\x21-\x7e]{8,200}$/,
      about: 'If set, a purge wants the header "Authorization: Bearer <token>".'
    }),
    isSecret: true as const
  }
}

export const GATEWAY_RULES: readonly Rule<typeof GATEWAY_VARIABLES & typeof SERVICE_VARIABLES>[] = [
  {
    between: ['listen', 'metricsListen'],
    // A unix socket of this name is taken for what a killed process left, and removed: clients would find nobody.
    wants: 'METRICS_LISTEN at another address than LISTEN',
    isKept: ({ listen, metricsListen }) => !isDeepStrictEqual(listen, metricsListen)
  },
  {
    between: ['defaultFee', 'fallbackFee'],
    // Payments go to default first because it is the cheaper one; otherwise somebody has mixed them up.
    wants: 'DEFAULT_FEE not above FALLBACK_FEE',
    isKept: ({ defaultFee, fallbackFee }) => defaultFee <= fallbackFee
  }
]
