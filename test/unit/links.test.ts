// Goal: whoever follows a link in a document arrives.
// Method: every relative link of every page is followed: its file must be there, and its anchor be a heading of that
// page by the rule that GitHub makes anchors by.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const inDocs = readdirSync(join(ROOT, 'docs'))
  .filter(name => name.endsWith('.md'))
  .map(name => `docs/${name}`)
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...inDocs]

/** What is a link or a heading there would be an example here. */
const withoutCode = (text: string) =>
  text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`(?!\])/g, code => code.replaceAll(/[[\]()]/g, ''))

/** Lower case, blanks to dashes, punctuation dropped; the second of the same name has -1 behind it. */
function anchorsIn(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, title = ''] of withoutCode(text).matchAll(/^#{1,6} (.*)$/gm)) {
    const anchor = title
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    let unique = anchor
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`
    anchors.add(unique)
  }
  return anchors
}

function linksIn(text: string): string[] {
  const links = withoutCode(text).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]:\s+(\S+)/gm)
  return [...links].map(([, inline, reference]) => inline ?? reference ?? '')
}

/** What is wrong with a link of a page; undefined if nothing is. */
function problemWith(link: string, page: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? page : normalize(join(dirname(page), file))
  if (!existsSync(join(ROOT, target))) return `${target} is not there`
  if (anchor === undefined) return undefined
  const isThere = target.endsWith('.md') && anchorsIn(read(target)).has(anchor)
  return isThere ? undefined : `${target} has no heading #${anchor}`
}

describe('the documents', () => {
  for (const page of PAGES) {
    it(`${page} has links that lead somewhere`, () => {
      for (const link of linksIn(read(page))) assert.equal(problemWith(link, page), undefined, link)
    })
  }

  it('are all linked from the README', () => {
    const linked = linksIn(read('README.md')).map(link => link.split('#')[0])
    for (const page of PAGES.slice(1)) assert(linked.includes(page), page)
  })

  it('do not send readers to sections of the README that were moved', () => {
    for (const page of [...PAGES, 'compose/docker-compose.yml', 'shared/environment.ts'])
      assert(!/README(\.md)?(#|, ")/.test(read(page)), page)
  })
})

describe('the follower of links', () => {
  it('notices a file and a heading that are missing', () => {
    assert.equal(problemWith('docs/nowhere.md', 'README.md'), 'docs/nowhere.md is not there')
    assert.equal(problemWith('api.md#nothing', 'docs/redis.md'), 'docs/api.md has no heading #nothing')
    assert.equal(problemWith('api.md#get-paymentscorrelationid', 'docs/redis.md'), undefined)
  })

  it('makes anchors as GitHub does, and sees no links or headings in code', () => {
    const anchors = anchorsIn('# GET /a-b/{c}\n## A `code`, too\n## Twice\n## Twice\n```\n# not this\n```')
    assert.deepEqual([...anchors], ['get-a-bc', 'a-code-too', 'twice', 'twice-1'])
    assert.deepEqual(linksIn('[a](b.md#c) ![d](e.png) `[f](g)` [h]\n\n[h]: i.md'), ['b.md#c', 'e.png', 'i.md'])
  })
})
