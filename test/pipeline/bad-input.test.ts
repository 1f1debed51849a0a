// Goal: whatever a client sends, it gets an answer that says what was wrong with it, and the books do not move.
// Method: raw bytes through HAProxy to real gateways, one row of a table each. Every refusal of ours is RFC 9457
// problem JSON; what HAProxy or the HTTP parser refuses, before there is a request, stands in a table of its own.
// Queue, in-flight records, ids and totals are compared at the end of each table. The good inputs show that refusing is
// not all there is.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { newPayments } from '../support/payments.ts'
import { startTestPipeline } from '../support/pipeline.ts'
import { readStatuses, sendRaw, type RawReply } from '../support/raw-http.ts'

const BODY_BYTES_MAX = 4_096
const pipeline = await startTestPipeline({
  environment: { gateway: { MAX_AMOUNT: '1000000' } }
})
const { redis, keys, port, stack } = pipeline
// So that the books have something to lose.
await Promise.all(newPayments(20).map(payment => pipeline.pay(payment)))
await pipeline.untilSettled()

// ---- requests ------------------------------------------------------------------------------------

const ID = '4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3'
const JSON_TYPE = 'Content-Type: application/json'

/** A request as it travels, with its Content-Length unless the headers say another one. */
function request(method: string, path: string, headers: readonly string[] = [], body: string | Buffer = ''): Buffer {
  const hasLength = body.length === 0 || headers.some(header => /^(content-length|transfer-encoding):/i.test(header))
  const length = hasLength ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: pipeline', ...headers, ...length]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)])
}
const post = (body: string | Buffer, ...headers: string[]) =>
  request('POST', '/payments', [JSON_TYPE, ...headers], body)
const typed = (...headers: string[]) => request('POST', '/payments', headers, goodBody())
const chunked = (...chunks: string[]) =>
  post(
    [...chunks, ''].map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join(''),
    'Transfer-Encoding: chunked'
  )
const get = (path: string) => request('GET', path)

const withAmount = (amount: string) => `{"correlationId":"${ID}","amount":${amount}}`
const withId = (id: string) => `{"correlationId":${id},"amount":19.90}`
const goodBody = () => withId(JSON.stringify(randomUUID()))
const sized = (bytes: number) => goodBody().padEnd(bytes)
const nested = (levels: number) => withAmount(`1,"more":${'['.repeat(levels)}${']'.repeat(levels)}`)
const from = (text: string) => get(`/payments-summary?from=${text}`)
/** With a good payment where the method has a body. */
const requestBy = (method: string, path: string) =>
  /^(POST|PUT|PATCH)$/i.test(method) ? request(method, path, [JSON_TYPE], goodBody()) : request(method, path)

// ---- tables --------------------------------------------------------------------------------------

type BadRequest = [what: string, request: Buffer, status: number, expected?: { field?: string; allow?: string }]

/** A row for each text of a group, which says what is wrong with all of them. */
function rows(
  groups: Record<string, readonly string[]>,
  requestOf: (text: string) => Buffer,
  status: number,
  expected: BadRequest[3] = {}
): BadRequest[] {
  return Object.entries(groups).flatMap(([what, texts]) =>
    texts.map((text): BadRequest => [`${what}: ${text.slice(0, 100)}`, requestOf(text), status, expected])
  )
}
const words = (text: string) => text.split(' ')
const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map(part => Buffer.from(part as string)))

const good = withAmount('1')

