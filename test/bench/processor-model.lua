-- wrk's part of processor-model.ts: a payment with an id of its own in every request, one id range a thread.
local count = 0
local thread_count = 0

function setup(thread)
  thread_count = thread_count + 1
  thread:set("thread_number", thread_count)
end

function request()
  count = count + 1
  local second, millisecond = math.floor(count / 20000) % 60, count % 1000
  local body = string.format(
    '{"correlationId":"%08x-0000-4000-8000-%012x","amount":19.90,"requestedAt":"2026-07-15T12:00:%02d.%03dZ"}',
    thread_number, count, second, millisecond)
  return wrk.format("POST", "/payments", { ["Content-Type"] = "application/json" }, body)
end
