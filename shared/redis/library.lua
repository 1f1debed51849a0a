#!lua name=payments_@VERSION@
--[[
The pipeline's Redis functions. VERSION is a hash of this text, so that services of two versions load two
libraries and run side by side. Every key arrives through KEYS, or begins with one of them. Every function checks before its
first write, since Redis rolls nothing back.

The life of a payment, as Redis sees it:

  queued     an entry of the queue stream that the worker group has not read yet
  in flight  pending in the group, with a record in the in-flight hash: "<processor> <requestedAt> <worker> #<attempt>", the one
             processor it may be sent to; "last" behind it if the other one refused it for good, "unresolved" if another
             worker has taken it over
  held       pending for the consumer "held", without a record: refused, stored nowhere, free for either processor
  settled    neither in the stream nor pending, counted in the totals
]]

local HELD = 'held'
local UNRESOLVED = ' unresolved'
local LAST = ' last'

-- As shared/money.ts has it: what Redis can add up 92 million times in 64 bits.
local CENTS_MAX = 100000000000
-- Tells where its dashes are: a third of what a pattern for each digit costs.
local UUID = '^%x+()%-%x+()%-%x+()%-%x+()%-%x+$'

-- An id of a period stands in the node of its last three digits; where that is full, in the one of its last four, then five.
local DIGITS_MIN, DIGITS_MAX = 3, 5
-- A node with more fields would not be packed (hash-max-listpack-entries).
local NODE_IDS_MAX = 512

local function whole(number)
  return string.format('%.0f', number)
end

--[[
The time that decides, in ms: Redis's clock, but never less than what was seen before. When the clock steps back (NTP, a resumed
machine, a failover to a host with another clock), the time goes on from there, as fast as the clock does, until the clock has caught
up. A clock that is behind and steps forward moves it by no more than BEHIND_STEP_MAX_MS: that is a correction, not time.

  clock  hash: seen, the latest time that a worker's heartbeat saw; clock, what Redis's clock said then; both in ms
]]
local BEHIND_STEP_MAX_MS = 600000
local function time_of(clock)
  local time = redis.call('TIME')
  local clock_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local known = redis.call('HMGET', clock, 'seen', 'clock')
  local seen_ms, was_ms = tonumber(known[1] or '') or 0, tonumber(known[2] or '') or 0
  if clock_ms >= seen_ms then return clock_ms, clock_ms end
  return seen_ms + math.max(0, math.min(clock_ms - was_ms, BEHIND_STEP_MAX_MS)), clock_ms
end

-- The same, and from here on no time is less than this one.
local function advance(clock)
  local now_ms, clock_ms = time_of(clock)
  redis.call('HSET', clock, 'seen', whole(now_ms), 'clock', whole(clock_ms))
  return now_ms
end

-- The end of an XRANGE for the entries that are at least so old; all of them for ''.
local function until_entry(clock, age_ms)
  return age_ms == '' and '+' or whole(time_of(clock) - age_ms)
end

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
Moves an entry that is no payment to the dead letters, and notes it in `malformed`. Where that is impossible (the key of the dead
letters holds something else) it stays pending, and its neighbours go on.
]]
local function set_aside(queue, in_flight, dead_letters, group, entry, reason, malformed)
  local moved = redis.pcall('XADD', dead_letters, '*', 'accepted', entry[1], 'fields', cjson.encode(entry[2]), 'reason', reason)
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

-- What was read last, and what that meant: it changes once in a retention, and is read by each call.
local parsed_periods = {}

