// Goal: a reply of another form than expected is an error, and no value that goes on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fields, list, named, oneOf, pairs, text, textList, wholeNumber } from '../../shared/redis/replies.ts'

test('what has the form is given back', () => {
  assert.equal(text(''), '')
  assert.equal(wholeNumber(-7), -7)
  assert.deepEqual(list(['a', 1, null]), ['a', 1, null])
  assert.deepEqual(textList(['a', 'b']), ['a', 'b'])
  assert.deepEqual(pairs(['a', '1', 'a', '2']), [
    ['a', '1'],
    ['a', '2']
  ])
  assert.deepEqual(fields(['a', '1', 'b', '2']), { a: '1', b: '2' })
  assert.equal(oneOf(['a', 'b'], 'b'), 'b')
})

test('values are found by their names, not by what others say', () => {
  const value = named(['first', 'second', 'second', 2, 'third', ['x']])
  assert.equal(value('first'), 'second')
  assert.equal(value('second'), 2)
  assert.deepEqual(value('third'), ['x'])
  assert.throws(() => value('x'), /expected x/)
})

test('everything else is an error', () => {
  for (const reply of [undefined, null, 1, []]) assert.throws(() => text(reply), /expected text/)
  for (const reply of [undefined, '1', 1.5, NaN, []]) assert.throws(() => wholeNumber(reply), /expected a whole number/)
  for (const reply of [undefined, null, 'a', 1]) assert.throws(() => list(reply), /expected a list/)
  assert.throws(() => textList(['a', 1]), /expected text/)
  assert.throws(() => pairs(['a']), /expected pairs/)
  assert.throws(() => oneOf(['a', 'b'], 'c'), /expected one of a, b/)
})
