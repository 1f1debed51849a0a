#!lua name=bench_bare
--[[
The least that Redis has to do for a payment: no memory of ids, no record of where a payment may be sent, no check of
anything.
]]

--[[ bare_accept: appends payments to the queue.
  KEYS  1 queue stream
  ARGV  for each payment: correlationId, cents
]]
redis.register_function('bare_accept', function(keys, args)
  for index = 1, #args, 2 do redis.call('XADD', keys[1], '*', 'correlationId', args[index], 'cents', args[index + 1]) end
  return 'OK'
end)

--[[ bare_exchange: settles a batch in totals of two levels, and takes the next one.
  KEYS  1 queue stream   2 requests by second   3 cents by second   4 requests by hour   5 cents by hour
  ARGV  1 group   2 most payments to take   3 second   4 hour   5 cents of the batch   then its entry ids
  Returns { entry id, { field, value, ... }, ... }
]]
redis.register_function('bare_exchange', function(keys, args)
  local ids = { unpack(args, 6) }
  if #ids > 0 then
    redis.call('XACK', keys[1], args[1], unpack(ids))
    redis.call('XDEL', keys[1], unpack(ids))
    redis.call('HINCRBY', keys[2], args[3], #ids)
    redis.call('HINCRBY', keys[3], args[3], args[5])
    redis.call('HINCRBY', keys[4], args[4], #ids)
    redis.call('HINCRBY', keys[5], args[4], args[5])
  end
  local reply = redis.call('XREADGROUP', 'GROUP', args[1], 'bench', 'COUNT', args[2], 'STREAMS', keys[1], '>')
  return reply and reply[1][2] or {}
end)