/** Bodies of POST /payments that get 400 without a field, since nobody can tell what they were meant to be. */
const NO_OBJECTS = {
  nothing: ['', ' \r\n\t '],
  'no JSON': ['amount=19.90', good.replaceAll('"', "'"), good.replace('"amount"', 'amount'), withAmount('1 /* one */')],
  'not at its end': ['{"correlationId":"', good.slice(0, -1), withAmount('1,')],
  'more behind it': [`${good}x`, `${good}${withAmount('2')}`, `${good}\0`],
  'a byte order mark': [`\ufeff${good}`],
  'a character that has to be escaped': [withId(`"${ID}\0"`), withId(`"${ID}\n"`)],
  'no object': [`[${good}]`, ...words('"payment" 19.90 null true')],
  'no number of JSON': words('NaN Infinity -Infinity +1 01 .5 1. 19,90 0x10 1_000').map(withAmount),
  'nested too deep': [nested(16), nested(2_000), '['.repeat(2_000)]
}
const NO_TEXTS: [what: string, body: Buffer][] = [
  ['UTF-16', Buffer.from(good, 'utf16le')],
  ['invalid UTF-8', bytes('{"correlationId":"', [0xc3, 0x28], '","amount":1}')],
  ['a lone surrogate in UTF-8', bytes('{"x":"', [0xed, 0xa0, 0x80], '"}')]
]
const NO_ID_BODIES = {
  'no id': ['{}', '{"amount":19.90}', `{"correlationID":"${ID}","amount":19.90}`, `{"__proto__":${good}}`]
}
const BAD_IDS = {
  'another type': ['null', '7', 'true', `["${ID}"]`, '{}'],
  'not 36 characters': ['""', `"${ID.slice(1)}"`, `"${ID}0"`],
  'another form': [`"{${ID}}"`, `"urn:uuid:${ID}"`, `"${ID.replaceAll('-', '')}"`],
  'dashes elsewhere': ['"4a7901b87-d26-4d9d-aa19-4dc1c7cf60b3"'],
  'a digit that is not hex, or of another script': [`"${ID.replace('4a', '4g')}"`, `"${ID.replace('4a', '４a')}"`],
  'something around it': [`" ${ID} "`, `"${ID}\\n"`, `"${ID}\\u0000"`]
}
const BAD_AMOUNTS = {
  'another type': words('null "19.90" true [19.90] {"value":19.90}'),
  'not above 0': words('0 -0 0.00 -19.90 -1e999'),
  // Some are so in digits that no double tells.
  'a fraction of a cent': words('19.901 0.005 19.9000000000000000001 1e-7 1e-400'),
  'above the maximum': words(`1000000.01 1e15 9007199254740993 1e308 1e999 ${'9'.repeat(400)}`),
  'twice, the last one bad': ['1,"amount":-1']
}

const BAD_BODIES: BadRequest[] = [
  ...rows(NO_OBJECTS, post, 400),
  ...NO_TEXTS.map(([what, body]): BadRequest => [what, post(body), 400]),
  ...rows(NO_ID_BODIES, post, 400, { field: 'correlationId' }),
  ...rows(BAD_IDS, id => post(withId(id)), 400, { field: 'correlationId' }),
  ...rows({ 'no amount': [`{"correlationId":"${ID}"}`] }, post, 400, { field: 'amount' }),
  ...rows(BAD_AMOUNTS, amount => post(withAmount(amount)), 400, { field: 'amount' })
]

const BAD_TYPES = {
  empty: [''],
  'no JSON': words('text/plain application/x-www-form-urlencoded text/json application/problem+json'),
  'with a parameter': ['multipart/form-data; boundary=x', 'application/json; version=2'],
  'another character set': ['application/json; charset=iso-8859-1'],
  'two in one': ['application/json, text/plain']
}
/** Path, its one method, and others. */
const METHODS: [path: string, allow: string, others: string][] = [
  ['/payments', 'POST', 'GET HEAD OPTIONS PUT PATCH DELETE TRACE PAY post'],
  [`/payments/${ID}`, 'GET', 'POST DELETE HEAD'],
  ['/payments-summary', 'GET', 'POST DELETE HEAD OPTIONS'],
  ['/health', 'GET', 'POST HEAD']
]
const NO_PATHS = {
  unknown: words('/ /refunds /payments/ /admin/payments-summary'),
  'an id that nobody sent': [`/payments/${ID}`],
  'more behind it': ['/payments-summary/', '/health/', `/payments/${ID}/refunds`],
  'another spelling': words('//payments-summary /x/../payments-summary /%70ayments-summary /Payments-Summary'),
  'a purge, which is closed': ['/purge-payments']
}
const BAD_IDS_IN_PATHS = {
  'not 36 characters': [ID.slice(1), `${ID}0`, 'a'.repeat(3_000), '*'],
  'another form': [ID.replaceAll('-', ''), `%7B${ID}%7D`, `urn:uuid:${ID}`],
  'not hex': [ID.replace('4a', 'zz')]
}
const BAD_TIMES = {
  'no time': words('yesterday 2026-07-01 1782907200000 %zz'),
  'no zone, or another one': words('2026-07-01T12:00:00.000 2026-07-01T12:00:00.000%2B02:00'),
  'another form': words('2026-07-01%2012:00:00Z 2026-07-01T12:00:00.000000Z 2026-07-01T12:00Z'),
  'blanks around it': ['%202026-07-01T12:00:00.000Z%20'],
  'no such day': words('2026-02-30T00:00:00.000Z 2026-13-01T00:00:00.000Z 2027-02-29T00:00:00.000Z'),
  'no such hour or second': words('2026-07-01T24:00:00.000Z 2026-06-30T23:59:60.000Z'),
  'out of range': words('1969-12-31T23:59:59.999Z 10000-01-01T00:00:00.000Z')
}

