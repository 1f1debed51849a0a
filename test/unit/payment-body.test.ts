// Goal: exactly the bodies that the API promises become payments; test/pipeline/bad-input.test.ts sends the bad ones for real.
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
  ]) assert.deepEqual(decode(text), { payment }, text)
})

test('any UUID of RFC 9562, nil and max included', () => {
  for (const id of [
    '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'c232ab00-9414-11ec-b3c8-9f6bdeced846',
    '5df41881-3aed-3515-88a7-2f4a814cf09e', '919108f7-52d1-4320-9bac-f847db4148a8', '2ed6657d-e927-568b-95e1-2665a8aea6a2',
    '1ec9414c-232a-6b00-b3c8-9f6bdeced846', '017f22e2-79b0-7cc3-98c4-dc0c0c07398f', '2489e9ad-2ee2-8e00-8ec9-32d5f69181c0'
  ]) assert.deepEqual(decode(JSON.stringify({ correlationId: id, amount: 1 })), { payment: { correlationId: id, cents: 100 } })
})

test('amounts up to the maximum and not a cent more', () => {
  assert('payment' in decode(`{"correlationId":"${ID}","amount":100000.00}`))
  assert('problem' in decode(`{"correlationId":"${ID}","amount":100000.01}`))
  assert('payment' in decode(`{"correlationId":"${ID}","amount":0.01}`))
})

test('every amount of cents is read exactly', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: MAX }), whole => {
    const text = `${Math.floor(whole / 100)}.${String(whole % 100).padStart(2, '0')}`
    assert.deepEqual(decode(`{"correlationId":"${ID}","amount":${text}}`), { payment: { correlationId: ID, cents: whole } })
  }))
})

test('arbitrary bytes and arbitrary JSON never throw, and never become a payment by chance', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
    assert('problem' in decodePaymentBody(Buffer.from(bytes), MAX))
  }))
  fc.assert(fc.property(fc.json(), text => { assert('problem' in decode(text)) }))
  fc.assert(fc.property(fc.jsonValue(), amount => {
    const decoded = decode(JSON.stringify({ correlationId: randomUUID(), amount }))
    assert.equal('payment' in decoded, typeof amount === 'number' && amount > 0 && amount <= MAX / 100 && Number(amount.toFixed(2)) === amount)
  }))
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
