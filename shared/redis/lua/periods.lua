--[[ begin_period: begins a period in which ids are remembered, and drops those that are forgotten.

  KEYS  1 id periods hash
  ARGV  1 its name   2 its start   3 its end   4 when its ids are forgotten   5 now; times in ms
  Returns 1 if this call began it, 0 if there is one that began then or later.
]]
local function begin_period(keys, args)
  local period = new_period(args, 1)
  local periods = read_periods(keys[1])
  if periods[1] and period.start_ms <= periods[1].start_ms then return 0 end
  for _, older in ipairs(periods) do
    if older.forgotten_ms <= tonumber(args[5]) then redis.call('HDEL', keys[1], older.name) end
  end
  write_period(keys[1], period)
  return 1
end

--[[ adopt_periods: makes the list of periods where there is none yet, of those in which version 0.1 remembered ids.

  KEYS  1 id periods hash
  ARGV  for each: its name, its start, its end, when its ids are forgotten; times in ms
  Returns 1 if this call made the list, 0 if there is one.

  Invariant: the list is made in one step. Half of one would look like one that is made, and nobody would ever add the
  rest.
]]
local function adopt_periods(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then return 0 end
  for at = 1, #args, 4 do write_period(keys[1], new_period(args, at)) end
  return 1
end
