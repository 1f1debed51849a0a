import { decimalFromCents, signedDecimalFromCents } from '../../../shared/money.ts'
import { PROCESSOR_NAMES } from '../../../shared/payment.ts'
import { rawJSON } from './exact-json.ts'
import type { AuditFigures } from './figures.ts'
import type { Status } from './status.ts'

/** The body of `GET /status` as it is read: money and counts are numbers there. */
export type StatusBody = {
  [Key in keyof Status]: Key extends 'money' | 'processors' ? Numbers<Status[Key]> : Status[Key]
}
type Numbers<T> = T extends bigint
  ? number
  : T extends readonly unknown[]
    ? T
    : T extends object
      ? { [Key in keyof T]: Numbers<T[Key]> }
      : T

/** The body of `GET /status`, for people as well: indented. Money as decimals, exact at any size. */
export function renderStatus(status: Status): string {
  const money = (cents: bigint) => rawJSON(decimalFromCents(cents))
  const { settled, fees, net, allOnFallback } = status.money
  const processors = Object.fromEntries(
    PROCESSOR_NAMES.map(name => {
      const { settled: books, ...rest } = status.processors[name]
      return [
        name,
        {
          ...rest,
          settled: {
            payments: rawJSON(books.payments.toString()),
            amount: money(books.amount),
            fees: money(books.fees)
          }
        }
      ]
    })
  )
  return `${JSON.stringify(
    {
      ...status,
      processors,
      money: {
        settled: money(settled),
        fees: money(fees),
        net: money(net),
        allOnFallback: { fees: money(allOnFallback.fees), net: money(allOnFallback.net) }
      },
      audit: status.audit && { ...status.audit, differences: differences(status.audit) }
    },
    null,
    2
  )}\n`
}

function differences(audit: AuditFigures): Record<string, unknown> {
  return Object.fromEntries(
    PROCESSOR_NAMES.map(name => {
      const { payments, amount } = audit.differences[name]
      return [name, { payments: rawJSON(payments.toString()), amount: rawJSON(signedDecimalFromCents(amount)) }]
    })
  )
}
