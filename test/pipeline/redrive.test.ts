// Goal: a dead letter is shown, put back once, and then paid; what is no payment stops none of them and can go.
// Method: the command as a process, against a whole stack whose processors refuse payments for good.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { runOperatorCommand } from '../support/operator-command.ts'
import { eventually } from '../support/eventually.ts'
import { newPayment, newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'

const { stack, redis, keys, admins, pay, get, untilSettled } = await startTestPipeline({ monitors: 0 })
const redrive = (...args: string[]) => runOperatorCommand(stack, 'redrive', args)
const refuseNext = async (count: number) => {
  for (const admin of Object.values(admins)) await admin.setFaults([{ kind: 'status', status: 400, next: count }])
}
const untilDeadLetters = (count: number) =>
  eventually(`${count} dead letters`, async () => (await redis.xlen(keys.deadLetters)) === count)

beforeEach(async () => assert.match((await redrive()).output, /No dead letters/))

test('a dead letter is shown, put back once, and then paid', async () => {
  const [first, second] = [newPayment(750), newPayment(825)]
  await refuseNext(2)
  for (const payment of [first, second]) assert.equal((await pay(payment)).status, 202)
  await untilDeadLetters(2)

  const { output } = await redrive()
  const id = first.correlationId
  assert.match(output, new RegExp(`${id} +7\\.50 +default refused it for good, then fallback: status 400`))
  assert.match(output, new RegExp(`${second.correlationId} +8\\.25`))
  assert.deepEqual(await redrive(id.toUpperCase()), { code: 0, output: `${id} is back in the queue\n` })
  assert.deepEqual(await redrive(id), { code: 1, output: `${id} is no dead letter\n` })
  assert.match((await redrive('--all')).output, /^1 payments are back/)
  await untilSettled()
  assert.equal(await redis.xlen(keys.deadLetters), 0)
  for (const { correlationId } of [first, second])
    assert.match((await get(`/payments/${correlationId}`)).body, /"status":"settled","processor":"default"/)
})

test('dead letters that no processor takes are each tried once, and what is no payment stops none of them', async () => {
  await redis.xadd(keys.deadLetters, '*', 'foo', 'bar')
  await redis.xadd(keys.queue, '*', 'correlationId', 'not-a-uuid', 'cents', '1')
  // More than fit into what follows, so that whatever is put back is refused again at once.
  await refuseNext(1_000)
  const payments = newPayments(50)
  for (const { status } of await Promise.all(payments.map(pay))) assert.equal(status, 202)
  await untilDeadLetters(52)
  assert.deepEqual(await redrive('--all'), {
    code: 1,
    output:
      '50 payments are back in the queue.\n2 dead letters stay: they are no payments. Without --all they are shown.\n'
  })
  await untilDeadLetters(52)

  for (const admin of Object.values(admins)) await admin.setFaults()
  assert.match((await redrive('--all')).output, /^50 payments are back/)
  await untilSettled()
  const { output } = await redrive()
  assert.match(output, /\["foo","bar"\] +it is no dead letter of the pipeline/)
  assert.match(output, /\["correlationId","not-a-uuid","cents","1"\] +correlationId is no UUID in lower case/)
  const letterIds = (await redis.xrange(keys.deadLetters, '-', '+')).map(([id]) => id)
  assert.equal((await redrive('--discard', ...letterIds)).code, 0)
  assert.match((await redrive()).output, /No dead letters/)
  for (const { correlationId } of payments)
    assert.match((await get(`/payments/${correlationId}`)).body, /"status":"settled"/)
})
