#!lua name=payments_@VERSION@
--[[
The pipeline's Redis functions. VERSION is a hash of this text, so that services of two versions load two
libraries and run side by side. Every key arrives through KEYS. Every function checks before its first write,
since Redis rolls nothing back.

The life of a payment, as Redis sees it:

  queued     an entry of the queue stream that the worker group has not read yet
  in flight  pending in the group, with a record in the in-flight hash: the one processor it may be sent to
  held       pending for the consumer "held", without a record: refused, stored nowhere, free for either processor
  settled    neither in the stream nor pending, counted in the totals
]]

local HELD = 'held'
local UNRESOLVED = ' unresolved'

-- "Until this entry" of a queue: the end of an XRANGE for entries accepted up to a time.
local function until_entry(accepted_until_ms)
  return accepted_until_ms == '' and '+' or accepted_until_ms
end

-- { name, value, ... } as XRANGE and XREADGROUP give the fields of an entry, of which the order is known.
local function append_payment(flat, entry)
  local fields = entry[2]
  flat[#flat + 1] = entry[1]
  flat[#flat + 1] = fields[2]
  flat[#flat + 1] = fields[4]
end

-- The number of the period that Redis's clock is in, or nil and an error that names it if it is not the expected one.
local function current_period(expected, period_ms)
  local time = redis.call('TIME')
  local period = math.floor((time[1] * 1000 + time[2] / 1000) / period_ms)
  if period ~= expected then return nil, redis.error_reply(string.format('PERIOD %d', period)) end
  return period
end

-- Queues a payment and remembers its id until the end of the next period.
local function enqueue(queue, ids, field, correlation_id, cents, period, period_ms)
  local entry_id = redis.call('XADD', queue, '*', 'correlationId', correlation_id, 'cents', cents)
  redis.call('HSET', ids, field, cents .. ' ' .. entry_id)
  -- The first id of a node sets its expiry.
  if redis.call('HLEN', ids) == 1 then redis.call('PEXPIREAT', ids, string.format('%.0f', (period + 2) * period_ms)) end
end

--[[ accept: appends payments to the queue, each id once, all in one call, as long as there is room.

  KEYS  1 queue stream   then for each payment: the ids of the period before, the ids of this period
  ARGV  1 most payments the queue may hold   2 number of this period   3 length of a period in ms
        then for each payment: field of its id, correlationId, cents
  Returns a letter for each payment: A accepted, D duplicate (same id and amount), C conflict (same id, another amount),
        F full. Only A changed anything.
  Error PERIOD <number>: by Redis's clock, the only one that counts here, this period is another one. Nothing changed.

  Without the flag allow-oom, a Redis that is full refuses the whole call before it starts.
]]
local function accept(keys, args)
  local queue, period_ms = keys[1], tonumber(args[3])
  local period, wrong_period = current_period(tonumber(args[2]), period_ms)
  if not period then return wrong_period end

  local room = tonumber(args[1]) - redis.call('XLEN', queue)
  local letters = {}
  for payment = 1, (#args - 3) / 3 do
    local before, now = keys[payment * 2], keys[payment * 2 + 1]
    local field, correlation_id, cents = args[payment * 3 + 1], args[payment * 3 + 2], args[payment * 3 + 3]
    local known = redis.call('HGET', before, field) or redis.call('HGET', now, field)
    if known then
      letters[payment] = known:match('^%d+') == cents and 'D' or 'C'
    elseif room <= 0 then
      letters[payment] = 'F'
    else
      enqueue(queue, now, field, correlation_id, cents, period, period_ms)
      room = room - 1
      letters[payment] = 'A'
    end
  end
  return table.concat(letters)
end

-- Says in the record of an id what became of its payment. A record that has expired stays forgotten.
local function note_fate(ids, field, fate)
  if redis.call('HSET', ids, field, fate) == 1 then redis.call('HDEL', ids, field) end
end

--[[ find: tells where a payment is.

  KEYS  1 queue stream   2 in-flight hash   then the ids of each period that may know it
  ARGV  1 field of its id
  Returns { } if it is not known, else { record of the id, record of its attempt or '', is it in the queue: 1 or 0 }.
]]
local function find(keys, args)
  for index = 3, #keys do
    local known = redis.call('HGET', keys[index], args[1])
    if known then
      local entry_id = known:match(' (%d+%-%d+)$')
      if not entry_id then return { known, '', 0 } end
      local is_queued = #redis.call('XRANGE', keys[1], entry_id, entry_id)
      return { known, redis.call('HGET', keys[2], entry_id) or '', is_queued }
    end
  end
  return {}
end

--[[ take: hands payments to a worker and records, in the same step, where it will send them.

  KEYS  1 queue stream   2 in-flight hash
  ARGV  1 consumer group   2 worker   3 record: "<processor> <requestedAt> <worker>"   4 most payments to take
        5 only payments accepted up to this time, in ms; '' for all   6 only as long as more than so many wait
  Returns { newest, how many wait afterwards, entry id, correlationId, cents, entry id, ... }: held payments first, then
        new ones, oldest first. `newest` is '' if there may be more to take, else an entry id: what comes after it is new.

  Invariant: a payment that a worker may send has a record that says where.
]]
local function take(keys, args)
  local queue, in_flight = keys[1], keys[2]
  local group, worker, record, wanted, left = args[1], args[2], args[3], tonumber(args[4]), tonumber(args[6])
  local last = until_entry(args[5])
  -- What is in flight has a record, everything else in the stream waits.
  local waiting = redis.call('XLEN', queue) - redis.call('HLEN', in_flight)
  local taken = { '', waiting }
  if left > 0 then wanted = math.min(wanted, waiting - left) end
  if wanted <= 0 then return taken end

  local held = redis.call('XPENDING', queue, group, '-', last, wanted, HELD)
  if #held > 0 then
    local ids = {}
    for index, entry in ipairs(held) do ids[index] = entry[1] end
    for _, entry in ipairs(redis.call('XCLAIM', queue, group, worker, 0, unpack(ids))) do
      append_payment(taken, entry)
    end
  end

  local missing = wanted - #held
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
    if reply then
      for _, entry in ipairs(reply[1][2]) do append_payment(taken, entry) end
    end
  end

  local count = (#taken - 2) / 3
  if count > 0 then
    local records = {}
    for index = 0, count - 1 do
      records[index * 2 + 1] = taken[index * 3 + 3]
      records[index * 2 + 2] = record
    end
    redis.call('HSET', in_flight, unpack(records))
    taken[2] = waiting - count
  end
  if count < wanted then
    local newest = redis.call('XREVRANGE', queue, '+', '-', 'COUNT', 1)
    taken[1] = newest[1] and newest[1][1] or '0-0'
  end
  return taken
end

--[[ settle: counts payments that one processor has booked, and forgets them. All of them or none.

  KEYS  1 queue stream   2 in-flight hash   then for each payment: the ids of its period   then hashes of the totals
  ARGV  1 consumer group   2 processor   3 number of payments
        then for each payment: entry id, field of its id, what to remember of it: "<cents> <d or f><requestedAt in ms>"
        then increments of the totals: index of the hash in KEYS, field, by how much
  Returns the entry ids that were settled before. If there are any, this call changed nothing: the increments
        were summed over all of them. The caller leaves those out and calls again.

  Invariants
    - A payment is counted by the one call that removes its record.
    - After the call that counts it, it is neither pending nor in the stream.
]]
local function settle(keys, args)
  local queue, in_flight = keys[1], keys[2]
  local group, processor, count = args[1], args[2], tonumber(args[3])
  local ids = {}
  for index = 1, count do ids[index] = args[index * 3 + 1] end

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

  redis.call('HDEL', in_flight, unpack(ids))
  redis.call('XACK', queue, group, unpack(ids))
  redis.call('XDEL', queue, unpack(ids))
  for index = 1, count do note_fate(keys[index + 2], args[index * 3 + 2], args[index * 3 + 3]) end
  for index = count * 3 + 4, #args, 3 do
    redis.call('HINCRBY', keys[tonumber(args[index])], args[index + 1], args[index + 2])
  end
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

--[[ reclaim: hands payments in flight to another worker, which must find out what became of them.

  KEYS  1 queue stream   2 in-flight hash
  ARGV  1 consumer group   2 the new worker   then entry ids
  Returns { entry id, correlationId, cents, record, ... } without the ids that are not in flight any more.

  Invariant: from here on the payment stays at the processor on record until it is settled. Nobody may
  release it, since an attempt of the former worker may still be on its way.
]]
local function reclaim(keys, args)
  local queue, in_flight = keys[1], keys[2]
  local reclaimed = {}
  for index = 3, #args do
    local record = redis.call('HGET', in_flight, args[index])
    local entry = record and redis.call('XCLAIM', queue, args[1], args[2], 0, args[index])[1]
    if entry then
      if record:sub(-#UNRESOLVED) ~= UNRESOLVED then
        record = record .. UNRESOLVED
        redis.call('HSET', in_flight, args[index], record)
      end
      append_payment(reclaimed, entry)
      reclaimed[#reclaimed + 1] = record
    end
  end
  return reclaimed
end

--[[ beat: a worker's sign of life, which also finds the dead.

  KEYS  1 queue stream   2 workers sorted set
  ARGV  1 consumer group   2 worker   3 a worker silent for longer than this is dead, in ms
  Returns { payments pending for this worker, workers that live, name of a dead worker, ... }. Times are Redis's own.
]]
local function beat(keys, args)
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', keys[2], string.format('%.0f', now_ms), args[2])
  -- This worker lives, and may not have taken anything yet.
  local reply = { 0, 1 }
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', keys[1], args[1])) do
    local name = consumer[2]
    if name == args[2] then
      reply[1] = consumer[4]
    elseif name ~= HELD then
      local seen_ms = redis.call('ZSCORE', keys[2], name)
      if not seen_ms or now_ms - seen_ms > tonumber(args[3]) then
        reply[#reply + 1] = name
      else
        reply[2] = reply[2] + 1
      end
    end
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

--[[ bury: moves a payment that a processor refused for good to the dead letters.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 the ids of its period
  ARGV  1 consumer group   2 entry id   3 the record that its refused attempt was made under   4 reason   5 field of its id
  Returns 1 if this call moved it, 0 if its record is another one by now.
]]
local function bury(keys, args)
  local queue, in_flight, entry_id = keys[1], keys[2], args[2]
  local entry = redis.call('XRANGE', queue, entry_id, entry_id)[1]
  if not entry or redis.call('HGET', in_flight, entry_id) ~= args[3] then return 0 end
  local correlation_id, cents = entry[2][2], entry[2][4]
  redis.call('XADD', keys[3], '*', 'correlationId', correlation_id, 'cents', cents,
    'accepted', entry_id, 'attempt', args[3], 'reason', args[4])
  redis.call('HDEL', in_flight, entry_id)
  redis.call('XACK', queue, args[1], entry_id)
  redis.call('XDEL', queue, entry_id)
  note_fate(keys[4], args[5], cents .. ' dead-letter')
  return 1
end

--[[ redrive: puts a dead letter back into the queue, as if it had just been accepted.

  KEYS  1 queue stream   2 dead-letter stream   3 the ids of the period it was accepted in   4 the ids of this period
  ARGV  1 dead letter's entry id   2 number of this period   3 length of a period in ms   4 field of its id
  Returns 1 if this call put it back, 0 if it is no dead letter any more.
  Error PERIOD as in accept.
]]
local function redrive(keys, args)
  local period_ms = tonumber(args[3])
  local period, wrong_period = current_period(tonumber(args[2]), period_ms)
  if not period then return wrong_period end
  local letter = redis.call('XRANGE', keys[2], args[1], args[1])[1]
  if not letter then return 0 end
  redis.call('XDEL', keys[2], args[1])
  redis.call('HDEL', keys[3], args[4])
  enqueue(keys[1], keys[4], args[4], letter[2][2], letter[2][4], period, period_ms)
  return 1
end

--[[ sum: adds up fields of the totals, exactly, however large.

  KEYS  for each sum, the hashes of all ranges
  ARGV  1 number of sums   then for each range: first field, last field, 1 to add them or -1 to take them off
  Returns two decimal strings a sum: billions, and the rest. Lua's numbers are doubles, exact to 15 digits only.

  Cost: the fields of the ranges alone; of a long range in a hash of at most 512 fields, the whole hash.
]]
local function sum(keys, args)
  local count, ranges = tonumber(args[1]), (#args - 1) / 3
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
    local first, last, sign = tonumber(args[range * 3 - 1]), tonumber(args[range * 3]), tonumber(args[range * 3 + 1])
    local fields
    for index = 1, count do
      local key = keys[(index - 1) * ranges + range]
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

--[[ hold_lease: takes or keeps a lease, so that at most one holder is active.

  KEYS  1 lease
  ARGV  1 holder   2 how long it lasts, in ms
  Returns 1 if the holder has it now, 0 if somebody else has.
]]
local function hold_lease(keys, args)
  local holder = redis.call('GET', keys[1])
  if holder and holder ~= args[1] then return 0 end
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  return 1
end

--[[ report: keeps what a process tells about itself, until it tells more or has been silent for too long.

  KEYS  1 reports hash   2 reported sorted set
  ARGV  1 process   2 its report   3 how long a silent process is remembered, in ms
  Returns 0. Times are Redis's own.

  Nothing of it goes to the append-only log or to a replica: after a crash it is worth nothing, and a write a second for each
  process would make the log grow, and the disk sync, for ever.
]]
local function report(keys, args)
  redis.set_repl(redis.REPL_NONE)
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', keys[1], args[1], args[2])
  redis.call('ZADD', keys[2], string.format('%.0f', now_ms), args[1])
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
  ARGV  1 consumer group
  Returns { now in ms, { payments unsettled, in flight, dead letters }, oldest entry id, oldest entry id that waits ('' for none),
        preferred ('' for nobody's word), lease ('' for nobody), { field, value, ... } of default's and of fallback's health,
        { worker, last sign of life, ... }, { worker, payments pending, ... }, { process, time of its report, report, ... },
        { field, value, ... } of the last audit, { INFO of memory and persistence } }.
]]
local function observe(keys, args)
  local queue, group = keys[1], args[1]
  local time = redis.call('TIME')
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
    string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)),
    { redis.call('XLEN', queue), redis.call('HLEN', keys[2]), redis.call('XLEN', keys[3]) },
    oldest, oldest_waiting or oldest, redis.call('GET', keys[7]) or '', redis.call('GET', keys[8]) or '',
    redis.call('HGETALL', keys[9]), redis.call('HGETALL', keys[10]),
    redis.call('ZRANGE', keys[4], 0, -1, 'WITHSCORES'), consumers, reports, redis.call('HGETALL', keys[11]),
    { redis.call('INFO', 'memory') .. redis.call('INFO', 'persistence') }
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

--[[ weigh: tells what each part takes of the memory, at a cost that does not depend on how many keys there are.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream
  ARGV  1 beginning of the names of ids   2 beginning of the names of totals   3 keys to look at, if there are more than twice as many
  Returns { bytes of KEYS, how many keys there are, how many were looked at ('all', or a number of random ones),
        { how many of these were ids, their bytes, the sum of the squares of these bytes }, the same of totals, the same of what is
        neither, { INFO of memory } }.

  Cost: 0.5 to 0.9 ms for 256 keys. A walk makes half as many calls a key, so up to twice as many keys are walked through.
]]
local function weigh(keys, args)
  local own = stream_bytes(keys[1]) + bytes_of(keys[2], 50) + stream_bytes(keys[3])
  local weighed = { [keys[1]] = true, [keys[2]] = true, [keys[3]] = true }
  local parts = { ids = { 0, 0, 0 }, totals = { 0, 0, 0 }, others = { 0, 0, 0 } }
  local function add(key)
    if weighed[key] then return end
    local name = key:sub(1, #args[1]) == args[1] and 'ids' or key:sub(1, #args[2]) == args[2] and 'totals' or 'others'
    local part, bytes = parts[name], bytes_of(key, 5)
    part[1], part[2], part[3] = part[1] + 1, part[2] + bytes, part[3] + bytes * bytes
  end

  local key_count, wanted = redis.call('DBSIZE'), tonumber(args[3])
  local looked_at = 'all'
  if key_count <= 2 * wanted then
    local cursor, seen = '0', {}
    repeat
      local page = redis.call('SCAN', cursor, 'COUNT', 2 * wanted)
      cursor = page[1]
      for _, key in ipairs(page[2]) do
        if not seen[key] then add(key) end
        seen[key] = true
      end
    until cursor == '0'
  else
    looked_at = tostring(wanted)
    for _ = 1, wanted do add(redis.call('RANDOMKEY')) end
  end
  -- A square may be more than the integers of a reply hold.
  for _, part in pairs(parts) do part[3] = string.format('%.0f', part[3]) end
  return { own, key_count, looked_at, parts.ids, parts.totals, parts.others, { redis.call('INFO', 'memory') } }
end

-- Draining must go on when memory is full: only accepting may be refused for it.
local ALWAYS = { 'allow-oom' }
redis.register_function { function_name = 'accept_@VERSION@', callback = accept }
redis.register_function { function_name = 'find_@VERSION@', callback = find, flags = { 'no-writes' } }
redis.register_function { function_name = 'take_@VERSION@', callback = take, flags = ALWAYS }
redis.register_function { function_name = 'settle_@VERSION@', callback = settle, flags = ALWAYS }
redis.register_function { function_name = 'release_@VERSION@', callback = release, flags = ALWAYS }
redis.register_function { function_name = 'reclaim_@VERSION@', callback = reclaim, flags = ALWAYS }
redis.register_function { function_name = 'beat_@VERSION@', callback = beat, flags = ALWAYS }
redis.register_function { function_name = 'retire_@VERSION@', callback = retire, flags = ALWAYS }
redis.register_function { function_name = 'bury_@VERSION@', callback = bury, flags = ALWAYS }
redis.register_function { function_name = 'redrive_@VERSION@', callback = redrive }
redis.register_function { function_name = 'sum_@VERSION@', callback = sum, flags = { 'no-writes' } }
redis.register_function { function_name = 'hold_lease_@VERSION@', callback = hold_lease, flags = ALWAYS }
redis.register_function { function_name = 'report_@VERSION@', callback = report, flags = ALWAYS }
redis.register_function { function_name = 'observe_@VERSION@', callback = observe, flags = { 'no-writes' } }
redis.register_function { function_name = 'weigh_@VERSION@', callback = weigh, flags = { 'no-writes' } }