const BAD_REQUESTS: BadRequest[] = [
  ['no body and no length', post(''), 400],
  ['one byte over the limit', post(sized(BODY_BYTES_MAX + 1)), 413],
  ['twenty times the limit', post(sized(20 * BODY_BYTES_MAX)), 413],
  ['a megabyte', post(sized(1_000_000)), 413],
  ['one byte over the limit, in chunks', chunked(sized(4_000), ' '.repeat(97)), 413],
  ['300 KB in chunks', chunked(...Array.from({ length: 60 }, () => ' '.repeat(5_000))), 413],
  ['a length and chunks, which count', post('0\r\n\r\n', 'Content-Length: 5', 'Transfer-Encoding: chunked'), 400],

  ['no content type', typed(), 415, { field: 'Content-Type' }],
  ...rows(BAD_TYPES, type => typed(`Content-Type: ${type}`), 415, { field: 'Content-Type' }),
  ...rows({ encoded: ['gzip', 'br'] }, encoding => typed(JSON_TYPE, `Content-Encoding: ${encoding}`), 415, {
    field: 'Content-Encoding'
  }),
  ...METHODS.flatMap(([path, allow, others]) =>
    rows({ [path]: words(others) }, method => requestBy(method, path), 405, { allow })
  ),
  ...rows(NO_PATHS, get, 404),
  ...rows({ posted: ['/refunds', '/payments/', '/purge-payments'] }, path => requestBy('POST', path), 404),
  ['a purge with a token', request('POST', '/purge-payments', ['Authorization: Bearer anything']), 404],
  ...rows(BAD_IDS_IN_PATHS, id => get(`/payments/${id}`), 400, { field: 'correlationId' }),
  ...rows(BAD_TIMES, from, 400, { field: 'from' }),
  ...rows(BAD_TIMES, time => get(`/payments-summary?from=2026-07-01T12:00:00.000Z&to=${time}`), 400, { field: 'to' }),
  ...rows({ 'to alone': ['tomorrow'] }, time => get(`/payments-summary?to=${time}`), 400, { field: 'to' }),
  ...rows({ 'from a millisecond after to': ['2026-07-01T12:00:00.001Z&to=2026-07-01T12:00:00.000Z'] }, from, 400, {
    field: 'from'
  })
]

const HEADERS = Array.from({ length: 150 }, (_, index) => `X-${index}: a`)
/**
 * What never reaches a handler, with the statuses that are right: refused as no HTTP by HAProxy, whose built-in answer
 * can't be changed, or by the gateways' HTTP library.
 */
const NO_REQUESTS: [what: string, bytes: Buffer | string, statuses: number[]][] = [
  ['no HTTP at all', 'hello\r\n\r\n', [400]],
  ['the start of TLS', Buffer.from('16030100020100', 'hex').toString('latin1') + '\r\n\r\n', [400]],
  ['two hosts', 'GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', [400]],
  ['a blank before the colon', 'GET /health HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n', [400]],
  ['a NUL byte in the path', 'GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n', [400]],
  ['a path that is not ASCII', Buffer.from('GET /zahlungen/ü HTTP/1.1\r\nHost: x\r\n\r\n'), [400]],
  ['a fragment in the path', get('/payments-summary#x'), [400]],
  ['two lengths', post('abcde', 'Content-Length: 4', 'Content-Length: 5'), [400]],
  ['a length below 0', post('{}', 'Content-Length: -1'), [400]],
  ['a length that is no number', post('{}', 'Content-Length: 2x'), [400]],
  ['a chunk size that is no number', post('zz\r\nabc\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'), [400]],
  ['an unknown transfer encoding', post('0\r\n\r\n', 'Transfer-Encoding: gzip, chunked'), [400, 422, 501]],
  ['20 KB of URL', get(`/health?${'a'.repeat(20_000)}`), [400, 414]],
  ['20 KB of headers', request('GET', '/health', [`X-A: ${'a'.repeat(20_000)}`]), [400, 431]],
  ['150 headers', request('GET', '/health', HEADERS), [400, 431]],
  ['10 KB of headers', request('GET', '/health', [`X-A: ${'a'.repeat(10_000)}`]), [431]],
  ['10 KB of URL', get(`/health?${'a'.repeat(10_000)}`), [414, 431]],
  ['HTTP/1.0', 'POST /payments HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n', [505]],
  ['a whole URL for a path', get('http://pipeline/health'), [400, 505]],
  ['OPTIONS *', request('OPTIONS', '*'), [400, 505]],
  ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n', [400, 405, 505]]
]

