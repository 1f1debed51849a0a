--[[ accept: appends payments to the queue, each id once, all in one call, as long as there is room.

  KEYS  1 queue stream   2 clock hash   3 id periods hash   4 what the names of the ids' nodes begin with
  ARGV  1 most payments the queue may hold   2 how long an id is remembered, in ms
        then for each payment: digits of its id, correlationId, cents
  Returns a letter for each payment: A accepted, D duplicate (same id and amount), C conflict (same id, another amount),
        F full. Only A changed anything.
  Error PERIOD: nothing changed. The caller begins a period and calls again.

  Invariant: an id is looked for in all remembered periods, also in those that another gateway began with another
  retention.

  Without the flag allow-oom, a Redis that is full refuses the whole call before it starts.
]]
local function accept(keys, args)
  local queue, periods_key, nodes = keys[1], keys[3], keys[4]
  local now_ms = time_of(keys[2])
  local periods = read_periods(periods_key)
  local period, no_period = current_period(periods, now_ms, tonumber(args[2]))
  if not period then return no_period end

  local room = tonumber(args[1]) - redis.call('XLEN', queue)
  local now_id, letters = whole(now_ms) .. '-*', {}
  for payment = 1, (#args - 2) / 3 do
    local digits, correlation_id, cents = args[payment * 3], args[payment * 3 + 1], args[payment * 3 + 2]
    local known = find_id(nodes, periods, digits)
    if known then
      letters[payment] = known:match('^%d+') == cents and 'D' or 'C'
    elseif room <= 0 then
      letters[payment] = 'F'
    else
      enqueue(queue, periods_key, nodes, period, now_id, digits, correlation_id, cents)
      room = room - 1
      letters[payment] = 'A'
    end
  end
  return table.concat(letters)
end
