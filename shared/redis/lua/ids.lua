--[[
The memory of ids; shared/id-memory.ts tells its form. A record stands in the node of the last three digits of its id;
where that is full, in the one of its last four, then five.
]]
local DIGITS_MIN, DIGITS_MAX = 3, 5
-- A node with more fields would not be packed (hash-max-listpack-entries).
local NODE_IDS_MAX = 512

-- What was read last, and what that meant: it changes once in a retention, and is read by each call.
local parsed_periods = {}

--[[
The periods whose ids are remembered, the newest first. In Redis a hash: name -> "<start> <end> <forgotten> <digits>",
three times in ms and the most digits that a node of it has. The names begin the names of its nodes.
]]
local function read_periods(key)
  local flat = redis.call('HGETALL', key)
  local text = table.concat(flat, ' ')
  if parsed_periods[key] and parsed_periods[key].text == text then return parsed_periods[key].periods end
  local periods = {}
  for at = 1, #flat, 2 do
    local start_ms, end_ms, forgotten_ms, digits = flat[at + 1]:match('^(%d+) (%d+) (%d+) (%d)$')
    assert(start_ms, key .. ' holds something else than a period under ' .. flat[at])
    periods[#periods + 1] = {
      name = flat[at],
      start_ms = tonumber(start_ms),
      end_ms = tonumber(end_ms),
      forgotten_ms = tonumber(forgotten_ms),
      digits = tonumber(digits)
    }
  end
  table.sort(periods, function(a, b) return a.start_ms > b.start_ms end)
  parsed_periods[key] = { text = text, periods = periods }
  return periods
end

local function write_period(key, period)
  redis.call('HSET', key, period.name,
    table.concat({ whole(period.start_ms), whole(period.end_ms), whole(period.forgotten_ms), period.digits }, ' '))
end

-- A period without ids, of four arguments: its name, its start, its end, when its ids are forgotten.
local function new_period(args, first)
  return {
    name = args[first],
    start_ms = tonumber(args[first + 1]),
    end_ms = tonumber(args[first + 2]),
    forgotten_ms = tonumber(args[first + 3]),
    digits = DIGITS_MIN
  }
end

-- When the newest period began, 0 if there is none.
local function newest_start(periods)
  return periods[1] and periods[1].start_ms or 0
end

local function no_period(now_ms, periods)
  return refusal('PERIOD', whole(now_ms) .. ' ' .. whole(newest_start(periods)))
end

--[[
The period that remembers what is accepted now; or nil and the error PERIOD, if there is none that remembers for as long
as the caller wants. A newer period is never left for an older one, whatever a clock says.
]]
local function current_period(periods, now_ms, retention_ms)
  local newest = periods[1]
  if newest and now_ms < newest.end_ms and newest.forgotten_ms - newest.end_ms >= retention_ms then return newest end
  return nil, no_period(now_ms, periods)
end

-- The record of an id and the node where it stands, or nil. `digits` is the id without its dashes.
local function find_id(nodes, periods, digits)
  local field = digits:sub(1, -DIGITS_MIN - 1)
  for index = 1, #periods do
    local period = periods[index]
    for length = DIGITS_MIN, period.digits do
      local node = nodes .. period.name .. ':' .. digits:sub(-length)
      local known = redis.call('HGET', node, field)
      if known then return known, node, field end
    end
  end
end

local function remember(nodes, periods_key, period, digits, record)
  local field = digits:sub(1, -DIGITS_MIN - 1)
  for length = DIGITS_MIN, DIGITS_MAX do
    local node = nodes .. period.name .. ':' .. digits:sub(-length)
    local count = redis.call('HLEN', node)
    if count < NODE_IDS_MAX or length == DIGITS_MAX then
      redis.call('HSET', node, field, record)
      if count == 0 then redis.call('PEXPIREAT', node, whole(period.forgotten_ms)) end
      if length > period.digits then
        period.digits = length
        write_period(periods_key, period)
      end
      return
    end
  end
end

-- The record of an id until its payment is settled. The one from then on comes from the caller of settle.
local function unsettled_id(cents, entry_id)
  return cents .. ' ' .. entry_id
end

local function dead_letter_id(cents)
  return cents .. ' dead-letter'
end

-- The entry id in the record of an id, nil once its payment is settled or a dead letter.
local function entry_of_id(record)
  return record:match(' (%d+%-%d+)$')
end

-- Says in the record of an id what became of the payment that was accepted under this entry. A record that is gone
-- stays forgotten.
local function note_fate(nodes, periods, digits, entry_id, fate)
  local known, node, field = find_id(nodes, periods, digits)
  if known and known:sub(-#entry_id - 1) == ' ' .. entry_id then redis.call('HSET', node, field, fate) end
end
