-- An entry of the queue, which is a payment or none: { entry id, { 'correlationId', …, 'cents', … } }.

-- As shared/money.ts has it: what Redis can add up 92 million times in 64 bits.
local CENTS_MAX = @CENTS_MAX@
-- Tells where its dashes are: a third of what a pattern for each digit costs.
local UUID = '^%x+()%-%x+()%-%x+()%-%x+()%-%x+$'

local function is_uuid(text)
  if #text ~= 36 then return false end
  local first, second, third, fourth = text:match(UUID)
  return first == 9 and second == 14 and third == 19 and fourth == 24 and text:lower() == text
end

-- Why an entry of the queue is no payment, or nil if it is one.
local function fault_of(fields)
  if #fields ~= 4 or fields[1] ~= 'correlationId' or fields[3] ~= 'cents' then
    return 'it wants the fields correlationId and cents, in this order, and no other'
  end
  local correlation_id, cents = fields[2], fields[4]
  if not is_uuid(correlation_id) then return 'correlationId is no UUID in lower case' end
  if #cents > 12 or not cents:find('^[1-9]%d*$') or tonumber(cents) > CENTS_MAX then
    return 'cents is no whole number from 1 to ' .. whole(CENTS_MAX)
  end
end

--[[
Moves an entry that is no payment to the dead letters, and notes it in `malformed`. Where that is impossible (the key of
the dead letters holds something else) it stays pending, and its neighbours go on.
]]
local function set_aside(queue, in_flight, dead_letters, group, entry, reason, malformed)
  local fields = cjson.encode(entry[2])
  local moved = redis.pcall('XADD', dead_letters, '*', 'accepted', entry[1], 'fields', fields, 'reason', reason)
  if type(moved) == 'table' and moved.err then return end
  redis.call('HDEL', in_flight, entry[1])
  redis.call('XACK', queue, group, entry[1])
  redis.call('XDEL', queue, entry[1])
  malformed[#malformed + 1] = entry[1]
  malformed[#malformed + 1] = reason
end

local function append_payment(flat, entry)
  flat[#flat + 1] = entry[1]
  flat[#flat + 1] = entry[2][2]
  flat[#flat + 1] = entry[2][4]
end

-- Queues a payment and remembers its id. `now_id` begins the entry's id: when it was accepted, by the time that
-- decides.
local function enqueue(queue, periods_key, nodes, period, now_id, digits, correlation_id, cents)
  local entry_id = redis.pcall('XADD', queue, now_id, 'correlationId', correlation_id, 'cents', cents)
  if type(entry_id) == 'table' then
    -- Something in the queue is younger than now: somebody else put it there.
    entry_id = redis.call('XADD', queue, '*', 'correlationId', correlation_id, 'cents', cents)
  end
  remember(nodes, periods_key, period, digits, unsettled_id(cents, entry_id))
end
