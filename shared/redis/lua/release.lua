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
