-- token_bucket and leaky_bucket: the generic cell rate algorithm.
--
-- KEYS[1]  when the bucket is full again, or the queue empty, in Unix microseconds
-- ARGV[1]  permits asked for
-- ARGV[2]  time between two permits, in microseconds
-- ARGV[3]  how far the stored time may be ahead of now, in microseconds; 0 grants
--          nothing and leaves it alone
-- ARGV[4]  how long refused permits are counted, in milliseconds
--
-- State: the stored time, 0 while there is none.

local stored = redis.call('GET', KEYS[1]) or '0'
local before = tonumber(stored)
if not string.find(stored, '^%d+$') or before >= 9007199254740992 then
  return {err = NO_STATE}
end

local asked, interval, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(before, now)
if ahead > 0 then
  full = math.min(full, now + ahead)
end
local left = math.max(math.floor((now + ahead - full) / interval), 0)
local granted = math.min(asked, left)
local after = full + granted * interval

-- The stored number means nothing once its time has come, so it expires then.
if after > now and after ~= before then
  redis.call('SET', KEYS[1], after, 'PXAT', math.ceil(after / 1000))
end
local unserved = asked - granted + elsewhere
if unserved > 0 and redis.call('INCRBY', KEYS[2], unserved) == unserved then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end

return {TAKEN, now, granted, before}
