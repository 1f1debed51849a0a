--[[
The record of an attempt, in the in-flight hash: "<processor> <requestedAt> <worker> #<attempt>", the one processor that
the payment may be sent to; "last" behind it if the other one refused it for good, "unresolved" if another worker has
taken it over. shared/redis/attempt-record.ts renders and parses it; here are the questions that functions ask of it.
]]
local LAST = ' @LAST@'
local UNRESOLVED = ' @UNRESOLVED@'

local function is_at(record, processor)
  return record:sub(1, #processor + 1) == processor .. ' '
end

-- Whether it says where the payment may be.
local function says_where(record)
  return (record:find('^default %d%d%d%d%-') or record:find('^fallback %d%d%d%d%-')) ~= nil
end

local function is_last(record)
  return record:sub(-#LAST) == LAST
end

local function is_unresolved(record)
  return record:sub(-#UNRESOLVED) == UNRESOLVED
end
