-- What a key takes, estimated from so many of its elements; 0 for one that does not exist.
local function bytes_of(key, samples)
  return redis.call('MEMORY', 'USAGE', key, 'SAMPLES', samples) or 0
end

-- What a stream takes. MEMORY USAGE overstates it by 240 bytes for each node of its index and 467 for each pending
-- entry: for a queue of which half is in flight it says 22 MB instead of 6 (measured, Redis 7.0).
local function stream_bytes(key)
  local info = redis.pcall('XINFO', 'STREAM', key)
  if info.err then return 0 end
  local bytes = bytes_of(key, 50)
  for at = 1, #info, 2 do
    if info[at] == 'radix-tree-nodes' then bytes = bytes - 240 * info[at + 1] end
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do bytes = bytes - 467 * group[6] end
  return math.max(bytes, 0)
end

-- How many of the 4,096 nodes of three digits are measured, by the most digits that a period has. Ids are spread
-- evenly, so the sum is scaled up to all of them. Nodes of more digits that belong to a measured one are measured too.
local NODES_WEIGHED = { [3] = 256, [4] = 32, [5] = 2 }

-- What the ids of all periods take.
local function ids_bytes(periods, nodes)
  local hex, total = '0123456789abcdef', 0
  local function node_bytes(name, digits, digits_max)
    local bytes = bytes_of(nodes .. name .. ':' .. digits, 5)
    if #digits == digits_max then return bytes end
    for digit in hex:gmatch('.') do bytes = bytes + node_bytes(name, digit .. digits, digits_max) end
    return bytes
  end
  for _, period in ipairs(periods) do
    local count = NODES_WEIGHED[period.digits]
    local bytes = 0
    for index = 0, count - 1 do
      bytes = bytes + node_bytes(period.name, ('%03x'):format(index * 4096 / count), period.digits)
    end
    total = total + bytes * 4096 / count
  end
  return math.floor(total)
end

--[[ weigh: tells what each part takes of the memory, at a cost that does not depend on how many keys there are.

  KEYS  1 queue stream   2 in-flight hash   3 dead-letter stream   4 id periods hash
        5 what the names of the ids' nodes begin with
  ARGV  1 beginning of the names of totals   2 beginning of all our names
        3 keys to look at, if there are more than twice as many
  Returns { name, value, ... }:
        queue    bytes of KEYS 1 to 3
        keys     how many keys there are
        ids      bytes of the ids
        totals   bytes of the totals, '' if not all keys were looked at
        others   bytes of what others keep in this Redis
        info     INFO of memory

  Cost: less than 1 ms. Up to twice as many keys are measured one by one; where there are more, the ids are estimated
  from some of their nodes, and what others keep from a sample.
]]
local function weigh(keys, args)
  local own = stream_bytes(keys[1]) + bytes_of(keys[2], 50) + stream_bytes(keys[3])
  local key_count, wanted = redis.call('DBSIZE'), tonumber(args[3])
  local function begins(key, beginning) return key:sub(1, #beginning) == beginning end
  local ids, totals, others = 0, 0, 0
  if key_count <= 2 * wanted then
    local cursor, seen = '0', {}
    repeat
      local page = redis.call('SCAN', cursor, 'COUNT', 2 * wanted)
      cursor = page[1]
      for _, key in ipairs(page[2]) do
        if not seen[key] then
          if begins(key, keys[5]) then ids = ids + bytes_of(key, 5)
          elseif begins(key, args[1]) then totals = totals + bytes_of(key, 5)
          elseif not begins(key, args[2]) then others = others + bytes_of(key, 5) end
        end
        seen[key] = true
      end
    until cursor == '0'
  else
    ids, totals = ids_bytes(read_periods(keys[4]), keys[5]), ''
    for _ = 1, wanted do
      local key = redis.call('RANDOMKEY')
      if not begins(key, args[2]) then others = others + bytes_of(key, 5) / wanted * key_count end
    end
  end
  return {
    'queue', own,
    'keys', key_count,
    'ids', ids,
    'totals', totals,
    'others', math.floor(others),
    'info', redis.call('INFO', 'memory')
  }
end
