/**
 * The system under test, as k6 sees it: a backend and the two processors behind it, and their books. Used by all
 * scripts for k6; reads its addresses from BACKEND_URL, DEFAULT_PROCESSOR_URL, FALLBACK_PROCESSOR_URL and TOKEN.
 */
import http from 'k6/http'
import { sleep } from 'k6'
import { PROCESSOR_NAMES } from '../../../shared/payment.ts'
import { totalsOf } from '../../support/books.ts'
import { readUrl } from './parameters.ts'

export const backendUrl = readUrl(__ENV, 'BACKEND_URL', 'http://localhost:9999')
const processorUrls = {
  default: readUrl(__ENV, 'DEFAULT_PROCESSOR_URL', 'http://localhost:8001'),
  fallback: readUrl(__ENV, 'FALLBACK_PROCESSOR_URL', 'http://localhost:8002')
}
const token = __ENV.TOKEN || '123'

// A client has to give up some time, and the run has to end: what is open then counts as failed.
export const PAYMENT_TIMEOUT_MS = 10_000
const BOOKS_TIMEOUT_MS = 5_000

/** Posts a payment under an id that nobody has used. */
export function postPayment(cents) {
  const body = JSON.stringify({ correlationId: globalThis.crypto.randomUUID(), amount: cents / 100 })
  return http.post(`${backendUrl}/payments`, body, {
    headers: { 'Content-Type': 'application/json' },
    timeout: PAYMENT_TIMEOUT_MS
  })
}

/** A call of a processor's admin API, for http.batch(). */
export function adminCall(name, method, path, body, timeoutMs) {
  const headers = { 'X-Rinha-Token': token, 'Content-Type': 'application/json' }
  const text = body === undefined ? null : JSON.stringify(body)
  return { method, url: `${processorUrls[name]}/admin/${path}`, body: text, params: { headers, timeout: timeoutMs } }
}

/** @throws when the processor does not answer with 2xx */
export function admin(name, method, path, body) {
  const call = adminCall(name, method, path, body, 10_000)
  const response = http.request(call.method, call.url, call.body, call.params)
  if (!isSuccess(response)) throw new Error(`${method} ${call.url}: ${describe(response)}`)
  return parse(response)
}

/** Asks all three for their books at the same moment, over a range of time ("from=…&to=…") or over everything. */
export function askForBooks(range = '', timeoutMs = BOOKS_TIMEOUT_MS) {
  return http.batch({
    backend: { method: 'GET', url: `${backendUrl}/payments-summary?${range}`, params: { timeout: timeoutMs } },
    default: adminCall('default', 'GET', `payments-summary?${range}`, undefined, timeoutMs),
    fallback: adminCall('fallback', 'GET', `payments-summary?${range}`, undefined, timeoutMs)
  })
}

/**
 * The answers to askForBooks() in whole cents.
 * @throws Error that says who did not answer as it should, and what to do about it
 */
export function readBooks(responses) {
  const { backend } = responses
  if (!isSuccess(backend)) {
    throw new Error(
      `the backend at ${backendUrl} does not tell its books (${describe(backend)}): ` +
        'start it, or name another one with -e BACKEND_URL=…'
    )
  }
  for (const name of PROCESSOR_NAMES) {
    if (isSuccess(responses[name])) continue
    const advice =
      responses[name].status === 401
        ? 'give its X-Rinha-Token with -e TOKEN=…'
        : `name the backend's ${name} processor with -e ${name.toUpperCase()}_PROCESSOR_URL=…`
    throw new Error(
      `the ${name} processor at ${processorUrls[name]} does not tell its books ` +
        `(${describe(responses[name])}), and without them the backend's can't be checked: ${advice}`
    )
  }
  const ours = parse(backend)
  return {
    processors: {
      default: totalsOf(parse(responses.default), `the default processor at ${processorUrls.default}`),
      fallback: totalsOf(parse(responses.fallback), `the fallback processor at ${processorUrls.fallback}`)
    },
    backend: {
      default: totalsOf(ours?.default, `the backend at ${backendUrl}`),
      fallback: totalsOf(ours?.fallback, `the backend at ${backendUrl}`)
    }
  }
}

/** Undefined when it is no JSON. */
function parse(response) {
  try {
    return response.json()
  } catch {
    return undefined
  }
}

export function isSuccess(response) {
  return response.status >= 200 && response.status <= 299
}

/** Why a response is no success. */
export function describe(response) {
  return response.status === 0 ? response.error : `status ${response.status}`
}

/** False when k6 was stopped meanwhile: it cuts sleeps short, but lets the function go on. */
export function sleepUntil(timeMs) {
  const waitMs = timeMs - Date.now()
  if (waitMs > 0) sleep(waitMs / 1000)
  // A timer may end a little early all the same.
  return Date.now() >= timeMs - 20
}
