--[[ settle: counts payments that one processor has booked, and removes them from the queue. All of them or none.

  KEYS  1 queue stream   2 in-flight hash   3 id periods hash   4 what the names of the ids' nodes begin with
        5 since when the totals are exact   then hashes of the totals
  ARGV  1 consumer group   2 processor   3 what the caller believes KEYS 5 to hold; '' for nothing
        4 number of payments
        then for each payment: entry id, digits of its id, what to remember of it: "<cents> <d or f><requestedAt in ms>"
        then increments of the totals: index of the hash in KEYS, field, by how much
  Returns the entry ids that were settled before. If there are any, this call changed nothing: the increments
        were summed over all of them. The caller leaves those out and calls again.
  Errors, each of which changed nothing
    EXACTSINCE      the finer levels don't count what is older. The caller sums up again, and calls again
    TOTALS          the caller tries again with fewer payments, so that only those that can't be counted wait
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
  if (since or '') ~= args[3] then return refusal('EXACTSINCE', since or 'ever') end
  local ids = {}
  for index = 1, count do ids[index] = args[index * 3 + 2] end

  local settled, seen = {}, {}
  for index, record in ipairs(redis.call('HMGET', in_flight, unpack(ids))) do
    local id = ids[index]
    if seen[id] then return refusal('REPEATED', id .. ' stands twice in one settle call') end
    seen[id] = true
    if not record then
      settled[#settled + 1] = id
    elseif not is_at(record, processor) then
      return refusal('WRONGPROCESSOR', id .. ' is on record as ' .. record)
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
