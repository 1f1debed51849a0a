-- Draining must go on when memory is full: only what adds payments or ids may be refused for it.
local REFUSED_WHEN_FULL, ALWAYS, READS = {}, { 'allow-oom' }, { 'no-writes' }

local FUNCTIONS = {
  { 'accept', accept, REFUSED_WHEN_FULL },
  { 'begin_period', begin_period, REFUSED_WHEN_FULL },
  { 'adopt_periods', adopt_periods, REFUSED_WHEN_FULL },
  { 'find', find, READS },
  { 'take', take, ALWAYS },
  { 'settle', settle, ALWAYS },
  { 'release', release, ALWAYS },
  { 'reclaim', reclaim, ALWAYS },
  { 'beat', beat, ALWAYS },
  { 'retire', retire, ALWAYS },
  { 'pass_on', pass_on, ALWAYS },
  { 'bury', bury, ALWAYS },
  { 'redrive', redrive, REFUSED_WHEN_FULL },
  { 'discard', discard, ALWAYS },
  { 'sum', sum, READS },
  { 'forget_totals', forget_totals, ALWAYS },
  { 'purge', purge, ALWAYS },
  { 'hold_lease', hold_lease, ALWAYS },
  { 'report', report, ALWAYS },
  { 'observe', observe, READS },
  { 'weigh', weigh, READS }
}

-- There is no ipairs yet while a library is loaded.
for index = 1, #FUNCTIONS do
  local name, callback, flags = FUNCTIONS[index][1], FUNCTIONS[index][2], FUNCTIONS[index][3]
  redis.register_function { function_name = name .. '_@VERSION@', callback = callback, flags = flags }
end
