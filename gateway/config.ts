import { address, integer, oneOf, optionalText, type Variable } from '../shared/config.ts'
import { centsFromDecimal, type Cents } from '../shared/money.ts'
import { ID_RETENTION_HOURS } from '../shared/id-memory.ts'
import { REDIS_URL } from '../shared/redis/connect.ts'

/** Above this, sums of billions of payments would leave the 64 bits that Redis counts in. */
const AMOUNT_CEILING = 1_000_000_000

const MAX_AMOUNT: Variable<Cents> = {
  name: 'MAX_AMOUNT',
  about: 'The largest amount of one payment, in whole currency units; a larger one gets 400.',
  default: '1000000',
  wants: `an amount above 0 and up to ${AMOUNT_CEILING}, with at most two decimals`,
  parse: text => {
    const cents = /^\d+(\.\d{1,2})?$/.test(text) ? centsFromDecimal(Number(text)) : undefined
    return cents !== undefined && cents <= AMOUNT_CEILING * 100 ? cents : undefined
  }
}

export const GATEWAY_VARIABLES = {
  redisUrl: REDIS_URL,
  idRetentionHours: ID_RETENTION_HOURS,
  listen: address('LISTEN', { default: '127.0.0.1:8080', about: 'Where the gateway takes HTTP.' }),
  maxAmount: MAX_AMOUNT,
  maxBodyBytes: integer('MAX_BODY_BYTES', {
    default: 4_096, min: 128, max: 1_048_576, unit: 'bytes', about: 'The largest request body; a larger one gets 413.'
  }),
  maxQueuedPayments: integer('MAX_QUEUED_PAYMENTS', {
    default: 2_000_000, min: 1, max: 100_000_000, unit: 'payments',
    about: 'Payments that Redis holds unsettled at most; more get 503. About 130 bytes of Redis memory each.'
  }),
  maxWaitingPayments: integer('MAX_WAITING_PAYMENTS', {
    default: 10_000, min: 1, max: 1_000_000, unit: 'payments',
    about: 'Requests of one gateway that wait for Redis at most; more get 503 at once.'
  }),
  redisTimeoutMs: integer('REDIS_TIMEOUT_MS', {
    default: 2_000, min: 50, max: 60_000, unit: 'ms',
    about: 'How long a request waits for Redis before it gets 503. Its payment may be kept all the same, and is then paid.'
  }),
  purge: oneOf('PURGE', ['closed', 'open'], {
    default: 'closed', about: 'open lets POST /purge-payments empty queue and books; closed answers 404.'
  }),
  purgeToken: {
    ...optionalText('PURGE_TOKEN', {
      wants: '8 to 200 visible characters', pattern: /^[\x21-\x7e]{8,200}$/,
      about: 'If set, a purge wants the header "Authorization: Bearer <token>".'
    }),
    isSecret: true as const
  }
}
