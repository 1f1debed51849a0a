--[[ purge: empties queue, in-flight records, dead letters, books and the memory of ids, in one step, so that nothing is
settled into books that are half gone.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 audit hash   5 id periods hash
        6 since when the totals are exact   7 clock hash   then the topmost hash of each of the totals
  ARGV  1 consumer group   2 name   3 start   4 end of a new period of ids   5 when its ids are forgotten; times in ms
  Returns 0. The nodes of the periods before are unreachable then: the caller removes them.
  Error PERIOD: the new period would not begin after the newest one. Nothing changed.

  Invariants
    - Starts of periods go on from those before, so that no period begins that has the name, and so the nodes, of a
      purged one.
    - The ids of entries go on from those before: a worker that was sending meanwhile knows its payments by them, and
      would settle another one in the place of its own.
]]
local function purge(keys, args)
  local periods, period = read_periods(keys[5]), new_period(args, 2)
  if period.start_ms <= newest_start(periods) then return no_period(time_of(keys[7]), periods) end
  local info, last_entry = redis.pcall('XINFO', 'STREAM', keys[1]), nil
  for at = 1, info.err and 0 or #info, 2 do
    if info[at] == 'last-generated-id' then last_entry = info[at + 1] end
  end
  redis.call('UNLINK', keys[1], keys[2], keys[3], keys[4], keys[5], keys[6])
  redis.call('XGROUP', 'CREATE', keys[1], args[1], '0', 'MKSTREAM')
  if last_entry then redis.call('XSETID', keys[1], last_entry) end
  write_period(keys[5], period)
  for index = 8, #keys do unlink_totals(keys[index], 1) end
  return 0
end
