--[[ hold_lease: takes or keeps a lease, so that at most one holder is active.

  KEYS  1 lease
  ARGV  1 holder   2 how long it lasts, in ms
  Returns 1 if the holder has it now, 0 if somebody else has.
]]
local function hold_lease(keys, args)
  local holder = redis.call('GET', keys[1])
  if holder and holder ~= args[1] then
    -- Longer than anybody may take it for (LEASE_MS): the clock has stepped back since.
    if redis.call('PTTL', keys[1]) > 60000 then redis.call('PEXPIRE', keys[1], args[2]) end
    return 0
  end
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  return 1
end
