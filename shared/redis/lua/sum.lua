--[[ sum: adds up fields of the totals, exactly, however large.

  KEYS  1 since when the totals are exact   then for each sum, the hashes of all ranges
  ARGV  1 number of sums   2 earliest time for which the finer levels are asked, as ISO; '' for none
        then for each range: first field, last field, 1 to add them or -1 to take them off
  Returns two decimal strings a sum: billions, and the rest. Lua's numbers are doubles, exact to 15 digits only.
  Error EXACTSINCE: the finer levels have forgotten what was before.

  Cost: the fields of the ranges alone; of a long range in a hash of at most 512 fields, the whole hash.
]]
local function sum(keys, args)
  local since = redis.call('GET', keys[1])
  if since and args[2] ~= '' and args[2] < since then return refusal('EXACTSINCE', since) end
  local count, ranges = tonumber(args[1]), (#args - 2) / 3
  local billions, rest = {}, {}
  for index = 1, count do billions[index], rest[index] = 0, 0 end
  local function add(index, digits, sign)
    -- Nearly all are below a billion, and cutting a text costs more than adding it up.
    if #digits <= 9 then
      rest[index] = rest[index] + sign * digits
      return
    end
    billions[index] = billions[index] + sign * (tonumber(digits:sub(1, -10)) or 0)
    rest[index] = rest[index] + sign * digits:sub(-9)
  end

  for range = 1, ranges do
    local first, last, sign = tonumber(args[range * 3]), tonumber(args[range * 3 + 1]), tonumber(args[range * 3 + 2])
    local fields
    for index = 1, count do
      local key = keys[(index - 1) * ranges + range + 1]
      if last - first >= 100 and redis.call('HLEN', key) <= 512 then
        local pairs_of = redis.call('HGETALL', key)
        for at = 1, #pairs_of, 2 do
          local field = pairs_of[at] + 0
          if field >= first and field <= last then add(index, pairs_of[at + 1], sign) end
        end
      else
        if not fields then
          -- As text, once for all sums: Redis would write each number out for each call.
          fields = {}
          for field = first, last do fields[#fields + 1] = tostring(field) end
        end
        local values = redis.call('HMGET', key, unpack(fields))
        for at = 1, #values do
          if values[at] then add(index, values[at], sign) end
        end
      end
    end
  end

  local sums = {}
  for index = 1, count do
    sums[#sums + 1] = string.format('%.0f', billions[index])
    sums[#sums + 1] = string.format('%.0f', rest[index])
  end
  return sums
end
