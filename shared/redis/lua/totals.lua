-- The totals by time: a tree of hashes, whose form shared/totals.ts tells.

--[[
Adds increments to the totals, from the argument `first` on: index of the hash in KEYS, field, by how much, ... All of
them, or none and the error TOTALS of the one that Redis refused, because something else than a whole number stands
there, or one that is too large.
]]
local function add_to_totals(keys, args, first)
  for at = first, #args, 3 do
    local sum = redis.pcall('HINCRBY', keys[tonumber(args[at])], args[at + 1], args[at + 2])
    if type(sum) == 'table' then
      for before = first, at - 3, 3 do
        local key, field = keys[tonumber(args[before])], args[before + 1]
        if redis.call('HINCRBY', key, field, '-' .. args[before + 2]) == 0 then redis.call('HDEL', key, field) end
      end
      return refusal('TOTALS', string.format('%s %s: %s', keys[tonumber(args[at])], args[at + 1], sum.err))
    end
  end
end

-- What a node of the totals adds to the name of the one above it: year, month, day, hour, minute.
local NODE_NAMES = { ':%04d', '-%02d', '-%02d', 'T%02d', ':%02d' }

-- Removes a node of the totals and all below it.
local function unlink_totals(node, depth)
  if NODE_NAMES[depth] then
    for _, field in ipairs(redis.call('HKEYS', node)) do
      unlink_totals(node .. NODE_NAMES[depth]:format(field), depth + 1)
    end
    redis.call('UNLINK', node)
  elseif redis.call('UNLINK', node) == 1 then
    -- The seconds of a minute were there, so their milliseconds may be: ten seconds a node.
    for ten = 0, 5 do redis.call('UNLINK', node .. ':' .. ten) end
  end
end

--[[ forget_totals: lets the finer levels of the totals forget what was before a time.

  KEYS  1 since when the totals are exact   then the nodes of the finer levels that lie before
  ARGV  1 the time, as ISO; a whole minute
  Returns 0.

  Invariant: before the first node is gone, it stands in Redis since when the totals are exact; that time never goes
  back.
]]
local function forget_totals(keys, args)
  local since = redis.call('GET', keys[1])
  if not since or since < args[1] then redis.call('SET', keys[1], args[1]) end
  for index = 2, #keys do redis.call('UNLINK', keys[index]) end
  return 0
end
