--[[
The pipeline's Redis functions. library.ts puts the files of this folder together into one library, in the order that it
lists them in: what is local in one of them is known in those that follow. Words between two @ are put in there as well,
from the TypeScript that uses the same ones.

Every key arrives through KEYS, or begins with one of them. Every function checks before its first write, since Redis
rolls nothing back.

The life of a payment, as Redis sees it:

  queued     an entry of the queue stream that the worker group has not read yet; the stream itself also has what is in
             flight or held, until it is settled
  in flight  pending in the group, with a record in the in-flight hash that says to which one processor it may be sent;
             attempts.lua has its form
  held       pending for the consumer HELD, without a record: refused or never handed out, stored nowhere, free for
             either processor
  settled    neither in the stream nor pending, counted in the totals
]]

local HELD = '@HELD@'

local function whole(number)
  return string.format('%.0f', number)
end
