-- The errors that our functions answer with: first word, and what follows it. shared/redis/errors.ts has the same, and
-- reads it.
local ERRORS = {
  -- There is no period that remembers ids for so long; the newest began at <start>, 0 if there is none. Both in ms.
  PERIOD = '<now> <start>',
  -- Since when the totals are exact, as ISO time or "ever", which the caller did not know or asked for more than.
  EXACTSINCE = '<time>',
  -- There stands something that nothing can be added to.
  TOTALS = '<key> <field>: <what Redis says>',
  -- Broken invariants of the caller.
  WRONGPROCESSOR = '<entry id> is on record as <record>',
  REPEATED = '<entry id> stands twice in one settle call'
}

local function refusal(code, text)
  assert(ERRORS[code], code)
  return redis.error_reply(code .. ' ' .. text)
end
