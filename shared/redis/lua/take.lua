--[[ take: hands payments to a worker and records, in the same step, where it will send them.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 clock hash
  ARGV  1 consumer group   2 worker   3 record of the attempt   4 most payments to take
        5 only payments accepted at least so long ago, in ms; '' for all   6 only as long as more than so many wait
  Returns { newest, how many wait afterwards, { entry id, why it is no payment, ... }, entry id, correlationId, cents,
        entry id, ... }: held payments first, then new ones, oldest first. `newest` is '' if there may be more to take,
        else an entry id: what comes after it is new. Entries that are no payments went to the dead letters.

  Invariants
    - A payment that a worker may send has a record that says where.
    - What is handed out is a payment; nothing that somebody put into the queue by hand keeps others from being handed
      out.
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
    -- XREADGROUP knows no upper end: count first. Only payments that have waited for long come this way.
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
