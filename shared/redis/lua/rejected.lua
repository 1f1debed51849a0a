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

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 id periods hash
        5 what the names of the ids' nodes begin with
  ARGV  1 consumer group   2 entry id   3 the record that its refused attempt was made under   4 reason
        5 digits of its id
  Returns 1 if this call moved it, 0 if its record is another one by now, or says that the other processor was not
        asked.
]]
local function bury(keys, args)
  local queue, in_flight, entry_id, record = keys[1], keys[2], args[2], args[3]
  local entry = redis.call('XRANGE', queue, entry_id, entry_id)[1]
  if not entry or redis.call('HGET', in_flight, entry_id) ~= record or not is_last(record) then return 0 end
  local periods = read_periods(keys[4])
  local correlation_id, cents = entry[2][2], entry[2][4]
  redis.call('XADD', keys[3], '*', 'correlationId', correlation_id, 'cents', cents,
    'accepted', entry_id, 'attempt', record, 'reason', args[4])
  redis.call('HDEL', in_flight, entry_id)
  redis.call('XACK', queue, args[1], entry_id)
  redis.call('XDEL', queue, entry_id)
  note_fate(keys[5], periods, args[5], entry_id, dead_letter_id(cents))
  return 1
end