--[[
The periods whose ids are remembered, the newest first. In Redis a hash: name -> "<start> <end> <forgotten> <digits>", three times
in ms and the most digits that a node of it has. The names begin the names of its nodes.
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
      name = flat[at], start_ms = tonumber(start_ms), end_ms = tonumber(end_ms), forgotten_ms = tonumber(forgotten_ms), digits = tonumber(digits)
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

--[[
The period that remembers what is accepted now; or nil and an error that tells the time and when the newest one began, if there is
none that remembers for as long as the caller wants. A newer period is never left for an older one, whatever a clock says.
]]
local function current_period(periods, now_ms, retention_ms)
  local newest = periods[1]
  if newest and now_ms < newest.end_ms and newest.forgotten_ms - newest.end_ms >= retention_ms then return newest end
  return nil, redis.error_reply(string.format('PERIOD %.0f %.0f', now_ms, newest and newest.start_ms or 0))
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

-- Queues a payment and remembers its id. `now_id` begins the entry's id: when it was accepted, by the time that decides.
local function enqueue(queue, periods_key, nodes, period, now_id, digits, correlation_id, cents)
  local entry_id = redis.pcall('XADD', queue, now_id, 'correlationId', correlation_id, 'cents', cents)
  if type(entry_id) == 'table' then
    -- Something in the queue is younger than now: somebody else put it there.
    entry_id = redis.call('XADD', queue, '*', 'correlationId', correlation_id, 'cents', cents)
  end
  remember(nodes, periods_key, period, digits, cents .. ' ' .. entry_id)
end

--[[ accept: appends payments to the queue, each id once, all in one call, as long as there is room.

  KEYS  1 queue stream   2 clock hash   3 id periods hash   4 what the names of the ids' nodes begin with
  ARGV  1 most payments the queue may hold   2 how long an id is remembered, in ms
        then for each payment: digits of its id, correlationId, cents
  Returns a letter for each payment: A accepted, D duplicate (same id and amount), C conflict (same id, another amount),
        F full. Only A changed anything.
  Error PERIOD <now> <start>: there is no period that remembers ids for so long; the newest began at <start>, 0 if there is none.
        Nothing changed. The caller begins one and calls again.

  Invariant: an id is looked for in every period that is remembered, whoever began it and for how long.

  Without the flag allow-oom, a Redis that is full refuses the whole call before it starts.
]]
local function accept(keys, args)
  local queue, periods_key, nodes = keys[1], keys[3], keys[4]
  local now_ms = time_of(keys[2])
  local periods = read_periods(periods_key)
  local period, no_period = current_period(periods, now_ms, tonumber(args[2]))
  if not period then return no_period end

  local room = tonumber(args[1]) - redis.call('XLEN', queue)
  local now_id, letters = whole(now_ms) .. '-*', {}
  for payment = 1, (#args - 2) / 3 do
    local digits, correlation_id, cents = args[payment * 3], args[payment * 3 + 1], args[payment * 3 + 2]
    local known = find_id(nodes, periods, digits)
    if known then
      letters[payment] = known:match('^%d+') == cents and 'D' or 'C'
    elseif room <= 0 then
      letters[payment] = 'F'
    else
      enqueue(queue, periods_key, nodes, period, now_id, digits, correlation_id, cents)
      room = room - 1
      letters[payment] = 'A'
    end
  end
  return table.concat(letters)
end

--[[ begin_period: begins a period in which ids are remembered, and drops those that are forgotten.

  KEYS  1 id periods hash
  ARGV  1 its name   2 its start   3 its end   4 when its ids are forgotten   5 now; times in ms
  Returns 1 if this call began it, 0 if there is one that began then or later.
]]
local function begin_period(keys, args)
  local period = {
    name = args[1], start_ms = tonumber(args[2]), end_ms = tonumber(args[3]), forgotten_ms = tonumber(args[4]), digits = DIGITS_MIN
  }
  local periods = read_periods(keys[1])
  if periods[1] and period.start_ms <= periods[1].start_ms then return 0 end
  for _, older in ipairs(periods) do
    if older.forgotten_ms <= tonumber(args[5]) then redis.call('HDEL', keys[1], older.name) end
  end
  write_period(keys[1], period)
  return 1
end

--[[ adopt_periods: makes the list of periods where there is none yet, of those in which version 0.1 remembered ids.

  KEYS  1 id periods hash
  ARGV  for each: its name, its start, its end, when its ids are forgotten; times in ms
  Returns 1 if this call made the list, 0 if there is one.

  Invariant: the list is made in one step. Half of one would look like one that is made, and nobody would ever add the rest.
]]
local function adopt_periods(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then return 0 end
  for at = 1, #args, 4 do
    write_period(keys[1], {
      name = args[at], start_ms = tonumber(args[at + 1]), end_ms = tonumber(args[at + 2]), forgotten_ms = tonumber(args[at + 3]), digits = DIGITS_MIN
    })
  end
  return 1
end

-- Says in the record of an id what became of the payment that was accepted under this entry. A record that is gone stays forgotten.
local function note_fate(nodes, periods, digits, entry_id, fate)
  local known, node, field = find_id(nodes, periods, digits)
  if known and known:sub(-#entry_id - 1) == ' ' .. entry_id then redis.call('HSET', node, field, fate) end
end

--[[ find: tells where a payment is.

  KEYS  1 queue stream   2 in-flight hash   3 id periods hash   4 what the names of the ids' nodes begin with
  ARGV  1 digits of its id
  Returns { } if it is not known, else { record of the id, record of its attempt or '', is it in the queue: 1 or 0 }.
]]
local function find(keys, args)
  local known = find_id(keys[4], read_periods(keys[3]), args[1])
  if not known then return {} end
  local entry_id = known:match(' (%d+%-%d+)$')
  if not entry_id then return { known, '', 0 } end
  local is_queued = #redis.call('XRANGE', keys[1], entry_id, entry_id)
  return { known, redis.call('HGET', keys[2], entry_id) or '', is_queued }
end

--[[ take: hands payments to a worker and records, in the same step, where it will send them.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 clock hash
  ARGV  1 consumer group   2 worker   3 record: "<processor> <requestedAt> <worker> #<attempt>"   4 most payments to take
        5 only payments accepted at least so long ago, in ms; '' for all   6 only as long as more than so many wait
  Returns { newest, how many wait afterwards, { entry id, why it is no payment, ... }, entry id, correlationId, cents, entry id, ... }:
        held payments first, then new ones, oldest first. `newest` is '' if there may be more to take, else an entry id: what
        comes after it is new. Entries that are no payments went to the dead letters.

  Invariants
    - A payment that a worker may send has a record that says where.
    - What is handed out is a payment; nothing that somebody put into the queue by hand keeps others from being handed out.
]]
local function take(keys, args)
  local queue, in_flight, dead_letters = keys[1], keys[2], keys[3]
  local group, worker, record, wanted, left = args[1], args[2], args[3], tonumber(args[4]), tonumber(args[6])
  local last = until_entry(keys[4], args[5])
  -- What is in flight has a record, everything else in the stream waits.
  local waiting = redis.call('XLEN', queue) - redis.call('HLEN', in_flight)
  local malformed = {}
  local taken = { '', waiting, malformed }
  if left > 0 then wanted = math.min(wanted, waiting - left) end
  if wanted <= 0 then return taken end

  local found, records = 0, {}
  local function hand_out(entries)
    found = found + #entries
    for index = 1, #entries do
      local entry = entries[index]
      local reason = fault_of(entry[2])
      if reason then
        set_aside(queue, in_flight, dead_letters, group, entry, reason, malformed)
      else
        append_payment(taken, entry)
        records[#records + 1] = entry[1]
        records[#records + 1] = record
      end
    end
  end

  local held = redis.call('XPENDING', queue, group, '-', last, wanted, HELD)
  if #held > 0 then
    local ids = {}
    for index, entry in ipairs(held) do ids[index] = entry[1] end
    hand_out(redis.call('XCLAIM', queue, group, worker, 0, unpack(ids)))
  end

  local missing = wanted - found
  if missing > 0 and last ~= '+' then
    -- XREADGROUP knows no upper end: count first. Only payments that outwaited a trouble come this way.
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', queue)) do
      if info[2] == group then
        missing = #redis.call('XRANGE', queue, '(' .. info[8], last, 'COUNT', missing)
      end
    end
  end
  if missing > 0 then
    local reply = redis.call('XREADGROUP', 'GROUP', group, worker, 'COUNT', missing, 'STREAMS', queue, '>')
    if reply then hand_out(reply[1][2]) end
  end

  if #records > 0 then redis.call('HSET', in_flight, unpack(records)) end
  taken[2] = waiting - (#records + #malformed) / 2
  if found < wanted then
    local newest = redis.call('XREVRANGE', queue, '+', '-', 'COUNT', 1)
    taken[1] = newest[1] and newest[1][1] or '0-0'
  end
  return taken
end

--[[
Adds increments to the totals, from the argument `first` on: index of the hash in KEYS, field, by how much, ... All of them, or none
and the error of the one that Redis refused, because something else than a whole number stands there, or one that is too large.
]]
local function add_to_totals(keys, args, first)
  for at = first, #args, 3 do
    local sum = redis.pcall('HINCRBY', keys[tonumber(args[at])], args[at + 1], args[at + 2])
    if type(sum) == 'table' then
      for before = first, at - 3, 3 do
        local key, field = keys[tonumber(args[before])], args[before + 1]
        if redis.call('HINCRBY', key, field, '-' .. args[before + 2]) == 0 then redis.call('HDEL', key, field) end
      end
      return redis.error_reply(string.format('TOTALS %s %s: %s', keys[tonumber(args[at])], args[at + 1], sum.err))
    end
  end
end

--[[ settle: counts payments that one processor has booked, and forgets them. All of them or none.

  KEYS  1 queue stream   2 in-flight hash   3 id periods hash   4 what the names of the ids' nodes begin with
        5 since when the totals are exact   then hashes of the totals
  ARGV  1 consumer group   2 processor   3 since when the totals are exact, as the caller knows it; '' for ever   4 number of payments
        then for each payment: entry id, digits of its id, what to remember of it: "<cents> <d or f><requestedAt in ms>"
        then increments of the totals: index of the hash in KEYS, field, by how much
  Returns the entry ids that were settled before. If there are any, this call changed nothing: the increments
        were summed over all of them. The caller leaves those out and calls again.
  Errors, each of which changed nothing
    EXACTSINCE <time>      that is what KEYS 5 says, or "ever": the finer levels don't count what is older. Sum up again, and call again
    TOTALS <key> <field>   there stands something that nothing can be added to
    WRONGPROCESSOR, REPEATED   broken invariants of the caller

  Invariants
    - A payment is counted by the one call that removes its record.
    - After the call that counts it, it is neither pending nor in the stream.
    - The totals of all levels are changed together.
]]
local function settle(keys, args)
  local queue, in_flight, nodes = keys[1], keys[2], keys[4]
  local group, processor, count = args[1], args[2], tonumber(args[4])
  local since = redis.call('GET', keys[5])
  if (since or '') ~= args[3] then return redis.error_reply('EXACTSINCE ' .. (since or 'ever')) end
  local ids = {}
  for index = 1, count do ids[index] = args[index * 3 + 2] end

  local settled, seen = {}, {}
  for index, record in ipairs(redis.call('HMGET', in_flight, unpack(ids))) do
    local id = ids[index]
    if seen[id] then return redis.error_reply('REPEATED ' .. id .. ' stands twice in one settle call') end
    seen[id] = true
    if not record then
      settled[#settled + 1] = id
    elseif record:sub(1, #processor + 1) ~= processor .. ' ' then
      return redis.error_reply('WRONGPROCESSOR ' .. id .. ' is on record as ' .. record)
    end
  end
  if #settled > 0 then return settled end
  local periods = read_periods(keys[3])

  -- First, because this is what can fail.
  local refused = add_to_totals(keys, args, count * 3 + 5)
  if refused then return refused end

  redis.call('HDEL', in_flight, unpack(ids))
  redis.call('XACK', queue, group, unpack(ids))
  redis.call('XDEL', queue, unpack(ids))
  for index = 1, count do note_fate(nodes, periods, args[index * 3 + 3], ids[index], args[index * 3 + 4]) end
  return settled
end

--[[ release: frees payments that the processor on record refused, so that nothing is stored there.

  KEYS  1 queue stream   2 in-flight hash
  ARGV  1 consumer group   then for each payment: entry id, the record that its refused attempt was made under
  Returns how many were freed. One that a successor has taken over stays as it is: its record says "unresolved",
        because the successor can't know what this worker had sent.
]]
local function release(keys, args)
  local queue, in_flight = keys[1], keys[2]
  local freed = 0
  for index = 2, #args, 2 do
    if redis.call('HGET', in_flight, args[index]) == args[index + 1] then
      redis.call('HDEL', in_flight, args[index])
      redis.call('XCLAIM', queue, args[1], HELD, 0, args[index], 'JUSTID')
      freed = freed + 1
    end
  end
  return freed
end

--[[ reclaim: hands what is pending for another worker to this one, which must find out what became of it.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream
  ARGV  1 consumer group   2 the new worker   then entry ids
  Returns { how many became free, { entry id, why it is no payment, ... }, entry id, correlationId, cents, record, ... } without
        the ids that are not pending any more.

  Invariants
    - From here on a payment with a record stays at the processor on record until it is settled. Nobody may release it, since an
      attempt of the former worker may still be on its way.
    - What has no record was never handed out, so nobody has sent it: it is held, free for either processor.
    - What has a record that says nothing stays where it is, since it may be anywhere: told among those that are no payments.
]]
local function reclaim(keys, args)
  local queue, in_flight, group = keys[1], keys[2], args[1]
  local malformed = {}
  local reclaimed = { 0, malformed }
  for index = 3, #args do
    local record = redis.call('HGET', in_flight, args[index])
    if record and not (record:find('^default %d%d%d%d%-') or record:find('^fallback %d%d%d%d%-')) then
      malformed[#malformed + 1] = args[index]
      malformed[#malformed + 1] = 'its record in flight says nothing: ' .. record:sub(1, 100)
    elseif not record then
      reclaimed[1] = reclaimed[1] + #redis.call('XCLAIM', queue, group, HELD, 0, args[index], 'JUSTID')
    else
      local entry = redis.call('XCLAIM', queue, group, args[2], 0, args[index])[1]
      local reason = entry and fault_of(entry[2])
      if reason then
        -- No version sends what it can't read.
        set_aside(queue, in_flight, keys[3], group, entry, reason, malformed)
      elseif entry then
        if record:sub(-#UNRESOLVED) ~= UNRESOLVED then
          record = record .. UNRESOLVED
          redis.call('HSET', in_flight, args[index], record)
        end
        append_payment(reclaimed, entry)
        reclaimed[#reclaimed + 1] = record
      end
    end
  end
  return reclaimed
end

--[[ beat: a worker's sign of life, which also finds the dead.

  KEYS  1 queue stream   2 workers sorted set   3 clock hash
  ARGV  1 consumer group   2 worker   3 a worker silent for longer than this is dead, in ms
  Returns { now in ms, payments pending for this worker, workers that live, name of a dead worker, ... }.
]]
local function beat(keys, args)
  local consumers = redis.call('XINFO', 'CONSUMERS', keys[1], args[1])
  local now_ms = advance(keys[3])
  redis.call('ZADD', keys[2], whole(now_ms), args[2])
  local reply = { whole(now_ms), 0, 0 }
  local signs, is_known = redis.call('ZRANGE', keys[2], 0, -1, 'WITHSCORES'), {}
  for at = 1, #signs, 2 do
    is_known[signs[at]] = true
    if now_ms - signs[at + 1] > tonumber(args[3]) then reply[#reply + 1] = signs[at] else reply[3] = reply[3] + 1 end
  end
  for _, consumer in ipairs(consumers) do
    if consumer[2] == args[2] then reply[2] = consumer[4] end
    if consumer[2] ~= HELD and not is_known[consumer[2]] then reply[#reply + 1] = consumer[2] end
  end
  return reply
end

--[[ retire: forgets a dead worker that has nothing pending.

  KEYS  1 queue stream   2 workers sorted set
  ARGV  1 consumer group   2 the dead worker
  Returns 1 if it is forgotten, 0 if it still has payments: deleting it would lose them.
]]
local function retire(keys, args)
  if #redis.call('XPENDING', keys[1], args[1], '-', '+', 1, args[2]) > 0 then return 0 end
  redis.call('XGROUP', 'DELCONSUMER', keys[1], args[1], args[2])
  redis.call('ZREM', keys[2], args[2])
  return 1
end

--[[ pass_on: sends a payment that one processor refused for good to the other one, the last that may book it.

  KEYS  1 in-flight hash
  ARGV  1 entry id   2 the record that its refused attempt was made under   3 its new record, which ends with "last"
  Returns 1 if the payment is now on record there, 0 if its record is another one by now.
]]
local function pass_on(keys, args)
  if redis.call('HGET', keys[1], args[1]) ~= args[2] then return 0 end
  redis.call('HSET', keys[1], args[1], args[3])
  return 1
end

--[[ bury: moves a payment that both processors refused for good to the dead letters.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 id periods hash   5 what the names of the ids' nodes begin with
  ARGV  1 consumer group   2 entry id   3 the record that its refused attempt was made under   4 reason   5 digits of its id
  Returns 1 if this call moved it, 0 if its record is another one by now, or says that the other processor was not asked.
]]
local function bury(keys, args)
  local queue, in_flight, entry_id, record = keys[1], keys[2], args[2], args[3]
  local entry = redis.call('XRANGE', queue, entry_id, entry_id)[1]
  if not entry or redis.call('HGET', in_flight, entry_id) ~= record or record:sub(-#LAST) ~= LAST then return 0 end
  local periods = read_periods(keys[4])
  local correlation_id, cents = entry[2][2], entry[2][4]
  redis.call('XADD', keys[3], '*', 'correlationId', correlation_id, 'cents', cents,
    'accepted', entry_id, 'attempt', record, 'reason', args[4])
  redis.call('HDEL', in_flight, entry_id)
  redis.call('XACK', queue, args[1], entry_id)
  redis.call('XDEL', queue, entry_id)
  note_fate(keys[5], periods, args[5], entry_id, cents .. ' dead-letter')
  return 1
end

--[[ redrive: puts a dead letter back into the queue, as if it had just been accepted.

  KEYS  1 queue stream   2 dead-letter stream   3 clock hash   4 id periods hash   5 what the names of the ids' nodes begin with
  ARGV  1 dead letter's entry id   2 how long an id is remembered, in ms   3 digits of its id
  Returns redriven if this call put it back; gone if it is no dead letter any more; malformed if it is no payment; known if its id
        was forgotten and has been accepted again, so that it would be paid twice. Only redriven changed anything.
  Error PERIOD as in accept.
]]
local function redrive(keys, args)
  local now_ms = time_of(keys[3])
  local periods = read_periods(keys[4])
  local period, no_period = current_period(periods, now_ms, tonumber(args[2]))
  if not period then return no_period end
  local letter = redis.call('XRANGE', keys[2], args[1], args[1])[1]
  if not letter then return 'gone' end
  local fields = letter[2]
  if fault_of({ fields[1], fields[2], fields[3], fields[4] }) then return 'malformed' end
  local correlation_id, cents = fields[2], fields[4]
  local known, node, field = find_id(keys[5], periods, args[3])
  if known and known ~= cents .. ' dead-letter' then return 'known' end
  redis.call('XDEL', keys[2], args[1])
  if known then redis.call('HDEL', node, field) end
  enqueue(keys[1], keys[4], keys[5], period, whole(now_ms) .. '-*', args[3], correlation_id, cents)
  return 'redriven'
end

--[[ discard: forgets a dead letter that is no payment.

  KEYS  1 dead-letter stream
  ARGV  1 dead letter's entry id
  Returns discarded, gone if it is no dead letter any more, or payment if it is one: only redriving ends that.
]]
local function discard(keys, args)
  local letter = redis.call('XRANGE', keys[1], args[1], args[1])[1]
  if not letter then return 'gone' end
  local fields = letter[2]
  if not fault_of({ fields[1], fields[2], fields[3], fields[4] }) then return 'payment' end
  redis.call('XDEL', keys[1], args[1])
  return 'discarded'
end

--[[ sum: adds up fields of the totals, exactly, however large.

  KEYS  1 since when the totals are exact   then for each sum, the hashes of all ranges
  ARGV  1 number of sums   2 earliest time for which the finer levels are asked, as ISO; '' for none
        then for each range: first field, last field, 1 to add them or -1 to take them off
  Returns two decimal strings a sum: billions, and the rest. Lua's numbers are doubles, exact to 15 digits only.
  Error EXACTSINCE <time>: the finer levels have forgotten what was before.

  Cost: the fields of the ranges alone; of a long range in a hash of at most 512 fields, the whole hash.
]]
local function sum(keys, args)
  local since = redis.call('GET', keys[1])
  if since and args[2] ~= '' and args[2] < since then return redis.error_reply('EXACTSINCE ' .. since) end
  local count, ranges = tonumber(args[1]), (#args - 2) / 3
  local billions, rest = {}, {}
  for index = 1, count do billions[index], rest[index] = 0, 0 end
  local function add(index, digits, sign)
    -- Nearly all are below a billion, and cutting a text costs more than adding it up.
    if #digits <= 9 then
      rest[index] = rest[index] + sign * digits
      return
    end
    billions[index] = billions[index] + sign * (tonumber(digits:sub(1, -10)) or 0)
    rest[index] = rest[index] + sign * digits:sub(-9)
  end

  for range = 1, ranges do
    local first, last, sign = tonumber(args[range * 3]), tonumber(args[range * 3 + 1]), tonumber(args[range * 3 + 2])
    local fields
    for index = 1, count do
      local key = keys[(index - 1) * ranges + range + 1]
      if last - first >= 100 and redis.call('HLEN', key) <= 512 then
        local pairs_of = redis.call('HGETALL', key)
        for at = 1, #pairs_of, 2 do
          local field = pairs_of[at] + 0
          if field >= first and field <= last then add(index, pairs_of[at + 1], sign) end
        end
      else
        if not fields then
          -- As text, once for all sums: Redis would write each number out for each call.
          fields = {}
          for field = first, last do fields[#fields + 1] = tostring(field) end
        end
        local values = redis.call('HMGET', key, unpack(fields))
        for at = 1, #values do
          if values[at] then add(index, values[at], sign) end
        end
      end
    end
  end

  local sums = {}
  for index = 1, count do
    sums[#sums + 1] = string.format('%.0f', billions[index])
    sums[#sums + 1] = string.format('%.0f', rest[index])
  end
  return sums
end

--[[ forget_totals: lets the finer levels of the totals forget what was before a time.

  KEYS  1 since when the totals are exact   then the nodes of the finer levels that lie before
  ARGV  1 the time, as ISO; a whole minute
  Returns 0.

  Invariant: before the first node is gone, everybody is told since when the totals are exact; that time never goes back.
]]
local function forget_totals(keys, args)
  local since = redis.call('GET', keys[1])
  if not since or since < args[1] then redis.call('SET', keys[1], args[1]) end
  for index = 2, #keys do redis.call('UNLINK', keys[index]) end
  return 0
end

-- What a node of the totals adds to the name of the one above it: year, month, day, hour, minute.
local NODE_NAMES = { ':%04d', '-%02d', '-%02d', 'T%02d', ':%02d' }

-- Removes a node of the totals and all below it.
local function unlink_totals(node, depth)
  if NODE_NAMES[depth] then
    for _, field in ipairs(redis.call('HKEYS', node)) do
      unlink_totals(node .. NODE_NAMES[depth]:format(field), depth + 1)
    end
    redis.call('UNLINK', node)
  elseif redis.call('UNLINK', node) == 1 then
    -- The seconds of a minute were there, so their milliseconds may be: ten seconds a node.
    for ten = 0, 5 do redis.call('UNLINK', node .. ':' .. ten) end
  end
end

--[[ purge: empties queue, in-flight records, dead letters, books and the memory of ids, in one step, so that nothing is settled
into books that are half gone.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 audit hash   5 id periods hash   6 since when the totals are exact
        7 clock hash   then the topmost hash of each of the totals
  ARGV  1 consumer group   2 name   3 start   4 end of a new period of ids   5 when its ids are forgotten; times in ms
  Returns 0. The nodes of the periods before are unreachable then: the caller removes them.
  Error PERIOD <now> <start>: the new period would not begin after the newest one, which began at <start>. Nothing changed.

  Invariants
    - Starts of periods go on from those before, so that no period begins that has the name, and so the nodes, of a purged one.
    - The ids of entries go on from those before: a worker that was sending meanwhile knows its payments by them, and would settle
      another one in the place of its own.
]]
local function purge(keys, args)
  local newest = read_periods(keys[5])[1]
  local newest_start_ms = newest and newest.start_ms or 0
  if tonumber(args[3]) <= newest_start_ms then
    return redis.error_reply(string.format('PERIOD %.0f %.0f', (time_of(keys[7])), newest_start_ms))
  end
  local info, last_entry = redis.pcall('XINFO', 'STREAM', keys[1]), nil
  for at = 1, info.err and 0 or #info, 2 do
    if info[at] == 'last-generated-id' then last_entry = info[at + 1] end
  end
  redis.call('UNLINK', keys[1], keys[2], keys[3], keys[4], keys[5], keys[6])
  redis.call('XGROUP', 'CREATE', keys[1], args[1], '0', 'MKSTREAM')
  if last_entry then redis.call('XSETID', keys[1], last_entry) end
  write_period(keys[5], {
    name = args[2], start_ms = tonumber(args[3]), end_ms = tonumber(args[4]), forgotten_ms = tonumber(args[5]), digits = DIGITS_MIN
  })
  for index = 8, #keys do unlink_totals(keys[index], 1) end
  return 0
end

--[[ hold_lease: takes or keeps a lease, so that at most one holder is active.

  KEYS  1 lease
  ARGV  1 holder   2 how long it lasts, in ms
  Returns 1 if the holder has it now, 0 if somebody else has.
]]
local function hold_lease(keys, args)
  local holder = redis.call('GET', keys[1])
  if holder and holder ~= args[1] then
    -- Longer than anybody may take it for (LEASE_MS): the clock has stepped back since.
    if redis.call('PTTL', keys[1]) > 60000 then redis.call('PEXPIRE', keys[1], args[2]) end
    return 0
  end
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  return 1
end

--[[ report: keeps what a process tells about itself, until it tells more or has been silent for too long.

  KEYS  1 reports hash   2 reported sorted set   3 clock hash
  ARGV  1 process   2 its report   3 how long a silent process is remembered, in ms
  Returns 0.

  Nothing of it goes to the append-only log or to a replica: after a crash it is worth nothing, and a write a second for each
  process would make the log grow, and the disk sync, for ever.
]]
local function report(keys, args)
  redis.set_repl(redis.REPL_NONE)
  local now_ms = time_of(keys[3])
  redis.call('HSET', keys[1], args[1], args[2])
  redis.call('ZADD', keys[2], whole(now_ms), args[1])
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', keys[2], '-inf', string.format('(%.0f', now_ms - args[3]))) do
    redis.call('HDEL', keys[1], name)
    redis.call('ZREM', keys[2], name)
  end
  return 0
end

-- Id of the oldest entry after another one, or '' if there is none.
local function next_entry(queue, after)
  local entry = redis.call('XRANGE', queue, after, '+', 'COUNT', 1)[1]
  return entry and entry[1] or ''
end

--[[ observe: reads the state of the whole system, at a cost that does not depend on the length of the queue.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 workers sorted set   5 reports hash   6 reported sorted set
        7 preferred processor   8 health monitor's lease   9 default's health hash   10 fallback's health hash   11 audit hash
        12 clock hash   13 since when the totals are exact
  ARGV  1 consumer group
  Returns { now in ms, { payments unsettled, in flight, dead letters }, oldest entry id, oldest entry id that waits ('' for none),
        preferred ('' for nobody's word), lease ('' for nobody), { field, value, ... } of default's and of fallback's health,
        { worker, last sign of life, ... }, { worker, payments pending, ... }, { process, time of its report, report, ... },
        { field, value, ... } of the last audit, { INFO of memory and persistence }, since when the totals are exact ('' for ever) }.
]]
local function observe(keys, args)
  local queue, group = keys[1], args[1]
  local now_ms = time_of(keys[12])
  local oldest, oldest_waiting = next_entry(queue, '-'), nil
  local consumers = {}
  -- An error where the queue or its group does not exist yet: then everything waits.
  local groups = redis.pcall('XINFO', 'GROUPS', queue)
  for _, info in ipairs(groups.err and {} or groups) do
    if info[2] == group then
      local held = redis.call('XPENDING', queue, group, '-', '+', 1, HELD)[1]
      -- Held payments were delivered before, so they are older than those that never were.
      oldest_waiting = held and held[1] or next_entry(queue, '(' .. info[8])
      for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', queue, group)) do
        if consumer[2] ~= HELD then
          consumers[#consumers + 1] = consumer[2]
          consumers[#consumers + 1] = tostring(consumer[4])
        end
      end
    end
  end

  local reports = {}
  local reported = redis.call('ZRANGE', keys[6], 0, -1, 'WITHSCORES')
  for index = 1, #reported, 2 do
    reports[#reports + 1] = reported[index]
    reports[#reports + 1] = reported[index + 1]
    reports[#reports + 1] = redis.call('HGET', keys[5], reported[index]) or ''
  end
  return {
    whole(now_ms),
    { redis.call('XLEN', queue), redis.call('HLEN', keys[2]), redis.call('XLEN', keys[3]) },
    oldest, oldest_waiting or oldest, redis.call('GET', keys[7]) or '', redis.call('GET', keys[8]) or '',
    redis.call('HGETALL', keys[9]), redis.call('HGETALL', keys[10]),
    redis.call('ZRANGE', keys[4], 0, -1, 'WITHSCORES'), consumers, reports, redis.call('HGETALL', keys[11]),
    { redis.call('INFO', 'memory') .. redis.call('INFO', 'persistence') }, redis.call('GET', keys[13]) or ''
  }
end

-- What a key takes, estimated from so many of its elements; 0 for one that does not exist.
local function bytes_of(key, samples)
  return redis.call('MEMORY', 'USAGE', key, 'SAMPLES', samples) or 0
end

-- What a stream takes. Of MEMORY USAGE, 240 bytes for each node of its index and 467 for each pending entry are not there: for a queue of
-- which half is in flight it says 22 MB instead of 6 (measured, Redis 7.0).
local function stream_bytes(key)
  local info = redis.pcall('XINFO', 'STREAM', key)
  if info.err then return 0 end
  local bytes = bytes_of(key, 50)
  for at = 1, #info, 2 do
    if info[at] == 'radix-tree-nodes' then bytes = bytes - 240 * info[at + 1] end
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do bytes = bytes - 467 * group[6] end
  return math.max(bytes, 0)
end

-- How many nodes of three digits are looked at, by the most digits that a period has: each stands for as many others, since ids are
-- spread evenly over them. Those of more digits that belong to them are looked at as well.
local NODES_WEIGHED = { [3] = 256, [4] = 32, [5] = 2 }

-- What the ids of all periods take.
local function ids_bytes(periods, nodes)
  local hex, total = '0123456789abcdef', 0
  local function node_bytes(name, digits, digits_max)
    local bytes = bytes_of(nodes .. name .. ':' .. digits, 5)
    if #digits == digits_max then return bytes end
    for digit in hex:gmatch('.') do bytes = bytes + node_bytes(name, digit .. digits, digits_max) end
    return bytes
  end
  for _, period in ipairs(periods) do
    local count = NODES_WEIGHED[period.digits]
    local bytes = 0
    for index = 0, count - 1 do bytes = bytes + node_bytes(period.name, ('%03x'):format(index * 4096 / count), period.digits) end
    total = total + bytes * 4096 / count
  end
  return math.floor(total)
end

--[[ weigh: tells what each part takes of the memory, at a cost that does not depend on how many keys there are.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 id periods hash   5 what the names of the ids' nodes begin with
  ARGV  1 beginning of the names of totals   2 beginning of all our names   3 keys to look at, if there are more than twice as many
  Returns { bytes of KEYS 1 to 3, how many keys there are, bytes of the ids, bytes of the totals or '' if not all keys were looked at,
        bytes of what others keep in this Redis, { INFO of memory } }.

  Cost: less than 1 ms. Up to twice as many keys are walked through; where there are more, the ids are known by some of their nodes,
  and what others keep by a sample.
]]
local function weigh(keys, args)
  local own = stream_bytes(keys[1]) + bytes_of(keys[2], 50) + stream_bytes(keys[3])
  local key_count, wanted = redis.call('DBSIZE'), tonumber(args[3])
  local function begins(key, beginning) return key:sub(1, #beginning) == beginning end
  local ids, totals, others = 0, 0, 0
  if key_count <= 2 * wanted then
    local cursor, seen = '0', {}
    repeat
      local page = redis.call('SCAN', cursor, 'COUNT', 2 * wanted)
      cursor = page[1]
      for _, key in ipairs(page[2]) do
        if not seen[key] then
          if begins(key, keys[5]) then ids = ids + bytes_of(key, 5)
          elseif begins(key, args[1]) then totals = totals + bytes_of(key, 5)
          elseif not begins(key, args[2]) then others = others + bytes_of(key, 5) end
        end
        seen[key] = true
      end
    until cursor == '0'
  else
    ids, totals = ids_bytes(read_periods(keys[4]), keys[5]), ''
    for _ = 1, wanted do
      local key = redis.call('RANDOMKEY')
      if not begins(key, args[2]) then others = others + bytes_of(key, 5) / wanted * key_count end
    end
  end
  return { own, key_count, ids, totals, math.floor(others), { redis.call('INFO', 'memory') } }
end

-- Draining must go on when memory is full: only accepting may be refused for it.
local ALWAYS = { 'allow-oom' }
redis.register_function { function_name = 'accept_@VERSION@', callback = accept }
redis.register_function { function_name = 'begin_period_@VERSION@', callback = begin_period }
redis.register_function { function_name = 'adopt_periods_@VERSION@', callback = adopt_periods }
redis.register_function { function_name = 'find_@VERSION@', callback = find, flags = { 'no-writes' } }
redis.register_function { function_name = 'take_@VERSION@', callback = take, flags = ALWAYS }
redis.register_function { function_name = 'settle_@VERSION@', callback = settle, flags = ALWAYS }
redis.register_function { function_name = 'release_@VERSION@', callback = release, flags = ALWAYS }
redis.register_function { function_name = 'reclaim_@VERSION@', callback = reclaim, flags = ALWAYS }
redis.register_function { function_name = 'beat_@VERSION@', callback = beat, flags = ALWAYS }
redis.register_function { function_name = 'retire_@VERSION@', callback = retire, flags = ALWAYS }
redis.register_function { function_name = 'pass_on_@VERSION@', callback = pass_on, flags = ALWAYS }
redis.register_function { function_name = 'bury_@VERSION@', callback = bury, flags = ALWAYS }
redis.register_function { function_name = 'redrive_@VERSION@', callback = redrive }
redis.register_function { function_name = 'discard_@VERSION@', callback = discard, flags = ALWAYS }
redis.register_function { function_name = 'forget_totals_@VERSION@', callback = forget_totals, flags = ALWAYS }
redis.register_function { function_name = 'purge_@VERSION@', callback = purge, flags = ALWAYS }
redis.register_function { function_name = 'sum_@VERSION@', callback = sum, flags = { 'no-writes' } }
redis.register_function { function_name = 'hold_lease_@VERSION@', callback = hold_lease, flags = ALWAYS }
redis.register_function { function_name = 'report_@VERSION@', callback = report, flags = ALWAYS }
redis.register_function { function_name = 'observe_@VERSION@', callback = observe, flags = { 'no-writes' } }
redis.register_function { function_name = 'weigh_@VERSION@', callback = weigh, flags = { 'no-writes' } }
