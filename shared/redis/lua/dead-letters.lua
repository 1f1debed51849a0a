--[[ redrive: puts a dead letter back into the queue, as if it had just been accepted.

  KEYS  1 queue stream   2 dead-letter stream   3 clock hash   4 id periods hash
        5 what the names of the ids' nodes begin with
  ARGV  1 dead letter's entry id   2 how long an id is remembered, in ms   3 digits of its id
  Returns redriven if this call put it back; gone if it is no dead letter any more; malformed if it is no payment; known
        if its id was forgotten and has been accepted again, so that it would be paid twice. Only redriven changed
        anything.
  Error PERIOD as in accept.
]]
local function redrive(keys, args)
  local now_ms = time_of(keys[3])
  local periods = read_periods(keys[4])
  local period, no_period = current_period(periods, now_ms, tonumber(args[2]))
  if not period then return no_period end
  local letter = redis.call('XRANGE', keys[2], args[1], args[1])[1]
  if not letter then return 'gone' end
  local fields = letter[2]
  if fault_of({ fields[1], fields[2], fields[3], fields[4] }) then return 'malformed' end
  local correlation_id, cents = fields[2], fields[4]
  local known, node, field = find_id(keys[5], periods, args[3])
  if known and known ~= dead_letter_id(cents) then return 'known' end
  redis.call('XDEL', keys[2], args[1])
  if known then redis.call('HDEL', node, field) end
  enqueue(keys[1], keys[4], keys[5], period, whole(now_ms) .. '-*', args[3], correlation_id, cents)
  return 'redriven'
end

--[[ discard: forgets a dead letter that is no payment.

  KEYS  1 dead-letter stream
  ARGV  1 dead letter's entry id
  Returns discarded, gone if it is no dead letter any more, or payment if it is one: only redriving ends that.
]]
local function discard(keys, args)
  local letter = redis.call('XRANGE', keys[1], args[1], args[1])[1]
  if not letter then return 'gone' end
  local fields = letter[2]
  if not fault_of({ fields[1], fields[2], fields[3], fields[4] }) then return 'payment' end
  redis.call('XDEL', keys[1], args[1])
  return 'discarded'
end