const inSegments = (bytes: Buffer, pattern: RegExp) => bytes.toString('latin1').match(pattern) ?? []
const HEAD_AND_BODY = /^[^]+?\r\n\r\n|[^]+$/g
/** Versions 1, 3, 5, 6, 7 and 8, all zeros, all ones, in capitals, and with an escape. */
const GOOD_IDS = words(
  'c232ab00-9414-11ec-b3c8-9f6bdeced846 5df41881-3aed-3515-88a7-2f4a814cf09e 2ed6657d-e927-568b-95e1-2665a8aea6a2 ' +
    '1ec9414c-232a-6b00-b3c8-9f6bdeced846 017f22e2-79b0-7cc3-98c4-dc0c0c07398f 320c3d4d-cc00-875b-8ec9-32d5f69181c0 ' +
    '00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff AAAABBBB-7D26-7D9D-AA19-4DC1C7CF60B3 ' +
    String.raw`\u0034a7901b8-1111-4d9d-aa19-4dc1c7cf60b3`
)
/** The smallest, the largest, other ways to write one, and one that has no exact double. */
const GOOD_AMOUNTS = words('0.01 1000000.00 20 1e2 1.99E+1 19.900000000 1.15')

/** Payments that are as good as any: 202. */
const GOOD_PAYMENTS: [what: string, request: Buffer | string[]][] = [
  ['the plain form', post(goodBody())],
  ...GOOD_IDS.map((id): [string, Buffer] => [id, post(withId(`"${id}"`))]),
  ...GOOD_AMOUNTS.map((amount): [string, Buffer] => [amount, post(goodBody().replace('19.90', amount))]),
  ['fields in the other order', post(`{"amount":1.00,"correlationId":"${randomUUID()}"}`)],
  ['unknown fields', post(`{"currency":"BRL","correlationId":"${randomUUID()}","amount":1.00,"tags":[{"a":null}]}`)],
  ['nested 16 levels', post(nested(15))],
  ['a name in Cyrillic', post(`{"кто":"мы","correlationId":"${randomUUID()}","amount":1.00}`)],
  ['blanks everywhere', post(` \r\n\t{ "correlationId" : "${randomUUID()}" ,\n "amount" :\t1.00 } \n`)],
  ['a body exactly at the limit', post(sized(BODY_BYTES_MAX))],
  ['a character set', typed('Content-Type: application/json; charset=utf-8')],
  ['a character set in capitals, without a blank', typed('Content-Type: Application/JSON;charset=UTF-8')],
  ['a character set in quotes', typed('Content-Type: application/json; charset="utf-8"')],
  ['a header name in lower case', typed('content-type: application/json')],
  ['a query, which means nothing', requestBy('POST', '/payments?retry=1')],
  ['3 KB of headers', post(goodBody(), `X-A: ${'a'.repeat(3_000)}`)],
  ['one chunk', chunked(goodBody())],
  ['a chunk for each character', chunked(...goodBody().split(/(?=.)/))],
  ['chunks exactly at the limit', chunked(...(sized(BODY_BYTES_MAX).match(/[^]{1,100}/g) ?? []))],
  ['segments of 10 bytes', inSegments(post(goodBody()), /[^]{1,10}/g)],
  ['header and body in two segments', inSegments(post(goodBody()), HEAD_AND_BODY)],
  ['Expect: 100-continue', inSegments(post(goodBody(), 'Expect: 100-continue'), HEAD_AND_BODY)]
]

