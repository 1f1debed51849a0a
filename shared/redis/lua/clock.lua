--[[
The time that decides, in ms: Redis's clock, but never less than what was seen before. When the clock steps back (NTP, a
resumed machine, a failover to a host with another clock), the time goes on from there, as fast as the clock does, until
the clock has caught up. A clock that is behind and steps forward moves it by no more than BEHIND_STEP_MAX_MS: that is a
correction, not time.

  clock  hash: seen, the latest time that a worker's heartbeat saw; clock, what Redis's clock said then; both in ms
]]
local BEHIND_STEP_MAX_MS = 600000
local function time_of(clock)
  local time = redis.call('TIME')
  local clock_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local known = redis.call('HMGET', clock, 'seen', 'clock')
  local seen_ms, was_ms = tonumber(known[1] or '') or 0, tonumber(known[2] or '') or 0
  if clock_ms >= seen_ms then return clock_ms, clock_ms end
  return seen_ms + math.max(0, math.min(clock_ms - was_ms, BEHIND_STEP_MAX_MS)), clock_ms
end

-- The same, and from here on no time is less than this one.
local function advance(clock)
  local now_ms, clock_ms = time_of(clock)
  redis.call('HSET', clock, 'seen', whole(now_ms), 'clock', whole(clock_ms))
  return now_ms
end

-- The end of an XRANGE for the entries that are at least so old; all of them for ''.
local function until_entry(clock, age_ms)
  return age_ms == '' and '+' or whole(time_of(clock) - age_ms)
end
