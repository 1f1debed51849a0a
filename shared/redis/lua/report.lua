--[[ report: keeps what a process tells about itself, until it tells more or has been silent for too long.

  KEYS  1 reports hash   2 reported sorted set   3 clock hash
  ARGV  1 process   2 its report   3 how long a silent process is remembered, in ms
  Returns 0.

  Nothing of it goes to the append-only log or to a replica: after a crash it is worth nothing, and a write a second for
  each process would make the log grow, and the disk sync, for ever.
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
