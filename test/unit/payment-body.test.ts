// Goal: exactly the bodies that the API promises become payments; test/pipeline/bad-input.test.ts sends the bad ones
// for real.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePaymentBody } from '../../gateway/payment-body.ts'
import { cents } from '../support/payments.ts'

const MAX = cents(100_000_00)
const decode = (text: string) => decodePaymentBody(Buffer.from(text), MAX)
const ID = '4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3'

test('good bodies, whatever their spelling', () => {
  const payment = { correlationId: ID, cents: 1990 }
  for (const text of [
    `{"correlationId":"${ID}","amount":19.90}`,
    `{"amount":19.9,"correlationId":"${ID}"}`,
    ` {\n"correlationId" : "${ID.toUpperCase()}" ,\t"amount" : 1.99e1 }\r\n`,
    `{"correlationId":"${ID}","amount":19.9,"note":"\\u00e9","more":{"deep":[[1]]}}`,
    `{"amount":1,"correlationId":"${ID}","amount":19.9}`
  ])
    assert.deepEqual(decode(text), { payment }, text)
})

test('any UUID of RFC 9562, nil and max included', () => {
  for (const id of [
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    'c232ab00-9414-11ec-b3c8-9f6bdeced846',
    '5df41881-3aed-3515-88a7-2f4a814cf09e',
    '919108f7-52d1-4320-9bac-f847db4148a8',
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    '1ec9414c-232a-6b00-b3c8-9f6bdeced846',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
    '2489e9ad-2ee2-8e00-8ec9-32d5f69181c0'
  ])
    assert.deepEqual(decode(JSON.stringify({ correlationId: id, amount: 1 })), {
      payment: { correlationId: id, cents: 100 }
    })
})

test('amounts up to the maximum and not a cent more', () => {
  assert('payment' in decode(`{"correlationId":"${ID}","amount":100000.00}`))
  assert('problem' in decode(`{"correlationId":"${ID}","amount":100000.01}`))
  assert('payment' in decode(`{"correlationId":"${ID}","amount":0.01}`))
})

/** The same fields in the form that is read without JSON.parse, and in two that are not. */
const spellings = (amount: string) => [
  `{"correlationId":"${ID}","amount":${amount}}`,
  `{"amount":${amount},"correlationId":"${ID}"}`,
  `{"correlationId":"${ID}","amount":${amount},"phone":"1234567890123456"}`
]

test('more than two decimals is refused, not rounded, even where no double tells', () => {
  for (const amount of [
    '19.9000000000000000001',
    '19.89999999999999999999',
    '19.901',
    '1e-3',
    '0.0100000000000000000001',
    '99999.999999999999999999'
  ]) {
    for (const text of spellings(amount)) {
      assert.deepEqual(
        decode(text),
        { problem: { status: 400, detail: 'amount must have at most two decimals.', field: 'amount' } },
        text
      )
    }
  }
  for (const amount of ['19.9', '19.90', '19.900', `19.9${'0'.repeat(50)}`, '1.99e1', '199000000000000000000000e-22']) {
    for (const text of spellings(amount))
      assert.deepEqual(decode(text), { payment: { correlationId: ID, cents: 1990 } }, text)
  }
  for (const text of spellings('1e400'))
    assert.deepEqual(decode(text), {
      problem: { status: 400, detail: 'amount must be at most 100000.00.', field: 'amount' }
    })
})

test('of several amounts the last one counts, and none further inside', () => {
  const exact = '19.90000000000000000000',
    rounded = '19.90000000000000000001'
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
  const whole = fc.oneof(
    fc.integer({ min: 0, max: 100_001 }).map(String),
    digits(20).map(text => text.replace(/^0+(?=.)/, ''))
  )
  const decimals = fc.oneof(
    fc.constant(''),
    digits(3),
    digits(30),
    fc.constantFrom('90', '900', '9000000000000000000000', '9000000000000000000001')
  )
  fc.assert(
    fc.property(
      whole,
      decimals,
      fc.constantFrom('', 'e0', 'E-2', 'e+2', 'e-15', 'e3'),
      (integer, fraction, exponent) => {
        const decoded = spellings(integer + (fraction && `.${fraction}`) + exponent).map(decode)
        // In units that all of them are whole numbers of: 10^-60.
        const units = BigInt(integer + fraction) * 10n ** BigInt(60 - fraction.length + Number(exponent.slice(1)))
        const unitsOfCent = 10n ** 58n
        const isGood = units > 0n && units % unitsOfCent === 0n && units / unitsOfCent <= BigInt(MAX)
        for (const each of decoded)
          assert.deepEqual(
            each,
            isGood ? { payment: { correlationId: ID, cents: Number(units / unitsOfCent) } } : decoded[0]
          )
        assert.equal('payment' in (decoded[0] ?? {}), isGood)
      }
    ),
    { numRuns: 2_000 }
  )
})

test('every amount of cents is read exactly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX }), whole => {
      const text = `${Math.floor(whole / 100)}.${String(whole % 100).padStart(2, '0')}`
      assert.deepEqual(decode(`{"correlationId":"${ID}","amount":${text}}`), {
        payment: { correlationId: ID, cents: whole }
      })
    })
  )
})

test('arbitrary bytes and arbitrary JSON never throw, and never become a payment by chance', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      assert('problem' in decodePaymentBody(Buffer.from(bytes), MAX))
    })
  )
  fc.assert(
    fc.property(fc.json(), text => {
      assert('problem' in decode(text))
    })
  )
  fc.assert(
    fc.property(fc.jsonValue(), amount => {
      const decoded = decode(JSON.stringify({ correlationId: randomUUID(), amount }))
      assert.equal(
        'payment' in decoded,
        typeof amount === 'number' && amount > 0 && amount <= MAX / 100 && Number(amount.toFixed(2)) === amount
      )
    })
  )
})

test('a problem names the field', () => {
  const fieldOf = (text: string) => {
    const decoded = decode(text)
    return 'problem' in decoded ? decoded.problem.field : 'none'
  }
  assert.equal(fieldOf('{}'), 'correlationId')
  assert.equal(fieldOf(`{"correlationId":"${ID}"}`), 'amount')
  assert.equal(fieldOf(`{"correlationId":"${ID}","amount":1.001}`), 'amount')
  assert.equal(fieldOf(`{"correlationId":"${ID.slice(1)}","amount":1}`), 'correlationId')
  assert.equal(fieldOf('[]'), undefined)
})
