--[[ reclaim: hands what is pending for another worker to this one, which must find out what became of it.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream
  ARGV  1 consumer group   2 the new worker   then entry ids
  Returns { how many became free, { entry id, why it is no payment, ... }, entry id, correlationId, cents, record, ... }
        without the ids that are not pending any more.

  Invariants
    - From here on a payment with a record stays at the processor on record until it is settled. Nobody may release it,
      since an attempt of the former worker may still be on its way.
    - What has no record was never handed out, so nobody has sent it: it is held, free for either processor.
    - What has a record that says nothing stays where it is, since it may be anywhere: returned among those that are no
      payments.
]]
local function reclaim(keys, args)
  local queue, in_flight, group = keys[1], keys[2], args[1]
  local malformed = {}
  local reclaimed = { 0, malformed }
  for index = 3, #args do
    local record = redis.call('HGET', in_flight, args[index])
    if record and not says_where(record) then
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
        if not is_unresolved(record) then
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
