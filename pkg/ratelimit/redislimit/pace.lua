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

local before = 0
local stored = redis.call('GET', KEYS[1])
if stored then
  before = integer(stored)
  if not before then
    return NOT_INTEGER
  end
end

local asked = tonumber(ARGV[1])
if asked == 0 then
  return {TAKEN, now, refused_so_far(), before}
end

local interval, ahead = tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(before, now)
if ahead > 0 then
  full = math.min(full, now + ahead)
end
local left = math.max(math.floor((now + ahead - full) / interval), 0)
local granted = math.min(asked, left)
local after = full + granted * interval

-- Once its time has come the stored number means nothing: it may vanish then.
if after > now and after ~= before then
  redis.call('SET', KEYS[1], text(after), 'PXAT', text(math.ceil(after / 1000)))
end
count_refused(asked - granted, tonumber(ARGV[4]))

return {TAKEN, now, granted, before}
