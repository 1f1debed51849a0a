// Goal: docs/routing.md shows what the code of this commit does.
// Method: the parts of the report that take seconds are made again. All of it: npm run simulate -- --report.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { insertReport, plotSchedule, renderPublished, renderSample, DEFAULTS } from '../simulation/report.ts'
import { PUBLISHED_SCHEDULE, readSchedule } from '../support/contest/arguments.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/routing.md'), 'utf8')
const published = readSchedule(PUBLISHED_SCHEDULE)
const hint = 'docs/routing.md is not up to date: npm run simulate -- --report'

describe('the routing report', () => {
  it('has the figures of the published schedule and of some random ones', () => {
    assert(page.includes(renderPublished(published)), hint)
    assert(page.includes(renderSample()), hint)
  })

  it('has the plot of the published schedule', () => {
    const plot = plotSchedule('the published schedule', published, DEFAULTS)
    assert.equal(readFileSync(join(root, 'docs/routing.svg'), 'utf8') === plot, true, hint)
  })

  it('goes between two marks and leaves the rest alone', () => {
    const [before = '', after = ''] = page.split(/<!-- made by[\s\S]*<!-- end -->/)
    const changed = insertReport(page, 'new')
    assert(changed.startsWith(before) && changed.endsWith(after) && changed.includes('-->\n\nnew\n\n<!-- end -->'))
    assert.equal(insertReport(changed, 'new'), changed)
    assert.throws(() => insertReport('a page', 'new'), /no place for the report/)
  })
})
