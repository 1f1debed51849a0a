import { lstatSync, unlinkSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { Address } from '../../environment.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from './metrics.ts'

export type MetricsServer = { close: () => Promise<void> }

/** Another page of the same address. */
export type Page = { contentType: string; render: () => Promise<string> }

/**
 * Serves the metrics of a process at an address of their own, so that nothing of them can be reached where clients
 * connect.
 *
 * @param pages path → what else is served there
 * @throws when the address is taken or not permitted
 */
export async function serveMetrics(
  address: Address,
  metrics: Metrics,
  log: Log,
  pages: Record<string, Page> = {}
): Promise<MetricsServer> {
  const all: Record<string, Page | undefined> = {
    ...pages,
    '/metrics': { contentType: metrics.contentType, render: metrics.render }
  }
  const answer = async (page: Page, response: ServerResponse) => {
    try {
      const body = await page.render()
      response.writeHead(200, { 'Content-Type': page.contentType, 'Cache-Control': 'no-store' }).end(body)
    } catch (error) {
      log.error({ err: error }, 'metrics failed')
      response.writeHead(500).end()
    }
  }
  const server = createServer((request, response) => {
    const page = all[(request.url ?? '').split('?')[0] ?? '']
    if (page === undefined) response.writeHead(404).end()
    else if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { Allow: 'GET' }).end()
    else void answer(page, response)
  })
  if (address.kind === 'unix') removeSocket(address.path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (address.kind === 'unix') server.listen(address.path, resolve)
    else server.listen(address.port, address.host, resolve)
  })
  // It is no reason to keep a process that has nothing else to do.
  server.unref()
  return {
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

/** What a killed process left behind. */
function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path)
}