/** Queries that are as good as any: 200. */
const GOOD_QUERIES: [what: string, path: string][] = [
  ['no range', '/payments-summary'],
  ['empty bounds', '/payments-summary?from=&to='],
  ['from alone', '/payments-summary?from=2026-07-01T12:00:00.000Z'],
  ['to alone', '/payments-summary?to=2026-07-01T12:00:00.000Z'],
  ['escaped colons', '/payments-summary?from=2026-07-01T12%3A00%3A00.000Z&to=2026-07-01T12%3A00%3A00.000Z'],
  ['without milliseconds', '/payments-summary?from=2026-07-01T12:00:00Z'],
  ['February 29 of a leap year', '/payments-summary?from=2028-02-29T00:00:00.000Z'],
  ['the widest range', '/payments-summary?from=1970-01-01T00:00:00.000Z&to=9999-12-31T23:59:59.999Z'],
  ['an unknown parameter', '/payments-summary?processor=default'],
  ['an id in capitals', '/payments/AAAABBBB-7D26-7D9D-AA19-4DC1C7CF60B3'],
  ['an id in lower case that was sent in capitals', '/payments/aaaabbbb-7d26-7d9d-aa19-4dc1c7cf60b3'],
  ['health', '/health']
]

// ---- what is checked -----------------------------------------------------------------------------

async function books(): Promise<unknown> {
  const [queued, inFlight, deadLetters, ids, summary] = await Promise.all([
    redis.xlen(keys.queue),
    redis.hlen(keys.inFlight),
    redis.xlen(keys.deadLetters),
    redis.keys(keys.idsPattern),
    pipeline.summary()
  ])
  return { queued, inFlight, deadLetters, ids: ids.length, summary }
}

/** What is wrong with a refusal; '' when it is as it has to be. */
function faultOf(
  reply: RawReply,
  status: number,
  { field, allow }: { field?: string; allow?: string },
  isHead: boolean
): string {
  if (reply.status !== status) return `status ${reply.status}`
  if (reply.headers['content-type'] !== 'application/problem+json')
    return `content type ${reply.headers['content-type']}`
  if (reply.headers.allow !== allow) return `Allow: ${reply.headers.allow}`
  if (isHead) return reply.body === '' ? '' : 'a body after HEAD'
  const problem = JSON.parse(reply.body) as Record<string, unknown>
  const isProblem = problem.type === 'about:blank' && typeof problem.title === 'string' && problem.status === status
  if (!isProblem || typeof problem.detail !== 'string' || problem.detail.length < 10)
    return `not a problem: ${reply.body}`
  return problem.field === field ? '' : `field ${String(problem.field)}`
}

/** Sends each row; returns those that went wrong, so that a failure shows all of them. */
async function faultsIn<Row extends [string, ...unknown[]]>(
  rows: readonly Row[],
  faultIn: (row: Row) => Promise<string>
): Promise<string[]> {
  const faults: string[] = []
  for (const row of rows) {
    const fault = await faultIn(row).catch((error: unknown) => String(error))
    if (fault !== '') faults.push(`${row[0]}: ${fault}`)
  }
  return faults
}

/** A test that must leave the books as they are. */
function testWithoutTrace(title: string, run: () => Promise<void>): void {
  test(title, async () => {
    const before = await books()
    await run()
    assert.deepEqual(await books(), before)
  })
}

async function assertRefused(rows: readonly BadRequest[]): Promise<void> {
  const faults = await faultsIn(rows, async ([, bytes, status, expected = {}]) => {
    const isHead = bytes.toString('latin1').startsWith('HEAD ')
    return faultOf(await sendRaw(port, bytes, isHead), status, expected, isHead)
  })
  assert.deepEqual(faults, [])
}

testWithoutTrace(`${BAD_BODIES.length} bad bodies get 400 and name the field`, () => assertRefused(BAD_BODIES))

testWithoutTrace(`${BAD_REQUESTS.length} bad requests get the status that says what is wrong`, () =>
  assertRefused(BAD_REQUESTS)
)

testWithoutTrace(
  `${NO_REQUESTS.length} inputs that are no requests are refused before a handler sees them`,
  async () => {
    const faults = await faultsIn(NO_REQUESTS, async ([, bytes, statuses]) => {
      const { status } = await sendRaw(port, bytes)
      return statuses.includes(status) ? '' : `status ${status}`
    })
    assert.deepEqual(faults, [])
  }
)

