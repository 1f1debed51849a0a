-- Id of the oldest entry after another one, or '' if there is none.
local function next_entry(queue, after)
  local entry = redis.call('XRANGE', queue, after, '+', 'COUNT', 1)[1]
  return entry and entry[1] or ''
end

--[[ observe: reads the state of the whole system, at a cost that does not depend on the length of the queue.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 workers sorted set   5 reports hash
        6 reported sorted set   7 preferred processor   8 health monitor's lease   9 default's health hash
        10 fallback's health hash   11 audit hash   12 clock hash   13 since when the totals are exact
  ARGV  1 consumer group
  Returns { name, value, ... }; times in ms, '' for what there is not:
        now              the time that decides
        unsettled, in-flight, dead-letters   how many payments
        oldest, oldest-waiting   entry ids
        preferred        the published word
        lease            who has the health monitor's lease
        default-health, fallback-health   { field, value, ... }
        workers          { worker, last sign of life, ... }
        consumers        { worker, payments pending, ... }
        reports          { process, time of its report, report, ... }
        audit            { field, value, ... } of the last audit
        exact-since      since when the totals are exact; '' for ever
        info             INFO of memory and persistence
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
    'now', whole(now_ms),
    'unsettled', redis.call('XLEN', queue),
    'in-flight', redis.call('HLEN', keys[2]),
    'dead-letters', redis.call('XLEN', keys[3]),
    'oldest', oldest,
    'oldest-waiting', oldest_waiting or oldest,
    'preferred', redis.call('GET', keys[7]) or '',
    'lease', redis.call('GET', keys[8]) or '',
    'default-health', redis.call('HGETALL', keys[9]),
    'fallback-health', redis.call('HGETALL', keys[10]),
    'workers', redis.call('ZRANGE', keys[4], 0, -1, 'WITHSCORES'),
    'consumers', consumers,
    'reports', reports,
    'audit', redis.call('HGETALL', keys[11]),
    'exact-since', redis.call('GET', keys[13]) or '',
    'info', redis.call('INFO', 'memory') .. redis.call('INFO', 'persistence')
  }
end
