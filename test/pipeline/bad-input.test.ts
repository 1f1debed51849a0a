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
const to = (text: string) => get(`/payments-summary?to=${text}`)

// ---- tables --------------------------------------------------------------------------------------

type BadBody = [what: string, body: string | Buffer, field?: 'correlationId' | 'amount']

/** Bodies of POST /payments that get 400, and the field that the problem names. */
const BAD_BODIES: BadBody[] = [
  ['nothing', ''],
  ['blanks only', ' \r\n\t '],
  ['no JSON', 'amount=19.90'],
  ['half an object', '{"correlationId":"'],
  ['no closing brace', withAmount('1').slice(0, -1)],
  ['single quotes', withAmount('1').replaceAll('"', "'")],
  ['a trailing comma', withAmount('1,')],
  ['a comment', withAmount('1 /* one */')],
  ['a name without quotes', withAmount('1').replace('"amount"', 'amount')],
  ['trailing garbage', `${withAmount('1')}x`],
  ['two objects', `${withAmount('1')}${withAmount('2')}`],
  ['a byte order mark', `\ufeff${withAmount('1')}`],
  ['UTF-16', Buffer.from(withAmount('1'), 'utf16le')],
  [
    'invalid UTF-8',
    Buffer.concat([Buffer.from('{"correlationId":"'), Buffer.from([0xc3, 0x28]), Buffer.from('","amount":1}')])
  ],
  [
    'a lone surrogate in UTF-8',
    Buffer.concat([Buffer.from(`{"x":"`), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')])
  ],
  ['a NUL byte at the end', `${withAmount('1')}\0`],
  ['a NUL byte in a text', withId(`"${ID}\0"`)],
  ['a line break in a text', withId(`"${ID}\n"`)],
  ['an array', `[${withAmount('1')}]`],
  ['a text', '"payment"'],
  ['a number', '19.90'],
  ['null', 'null'],
  ['true', 'true'],
  ['nested 17 levels', nested(16)],
  ['nested 2000 levels', nested(2_000)],
  ['2000 open brackets', '['.repeat(2_000)],

  ['an empty object', '{}', 'correlationId'],
  ['no correlationId', '{"amount":19.90}', 'correlationId'],
  ['correlationId of another case', `{"correlationID":"${ID}","amount":19.90}`, 'correlationId'],
  ['correlationId in a prototype', `{"__proto__":{"correlationId":"${ID}","amount":1}}`, 'correlationId'],
  ['correlationId null', withId('null'), 'correlationId'],
  ['correlationId a number', withId('7'), 'correlationId'],
  ['correlationId a boolean', withId('true'), 'correlationId'],
  ['correlationId an array', withId(`["${ID}"]`), 'correlationId'],
  ['correlationId an object', withId('{}'), 'correlationId'],
  ['correlationId empty', withId('""'), 'correlationId'],
  ['35 characters', withId(`"${ID.slice(1)}"`), 'correlationId'],
  ['37 characters', withId(`"${ID}0"`), 'correlationId'],
  ['braces', withId(`"{${ID}}"`), 'correlationId'],
  ['a URN', withId(`"urn:uuid:${ID}"`), 'correlationId'],
  ['no dashes', withId(`"${ID.replaceAll('-', '')}"`), 'correlationId'],
  ['dashes elsewhere', withId('"4a7901b87-d26-4d9d-aa19-4dc1c7cf60b3"'), 'correlationId'],
  ['a digit that is not hex', withId(`"${ID.replace('4a', '4g')}"`), 'correlationId'],
  ['a digit of another script', withId(`"${ID.replace('4a', '４a')}"`), 'correlationId'],
  ['blanks around it', withId(`" ${ID} "`), 'correlationId'],
  ['an escaped line break after it', withId(`"${ID}\\n"`), 'correlationId'],
  ['an escaped NUL after it', withId(`"${ID}\\u0000"`), 'correlationId'],

  ['no amount', `{"correlationId":"${ID}"}`, 'amount'],
  ['amount null', withAmount('null'), 'amount'],
  ['amount a text', withAmount('"19.90"'), 'amount'],
  ['amount a boolean', withAmount('true'), 'amount'],
  ['amount an array', withAmount('[19.90]'), 'amount'],
  ['amount an object', withAmount('{"value":19.90}'), 'amount'],
  ['0', withAmount('0'), 'amount'],
  ['-0', withAmount('-0'), 'amount'],
  ['0.00', withAmount('0.00'), 'amount'],
  ['less than nothing', withAmount('-19.90'), 'amount'],
  ['three decimals', withAmount('19.901'), 'amount'],
  ['half a cent', withAmount('0.005'), 'amount'],
  ['a fraction of a cent that no double tells', withAmount('19.9000000000000000001'), 'amount'],
  ['1e-7', withAmount('1e-7'), 'amount'],
  ['1e-400, which is 0', withAmount('1e-400'), 'amount'],
  ['a cent above the maximum', withAmount('1000000.01'), 'amount'],
  ['1e15', withAmount('1e15'), 'amount'],
  ['more than 2^53', withAmount('9007199254740993'), 'amount'],
  ['1e308', withAmount('1e308'), 'amount'],
  ['1e999, which is infinite', withAmount('1e999'), 'amount'],
  ['-1e999', withAmount('-1e999'), 'amount'],
  ['400 digits', withAmount('9'.repeat(400)), 'amount'],
  ['amount twice, the last one bad', withAmount('1,"amount":-1'), 'amount'],

  ['NaN', withAmount('NaN')],
  ['Infinity', withAmount('Infinity')],
  ['-Infinity', withAmount('-Infinity')],
  ['a plus sign', withAmount('+1')],
  ['a leading zero', withAmount('01')],
  ['no digit before the point', withAmount('.5')],
  ['no digit after the point', withAmount('1.')],
  ['a decimal comma', withAmount('19,90')],
  ['hexadecimal', withAmount('0x10')],
  ['a digit separator', withAmount('1_000')]
]

type BadRequest = [what: string, request: Buffer, status: number, expected?: { field?: string; allow?: string }]
const FIELD_TYPE = { field: 'Content-Type' }
const FIELD_ENCODING = { field: 'Content-Encoding' }
const FIELD_ID = { field: 'correlationId' }
const FIELD_FROM = { field: 'from' }
const FIELD_TO = { field: 'to' }
const allow = (...methods: string[]) => ({ allow: methods.join(', ') })

const BAD_REQUESTS: BadRequest[] = [
  ['no body and no length', post(''), 400],
  ['one byte over the limit', post(sized(BODY_BYTES_MAX + 1)), 413],
  ['twenty times the limit', post(sized(20 * BODY_BYTES_MAX)), 413],
  ['a megabyte', post(sized(1_000_000)), 413],
  ['one byte over the limit, in chunks', chunked(sized(4_000), ' '.repeat(97)), 413],
  ['300 KB in chunks', chunked(...Array.from({ length: 60 }, () => ' '.repeat(5_000))), 413],
  [
    'both lengths, of which the chunks count',
    post('0\r\n\r\n', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
    400
  ],

  ['no content type', typed(), 415, FIELD_TYPE],
  ['an empty content type', typed('Content-Type:'), 415, FIELD_TYPE],
  ['text/plain', typed('Content-Type: text/plain'), 415, FIELD_TYPE],
  ['a form', typed('Content-Type: application/x-www-form-urlencoded'), 415, FIELD_TYPE],
  ['multipart', typed('Content-Type: multipart/form-data; boundary=x'), 415, FIELD_TYPE],
  ['text/json', typed('Content-Type: text/json'), 415, FIELD_TYPE],
  ['problem JSON', typed('Content-Type: application/problem+json'), 415, FIELD_TYPE],
  ['another character set', typed('Content-Type: application/json; charset=iso-8859-1'), 415, FIELD_TYPE],
  ['an unknown parameter', typed('Content-Type: application/json; version=2'), 415, FIELD_TYPE],
  ['two types in one', typed('Content-Type: application/json, text/plain'), 415, FIELD_TYPE],
  ['gzip', typed(JSON_TYPE, 'Content-Encoding: gzip'), 415, FIELD_ENCODING],
  ['br', typed(JSON_TYPE, 'Content-Encoding: br'), 415, FIELD_ENCODING],

  ['GET /payments', get('/payments'), 405, allow('POST')],
  ['HEAD /payments', request('HEAD', '/payments'), 405, allow('POST')],
  ['OPTIONS /payments', request('OPTIONS', '/payments'), 405, allow('POST')],
  ['PUT /payments', request('PUT', '/payments', [JSON_TYPE], goodBody()), 405, allow('POST')],
  ['PATCH /payments', request('PATCH', '/payments', [JSON_TYPE], goodBody()), 405, allow('POST')],
  ['DELETE /payments', request('DELETE', '/payments'), 405, allow('POST')],
  ['TRACE /payments', request('TRACE', '/payments'), 405, allow('POST')],
  ['an invented method', request('PAY', '/payments'), 405, allow('POST')],
  ['a method in lower case', request('post', '/payments', [JSON_TYPE], goodBody()), 405, allow('POST')],
  ['POST /payments/{id}', request('POST', `/payments/${ID}`, [JSON_TYPE], goodBody()), 405, allow('GET')],
  ['DELETE /payments/{id}', request('DELETE', `/payments/${ID}`), 405, allow('GET')],
  ['HEAD /payments/{id}', request('HEAD', `/payments/${ID}`), 405, allow('GET')],
  ['POST /payments-summary', request('POST', '/payments-summary', [JSON_TYPE], '{}'), 405, allow('GET')],
  ['DELETE /payments-summary', request('DELETE', '/payments-summary'), 405, allow('GET')],
  ['HEAD /payments-summary', request('HEAD', '/payments-summary'), 405, allow('GET')],
  ['OPTIONS /payments-summary', request('OPTIONS', '/payments-summary'), 405, allow('GET')],
  ['POST /health', request('POST', '/health', [JSON_TYPE], '{}'), 405, allow('GET')],
  ['HEAD /health', request('HEAD', '/health'), 405, allow('GET')],

  ['/', get('/'), 404],
  ['an unknown path', get('/refunds'), 404],
  ['an unknown path, posted', request('POST', '/refunds', [JSON_TYPE], goodBody()), 404],
  ['a trailing slash, posted', request('POST', '/payments/', [JSON_TYPE], goodBody()), 404],
  ['/payments-summary/', get('/payments-summary/'), 404],
  ['/health/', get('/health/'), 404],
  ['/payments/ without an id', get('/payments/'), 404],
  ['more after the id', get(`/payments/${ID}/refunds`), 404],
  ['two slashes', get('//payments-summary'), 404],
  ['dots in the path', get('/x/../payments-summary'), 404],
  ['an escaped path', get('/%70ayments-summary'), 404],
  ['a path in capitals', get('/Payments-Summary'), 404],
  ["the processors' admin path", get('/admin/payments-summary'), 404],
  ['a purge, which is closed', request('POST', '/purge-payments'), 404],
  ['a purge with a token', request('POST', '/purge-payments', ['Authorization: Bearer anything']), 404],
  ['GET on the closed purge', get('/purge-payments'), 404],

  ['an id that nobody sent', get(`/payments/${ID}`), 404],
  ['an id of 35 characters', get(`/payments/${ID.slice(1)}`), 400, FIELD_ID],
  ['an id of 37 characters', get(`/payments/${ID}0`), 400, FIELD_ID],
  ['an id without dashes', get(`/payments/${ID.replaceAll('-', '')}`), 400, FIELD_ID],
  ['an id in braces', get(`/payments/%7B${ID}%7D`), 400, FIELD_ID],
  ['an id as a URN', get(`/payments/urn:uuid:${ID}`), 400, FIELD_ID],
  ['an id that is not hex', get(`/payments/${ID.replace('4a', 'zz')}`), 400, FIELD_ID],
  ['an id with a wildcard', get('/payments/*'), 400, FIELD_ID],
  ['an id of 3000 characters', get(`/payments/${'a'.repeat(3_000)}`), 400, FIELD_ID],

  ['from: no time', from('yesterday'), 400, FIELD_FROM],
  ['from: a date alone', from('2026-07-01'), 400, FIELD_FROM],
  ['from: no zone', from('2026-07-01T12:00:00.000'), 400, FIELD_FROM],
  ['from: another zone', from('2026-07-01T12:00:00.000%2B02:00'), 400, FIELD_FROM],
  ['from: a blank for the T', from('2026-07-01%2012:00:00Z'), 400, FIELD_FROM],
  ['from: microseconds', from('2026-07-01T12:00:00.000000Z'), 400, FIELD_FROM],
  ['from: no seconds', from('2026-07-01T12:00Z'), 400, FIELD_FROM],
  ['from: milliseconds since 1970', from('1782907200000'), 400, FIELD_FROM],
  ['from: February 30', from('2026-02-30T00:00:00.000Z'), 400, FIELD_FROM],
  ['from: month 13', from('2026-13-01T00:00:00.000Z'), 400, FIELD_FROM],
  ['from: hour 24', from('2026-07-01T24:00:00.000Z'), 400, FIELD_FROM],
  ['from: second 60', from('2026-06-30T23:59:60.000Z'), 400, FIELD_FROM],
  ['from: before 1970', from('1969-12-31T23:59:59.999Z'), 400, FIELD_FROM],
  ['from: year 10000', from('10000-01-01T00:00:00.000Z'), 400, FIELD_FROM],
  ['from: a broken escape', from('%zz'), 400, FIELD_FROM],
  ['from: blanks around', from('%202026-07-01T12:00:00.000Z%20'), 400, FIELD_FROM],
  ['to: no time', to('tomorrow'), 400, FIELD_TO],
  ['to: February 29 of no leap year', to('2027-02-29T00:00:00.000Z'), 400, FIELD_TO],
  ['from good, to bad', get('/payments-summary?from=2026-07-01T12:00:00.000Z&to=x'), 400, FIELD_TO],
  ['from a millisecond after to', from('2026-07-01T12:00:00.001Z&to=2026-07-01T12:00:00.000Z'), 400, FIELD_FROM]
]

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
  [
    '150 headers',
    request(
      'GET',
      '/health',
      Array.from({ length: 150 }, (_, index) => `X-${index}: a`)
    ),
    [400, 431]
  ],
  ['10 KB of headers', request('GET', '/health', [`X-A: ${'a'.repeat(10_000)}`]), [431]],
  ['10 KB of URL', get(`/health?${'a'.repeat(10_000)}`), [414, 431]],
  ['HTTP/1.0', 'POST /payments HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n', [505]],
  ['a whole URL for a path', get('http://pipeline/health'), [400, 505]],
  ['OPTIONS *', request('OPTIONS', '*'), [400, 505]],
  ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n', [400, 405, 505]]
]

type GoodPayment = [what: string, request: Buffer | string[]]
const V7_TAIL = '-7d26-7d9d-aa19-4dc1c7cf60b3'
const uuid = (head: string, tail: string) => post(withId(JSON.stringify(head + tail)))

/** Payments that are as good as any: 202. */
const GOOD_PAYMENTS: GoodPayment[] = [
  ['the plain form', post(goodBody())],
  ['UUID of version 1', uuid('c232ab00', '-9414-11ec-b3c8-9f6bdeced846')],
  ['UUID of version 3', uuid('5df41881', '-3aed-3515-88a7-2f4a814cf09e')],
  ['UUID of version 5', uuid('2ed6657d', '-e927-568b-95e1-2665a8aea6a2')],
  ['UUID of version 6', uuid('1ec9414c', '-232a-6b00-b3c8-9f6bdeced846')],
  ['UUID of version 7', uuid('017f22e2', '-79b0-7cc3-98c4-dc0c0c07398f')],
  ['UUID of version 8', uuid('320c3d4d', '-cc00-875b-8ec9-32d5f69181c0')],
  ['the UUID that is 0', uuid('00000000', '-0000-0000-0000-000000000000')],
  ['the UUID that is all ones', uuid('ffffffff', '-ffff-ffff-ffff-ffffffffffff')],
  ['a UUID in capitals', uuid('AAAABBBB', V7_TAIL.toUpperCase())],
  ['an escaped UUID', post(withId(`"\\u0034a7901b8-1111-4d9d-aa19-4dc1c7cf60b3"`))],
  ['the smallest amount', post(goodBody().replace('19.90', '0.01'))],
  ['the largest amount', post(goodBody().replace('19.90', '1000000.00'))],
  ['a whole number', post(goodBody().replace('19.90', '20'))],
  ['1e2', post(goodBody().replace('19.90', '1e2'))],
  ['1.99E+1', post(goodBody().replace('19.90', '1.99E+1'))],
  ['many zeros', post(goodBody().replace('19.90', '19.900000000'))],
  ['an amount that has no exact double', post(goodBody().replace('19.90', '1.15'))],
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
  ['a query, which means nothing', request('POST', '/payments?retry=1', [JSON_TYPE], goodBody())],
  ['3 KB of headers', post(goodBody(), `X-A: ${'a'.repeat(3_000)}`)],
  ['one chunk', chunked(goodBody())],
  ['a chunk for each character', chunked(...goodBody().split(/(?=.)/))],
  ['chunks exactly at the limit', chunked(...(sized(BODY_BYTES_MAX).match(/[^]{1,100}/g) ?? []))],
  [
    'segments of 10 bytes',
    post(goodBody())
      .toString('latin1')
      .match(/[^]{1,10}/g) ?? []
  ],
  [
    'header and body in two segments',
    post(goodBody())
      .toString('latin1')
      .split(/(?<=\r\n\r\n)/)
  ],
  [
    'Expect: 100-continue',
    post(goodBody(), 'Expect: 100-continue')
      .toString('latin1')
      .split(/(?<=\r\n\r\n)/)
  ]
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
  ['an id in capitals', `/payments/AAAABBBB${V7_TAIL.toUpperCase()}`],
  ['an id in lower case that was sent in capitals', `/payments/aaaabbbb${V7_TAIL}`],
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

test(`${BAD_BODIES.length} bad bodies get 400 and name the field`, async () => {
  const before = await books()
  assert.deepEqual(
    await faultsIn(BAD_BODIES, async ([, body, field]) =>
      faultOf(await sendRaw(port, post(body)), 400, field === undefined ? {} : { field }, false)
    ),
    []
  )
  assert.deepEqual(await books(), before)
})

test(`${BAD_REQUESTS.length} bad requests get the status that says what is wrong`, async () => {
  const before = await books()
  assert.deepEqual(
    await faultsIn(BAD_REQUESTS, async ([, bytes, status, expected = {}]) => {
      const isHead = bytes.toString('latin1').startsWith('HEAD ')
      return faultOf(await sendRaw(port, bytes, isHead), status, expected, isHead)
    }),
    []
  )
  assert.deepEqual(await books(), before)
})

test(`${NO_REQUESTS.length} inputs that are no requests are refused before a handler sees them`, async () => {
  const before = await books()
  assert.deepEqual(
    await faultsIn(NO_REQUESTS, async ([, bytes, statuses]) => {
      const { status } = await sendRaw(port, bytes)
      return statuses.includes(status) ? '' : `status ${status}`
    }),
    []
  )
  assert.deepEqual(await books(), before)
})

test("half a request gets 408 after HAProxy's 5 seconds, and changes nothing", async () => {
  const before = await books()
  const half = post(goodBody()).toString('latin1').slice(0, -10)
  const { status, headers, body } = await sendRaw(port, half)
  assert.deepEqual([status, headers['content-type']], [408, 'application/problem+json'], body)
  assert.deepEqual(await books(), before)
})

test('what is left of a refused body is never taken for a request', async () => {
  const before = await books()
  // If a gateway stopped reading in the middle, the next thing on that connection would be a good payment.
  const hidden = post(goodBody()).toString('latin1')
  const bodies = Array.from({ length: 20 }, (_, index) => ' '.repeat(index * 97) + hidden.repeat(100))
  const replies = await Promise.all(bodies.map(body => sendRaw(port, post(body))))
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([413]))
  const others = await Promise.all(Array.from({ length: 50 }, () => sendRaw(port, get('/health'))))
  assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([200]))
  assert.deepEqual(await books(), before)
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

test('a gateway that is asked past HAProxy runs no request that hides behind another with two ends', async () => {
  const before = await books()
  const socketPath = join(dirname(stack.redisPath), 'gateway-1.sock')
  const hidden = post(goodBody(), 'Connection: close')
  const targets = [
    ['POST', '/payments'],
    ['GET', '/health'],
    ['PUT', '/refunds'],
    ['GET', '/dashboard'],
    ['GET', '/dashboard/page.js']
  ] as const
  const rows = TWO_ENDS.flatMap(([what, headers, body]) =>
    targets.map(
      ([method, path]) =>
        [`${method} ${path}, ${what}`, request(method, path, [JSON_TYPE, ...headers], body)] as [string, Buffer]
    )
  )
  // Hidden in the same segment it is cut off with the rest of its connection, perhaps before the answer.
  assert.deepEqual(
    await faultsIn(rows, async ([, bytes]) => {
      const statuses = await readStatuses(socketPath, Buffer.concat([bytes, hidden]))
      return statuses.some(status => status !== 400) || statuses.length > 1 ? `statuses ${statuses.join()}` : ''
    }),
    []
  )
  // With nothing behind it it is told what is wrong.
  assert.deepEqual(
    await faultsIn(rows, async ([, bytes]) => {
      const statuses = await readStatuses(socketPath, bytes)
      return statuses.join() === '400' ? '' : `statuses ${statuses.join()}`
    }),
    []
  )
  assert.deepEqual(await books(), before)
  // That it closes what is clear as well would prove nothing.
  assert.deepEqual(
    await readStatuses(
      socketPath,
      Buffer.concat([post('{}'), get('/health'), request('GET', '/', ['Connection: close'])])
    ),
    [400, 200, 404]
  )
})
