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
