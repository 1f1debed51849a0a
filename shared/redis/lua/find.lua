--[[ find: tells where a payment is.

  KEYS  1 queue stream   2 in-flight hash   3 id periods hash   4 what the names of the ids' nodes begin with
  ARGV  1 digits of its id
  Returns { } if it is not known, else { record of the id, record of its attempt or '', is it in the queue: 1 or 0 }.
]]
local function find(keys, args)
  local known = find_id(keys[4], read_periods(keys[3]), args[1])
  if not known then return {} end
  local entry_id = entry_of_id(known)
  if not entry_id then return { known, '', 0 } end
  local is_queued = #redis.call('XRANGE', keys[1], entry_id, entry_id)
  return { known, redis.call('HGET', keys[2], entry_id) or '', is_queued }
end
