// Goal: a contest run is worth what the rules say, and a schedule file with a mistake is refused by name.
// Method: the figures that are published for the first schedule, and every field of its file once wrong.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseSchedule } from '../support/contest/schedule.ts'
import { renderScore } from '../support/contest/score-table.ts'
import { bonusPercent, scoreRun, type Figures } from '../support/contest/score.ts'

const settledAt = (requests: number, feePerTransaction: number) => ({
  requests,
  cents: requests * 1990,
  feeCents: Math.round(requests * 1990 * feePerTransaction),
  feePerTransaction
})

/** The best possible run of the published schedule. */
function perfect(changed: Partial<Figures> = {}): Figures {
  return {
    amountCents: 1990,
    asked: 16_752,
    accepted: 16_752,
    p99Ms: 1.25,
    checks: 6,
    inconsistencies: 0,
    checksUnanswered: 0,
    wasPurged: true,
    default: settledAt(16_752, 0.05),
    fallback: settledAt(0, 0.15),
    ...changed
  }
}

const total = (changed?: Partial<Figures>) => scoreRun(perfect(changed)).total

describe('the score', () => {
  it('is the published one for a perfect run, with and without the bonus', () => {
    const result = scoreRun(perfect())
    assert.equal(Math.floor(result.profit), 316_696)
    assert.equal(result.idealProfit, result.profit)
    assert.equal(Math.round(result.total), 380_036)
    assert.equal(Math.floor(total({ p99Ms: 11 })), 316_696)
  })

  it('falls by what the rules say for a payment at fallback, a lost one, and an inconsistency', () => {
    const best = total()
    assert.equal((best - total({ default: settledAt(16_751, 0.05), fallback: settledAt(1, 0.15) })).toFixed(1), '2.4')
    assert.equal((best - total({ default: settledAt(16_751, 0.05) })).toFixed(1), '22.7')
    assert.equal(Math.round((best - total({ inconsistencies: 1 })) / 100), 1_108)
    assert.equal(total({ inconsistencies: 6 }), total({ inconsistencies: 1 }))
  })

  it('has a bonus of 2 % for each ms under 11 ms, in whole percents', () => {
    const cases = [
      [0.4, 20],
      [1.25, 20],
      [1.26, 19],
      [5.91, 10],
      [10.7, 1],
      [10.8, 0],
      [11, 0],
      [900, 0]
    ] as const
    for (const [p99Ms, percent] of cases) assert.equal(bonusPercent(p99Ms), percent, `${p99Ms} ms`)
    assert.equal(scoreRun(perfect({ p99Ms: null })).bonus, 0)
  })

  it('is nothing when more was settled than asked for', () => {
    const result = scoreRun(perfect({ fallback: settledAt(1, 0.15) }))
    assert.deepEqual([result.total, result.disqualified], [0, true])
    assert.match(renderScore(result), /DISQUALIFIED/)
    assert.equal(scoreRun(perfect()).disqualified, false)
  })

  it('tells failed requests from payments left over', () => {
    const { failedRequests, lag } = scoreRun(perfect({ accepted: 16_700, default: settledAt(16_600, 0.05) }))
    assert.deepEqual([failedRequests, lag], [52, 100])
    // Answered too late for its client, settled all the same.
    assert.equal(scoreRun(perfect({ accepted: 16_751 })).lag, 0)
  })

  it('is shown as a table with money in full', () => {
    const table = renderScore(scoreRun(perfect()))
    for (const shown of ['16,752  for 333,364.80, fees 16,668.24', '1.25 ms', '380,035.87', 'no inconsistency']) {
      assert.ok(table.includes(shown), `${shown} in\n${table}`)
    }
  })
})

describe('the schedule', () => {
  const text = readFileSync(join(import.meta.dirname, '../k6/schedules/published.json'), 'utf8')
  const published = () => JSON.parse(text) as Record<string, unknown> & { stages: Record<string, unknown>[] }

  it('that was published first is read as the rules have it', () => {
    const { stages, ...rest } = parseSchedule(published())
    assert.deepEqual(rest, {
      durationMs: 60_000,
      users: { from: 1, to: 550 },
      amountCents: 1990,
      checkEveryMs: 10_000,
      checkLagMs: 1_500
    })
    const table = stages.map(stage => [
      stage.atMs / 1000,
      stage.default.delayMs,
      stage.default.failing,
      stage.fallback.delayMs,
      stage.fallback.failing
    ])
    assert.deepEqual(table, [
      [1, 0, false, 0, false],
      [10, 100, false, 0, false],
      [20, 100, true, 0, false],
      [30, 2000, true, 1000, true],
      [40, 20, false, 20, false],
      [50, 0, false, 5000, false]
    ])
  })

  it('is refused with the name of the field that is wrong', () => {
    const change = (schedule: ReturnType<typeof published>, index: number, fields: Record<string, unknown>) =>
      Object.assign(schedule.stages[index] ?? {}, fields)
    const cases: [string, RegExp, (schedule: ReturnType<typeof published>) => void][] = [
      [
        'missing',
        /the schedule has no amount/,
        schedule => {
          delete schedule.amount
        }
      ],
      [
        'misspelt',
        /a field duration,/,
        schedule => {
          schedule.duration = 1
        }
      ],
      [
        'duration',
        /^durationMs must/,
        schedule => {
          schedule.durationMs = '60s'
        }
      ],
      [
        'users',
        /^users\.to must/,
        schedule => {
          schedule.users = { from: 1, to: 0.5 }
        }
      ],
      [
        'amount',
        /^amount must/,
        schedule => {
          schedule.amount = 19.905
        }
      ],
      [
        'check',
        /^checkEveryMs must/,
        schedule => {
          schedule.checkEveryMs = 0
        }
      ],
      [
        'lag',
        /^checkLagMs must/,
        schedule => {
          schedule.checkLagMs = 20_000
        }
      ],
      [
        'stages',
        /^stages must/,
        schedule => {
          ;(schedule as Record<string, unknown>).stages = {}
        }
      ],
      [
        'processor',
        /^stages\[1\] has no fallback/,
        schedule => {
          delete schedule.stages[1]?.fallback
        }
      ],
      [
        'delay',
        /^stages\[2\]\.default\.delayMs must/,
        schedule => change(schedule, 2, { default: { delayMs: -1, failing: false } })
      ],
      [
        'failing',
        /^stages\[2\]\.default\.failing must/,
        schedule => change(schedule, 2, { default: { delayMs: 0, failing: 'no' } })
      ],
      ['order', /^stages\[1\]\.atMs must be later/, schedule => change(schedule, 1, { atMs: 1_000 })],
      ['too late', /^stages\[5\]\.atMs must/, schedule => change(schedule, 5, { atMs: 60_001 })]
    ]
    for (const [what, problem, spoil] of cases) {
      const schedule = published()
      spoil(schedule)
      assert.throws(() => parseSchedule(schedule), { message: problem }, what)
    }
    for (const nothing of [null, [], 7]) assert.throws(() => parseSchedule(nothing), /must be an object/)
  })
})
