// Goal: exactly the bodies that the API promises become payments.
// Method: tables, and properties that compare with exact arithmetic. test/pipeline/bad-input.test.ts sends the bad ones
// for real, and there a problem names its field.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePaymentBody } from '../../gateway/payment-body.ts'
import { decimalFromCents } from '../../shared/money.ts'
import { cents, required } from '../support/payments.ts'
import { words } from '../support/words.ts'

const MAX = cents(100_000_00)
const decode = (text: string) => decodePaymentBody(Buffer.from(text), MAX)
const ID = '4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3'
const paid = (amount: number) => ({ payment: { correlationId: ID, cents: amount } })

test('good bodies, whatever their spelling', () => {
  for (const text of [
    `{"correlationId":"${ID}","amount":19.90}`,
    `{"correlationId":"${ID.toUpperCase()}","amount":19.90}`,
    `{"amount":19.9,"correlationId":"${ID}"}`,
    ` {\n"correlationId" : "${ID.toUpperCase()}" ,\t"amount" : 1.99e1 }\r\n`,
    `{"correlationId":"${ID}","amount":19.9,"note":"\\u00e9","more":{"deep":[[1]]}}`,
    `{"amount":1,"correlationId":"${ID}","amount":19.9}`
  ])
    assert.deepEqual(decode(text), paid(1_990), text)
})

test('any UUID of RFC 9562, nil and max included', () => {
  const uuid = fc.oneof(fc.uuid(), fc.constantFrom(...['0', 'f'].map(digit => ID.replaceAll(/[0-9a-f]/g, digit))))
  fc.assert(
    fc.property(uuid, correlationId => {
      for (const body of [
        { correlationId, amount: 1 },
        { amount: 1, correlationId }
      ])
        assert.deepEqual(decode(JSON.stringify(body)), { payment: { correlationId, cents: 100 } })
    })
  )
})

/** The same fields in the form that is read without JSON.parse, and in two that are not. */
const spellings = (amount: string) => [
  `{"correlationId":"${ID}","amount":${amount}}`,
  `{"amount":${amount},"correlationId":"${ID}"}`,
  `{"correlationId":"${ID}","amount":${amount},"phone":"1234567890123456"}`
]

test('amounts from a cent to the maximum, and more than two decimals refused, not rounded, where no double tells', () => {
  const refused = (detail: string) => ({ problem: { status: 400, detail, field: 'amount' } })
  const finer = words(
    '19.9000000000000000001 19.89999999999999999999 19.901 1e-3 0.0100000000000000000001 99999.999999999999999999'
  )
  const equal = words('19.9 19.90 19.900 1.99e1 199000000000000000000000e-22')
  const cases: [amounts: string[], decoded: unknown][] = [
    [finer, refused('amount must have at most two decimals.')],
    [['100000.01', '1e400'], refused('amount must be at most 100000.00.')],
    [[...equal, `19.9${'0'.repeat(50)}`], paid(1_990)],
    [['100000.00'], paid(MAX)],
    [['0.01'], paid(1)]
  ]
  for (const [amounts, decoded] of cases) {
    for (const text of amounts.flatMap(spellings)) assert.deepEqual(decode(text), decoded, text)
  }
})

test('of several amounts the last one counts, and none further inside', () => {
  const [exact, rounded] = ['19.90000000000000000000', '19.90000000000000000001']
  for (const [text, isGood] of [
    [`{"amount":${rounded},"correlationId":"${ID}","amount":${exact}}`, true],
    [`{"amount":${exact},"correlationId":"${ID}","amount":${rounded}}`, false],
    [`{"amount":${exact},"correlationId":"${ID}","\\u0061mount":${rounded}}`, false],
    [`{"amount":${exact},"correlationId":"${ID}","more":{"amount":${rounded}}}`, true],
    [`{"more":[{"amount":${exact}}],"amount":${rounded},"correlationId":"${ID}","after":{"amount":${exact}}}`, false],
    [`{"amount":{"amount":${rounded}},"correlationId":"${ID}","amount":${exact}}`, true],
    [`{"__proto__":{"amount":${exact}},"correlationId":"${ID}","amount":${rounded}}`, false],
    [`{"correlationId":"${ID}","amount":${exact},"note":"\\"amount\\":${rounded}"}`, true]
  ] as const)
    assert.equal('payment' in decode(text), isGood, text)
})

test('all spellings of a body agree, and with exact arithmetic', () => {
  const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${maxLength}}$`))
  const long = digits(20).map(text => text.replace(/^0+(?=.)/, ''))
  const whole = fc.oneof(fc.integer({ min: 0, max: 100_001 }).map(String), long)
  const zeros = fc.constantFrom('', '90', '900', '9000000000000000000000', '9000000000000000000001')
  const decimals = fc.oneof(fc.constant(''), digits(3), digits(30), zeros)
  const power = fc.constantFrom('', 'e0', 'E-2', 'e+2', 'e-15', 'e3')
  fc.assert(
    fc.property(whole, decimals, power, (integer, fraction, exponent) => {
      const decoded = spellings(integer + (fraction && `.${fraction}`) + exponent).map(decode)
      // In units that all of them are whole numbers of: 10^-60.
      const units = BigInt(integer + fraction) * 10n ** BigInt(60 - fraction.length + Number(exponent.slice(1)))
      const unitsOfCent = 10n ** 58n
      const isGood = units > 0n && units % unitsOfCent === 0n && units / unitsOfCent <= BigInt(MAX)
      assert.equal('payment' in required(decoded[0]), isGood)
      const expected = isGood ? paid(Number(units / unitsOfCent)) : decoded[0]
      for (const each of decoded) assert.deepEqual(each, expected)
    }),
    { numRuns: 2_000 }
  )
})

test('every amount of cents is read exactly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX }), whole => {
      for (const text of spellings(decimalFromCents(whole))) assert.deepEqual(decode(text), paid(whole))
    })
  )
})

test('arbitrary bytes and arbitrary JSON never throw, and never become a payment by chance', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map(given => Buffer.from(given))
  const json = fc.json().map(text => Buffer.from(text))
  fc.assert(
    fc.property(bytes, json, (...bodies) => {
      for (const body of bodies) assert('problem' in decodePaymentBody(body, MAX))
    })
  )
  fc.assert(
    fc.property(fc.jsonValue(), amount => {
      const isAmount =
        typeof amount === 'number' && amount > 0 && amount <= MAX / 100 && Number(amount.toFixed(2)) === amount
      assert.equal('payment' in decode(JSON.stringify({ correlationId: ID, amount })), isAmount)
    })
  )
})
