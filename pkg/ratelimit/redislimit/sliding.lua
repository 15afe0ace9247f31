-- sliding_window: a counter for the current window and one for the previous window,
-- weighted by the share of it that is not over.
--
-- KEYS[1]  hash of window (its start in Unix seconds), current and previous
-- ARGV[1]  permits asked for
-- ARGV[2]  permits that the limit allows in a window
-- ARGV[3]  length of a window in seconds
--
-- State: the hash's values, 0 while there is none.

local before = redis.call('HMGET', KEYS[1], 'window', 'current', 'previous')
local stored = before[1] or before[2] or before[3]
for i = 1, 3 do
  local value = stored and (before[i] or '') or '0'
  before[i] = tonumber(value)
  if not string.find(value, '^%d+$') or before[i] >= 9007199254740992 then
    return {err = NO_STATE}
  end
end

local asked, permits, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local start = math.floor(now / (length * 1000000)) * length
local window, current, previous = before[1], before[2], before[3]
if window == start - length then
  previous = current -- one at a time: gopher-lua, in miniredis, would read it after its change
  current = 0
  window = start
elseif window ~= start and window ~= start + length then
  window, current, previous = start, 0, 0
end

-- Every product is below 2^53, so only intended rounding takes place.
local finish = window + length
local left = math.min(math.ceil((finish * 1000000 - now) / 1000), length * 1000)
local weighted = math.ceil(math.min(previous, permits) * left / (length * 1000))
local granted = math.min(asked, math.max(permits - current - weighted, 0))

if granted > 0 then
  if stored and window == before[1] then
    redis.call('HINCRBY', KEYS[1], 'current', granted)
  else
    redis.call('HSET', KEYS[1], 'window', window, 'current', granted, 'previous', previous)
    redis.call('PEXPIREAT', KEYS[1], (finish + length) * 1000 + GRACE_MS)
  end
end
local unserved = asked - granted + elsewhere
if unserved > 0 and redis.call('INCRBY', KEYS[2], unserved) == unserved then
  redis.call('PEXPIRE', KEYS[2], length * 1000)
end

return {TAKEN, now, granted, before[1], before[2], before[3]}