testWithoutTrace("half a request gets 408 after HAProxy's 5 seconds", async () => {
  const half = post(goodBody()).toString('latin1').slice(0, -10)
  const { status, headers, body } = await sendRaw(port, half)
  assert.deepEqual([status, headers['content-type']], [408, 'application/problem+json'], body)
})

testWithoutTrace('what is left of a refused body is never taken for a request', async () => {
  // If a gateway stopped reading in the middle, the next thing on that connection would be a good payment.
  const hidden = post(goodBody()).toString('latin1')
  const bodies = Array.from({ length: 20 }, (_, index) => ' '.repeat(index * 97) + hidden.repeat(100))
  const replies = await Promise.all(bodies.map(body => sendRaw(port, post(body))))
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([413]))
  const others = await Promise.all(Array.from({ length: 50 }, () => sendRaw(port, get('/health'))))
  assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([200]))
})

test(`${GOOD_PAYMENTS.length} good payments are accepted and settled, ${GOOD_QUERIES.length} queries answered`, async () => {
  const before = await pipeline.summary()
  assert.deepEqual(
    await faultsIn(GOOD_PAYMENTS, async ([, bytes]) => {
      const { status, body } = await sendRaw(port, bytes)
      return status === 202 ? '' : `status ${status} ${body}`
    }),
    []
  )
  await pipeline.untilSettled()
  const after = await pipeline.summary()
  assert.equal(after.default.requests - before.default.requests, GOOD_PAYMENTS.length)

  assert.deepEqual(
    await faultsIn(GOOD_QUERIES, async ([, path]) => {
      const { status, headers, body } = await sendRaw(port, get(path))
      return status === 200 && headers['content-type'] === 'application/json' ? '' : `status ${status} ${body}`
    }),
    []
  )
})

const TARGETS = [
  ['POST', '/payments'],
  ['GET', '/health'],
  ['PUT', '/refunds'],
  ['GET', '/dashboard'],
  ['GET', '/dashboard/page.js']
] as const
/** How a request may say twice where its body ends, with what a gateway could take for all of that body. */
const TWO_ENDS: [what: string, headers: string[], body: string][] = [
  ['a short length, then a long one', ['Content-Length: 2', 'Content-Length: 4000'], '{}'],
  ['the same length twice', ['Content-Length: 2', 'content-length: 2'], '{}'],
  ['no length, then a long one', ['Content-Length:', 'Content-Length: 4000'], ''],
  ['length 0, then a long one', ['Content-Length: 0', 'Content-Length: 4000'], ''],
  ['chunks in another encoding', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
  ['no chunks, by the last encoding', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'],
  ['two encodings', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], '0\r\n\r\n'],
  ['an encoding that nobody knows', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
  ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 4000'], '0\r\n\r\n']
]

testWithoutTrace(
  'a gateway that is asked past HAProxy runs no request that hides behind another with two ends',
  async () => {
    const socketPath = join(dirname(stack.redisPath), 'gateway-1.sock')
    const hidden = post(goodBody(), 'Connection: close')
    const rows = TWO_ENDS.flatMap(([what, headers, body]) =>
      TARGETS.map(([method, path]): [string, Buffer] => [
        `${method} ${path}, ${what}`,
        request(method, path, [JSON_TYPE, ...headers], body)
      ])
    )
    const faults = await faultsIn(rows, async ([, bytes]) => {
      // Hidden in the same segment it is cut off with the rest of its connection, perhaps before the answer.
      const withHidden = await readStatuses(socketPath, Buffer.concat([bytes, hidden]))
      if (withHidden.some(status => status !== 400) || withHidden.length > 1) return `statuses ${withHidden.join()}`
      // With nothing behind it it is told what is wrong.
      const alone = await readStatuses(socketPath, bytes)
      return alone.join() === '400' ? '' : `alone: statuses ${alone.join()}`
    })
    assert.deepEqual(faults, [])
    // That it closes what is clear as well would prove nothing.
    const clear = Buffer.concat([post('{}'), get('/health'), request('GET', '/', ['Connection: close'])])
    assert.deepEqual(await readStatuses(socketPath, clear), [400, 200, 404])
  }
)
