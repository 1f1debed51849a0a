import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export type PageFile = { contentType: string; gzipped: Buffer }

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

const PAGE = new URL('./page/', import.meta.url)
/** The chart library's, under the names by which the page asks for them. */
const LIBRARY = { 'uplot.js': 'uplot/dist/uPlot.iife.min.js', 'uplot.css': 'uplot/dist/uPlot.min.css' }

/**
 * All files of the page by name. Gzipped and kept: 35 KB or so, and slow readers hold little of a gateway's memory.
 * Browsers take them so; for others they are unpacked.
 *
 * @throws when one can't be read
 */
export async function readPageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const own = (await readdir(PAGE)).map(name => [name, new URL(name, PAGE)] as const)
  const library = Object.entries(LIBRARY).map(
    ([name, specifier]) => [name, new URL(import.meta.resolve(specifier))] as const
  )
  const served = [...own, ...library].filter(([name]) => extname(name) in CONTENT_TYPES)
  return new Map(
    await Promise.all(
      served.map(async ([name, url]) => {
        const gzipped = await promisify(gzip)(await readFile(fileURLToPath(url)))
        return [name, { contentType: CONTENT_TYPES[extname(name)] ?? '', gzipped }] as const
      })
    )
  )
}
