-- sliding_window: a counter for the current window and one for the window before,
-- which counts by the share of it that is not over.
--
-- KEYS[1]  hash of window (its start in Unix seconds), current and previous
-- ARGV[1]  permits asked for
-- ARGV[2]  permits that the limit allows in a window
-- ARGV[3]  length of a window in seconds
--
-- State: the hash's values, 0 while there is none.

local stored = redis.call('HMGET', KEYS[1], 'window', 'current', 'previous')
local before = {0, 0, 0}
if stored[1] or stored[2] or stored[3] then
  for i = 1, 3 do
    before[i] = integer(stored[i])
    if not before[i] then
      return NOT_INTEGER
    end
  end
end

local asked, permits, length = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if asked == 0 then
  return {TAKEN, now, refused_so_far(), before[1], before[2], before[3]}
end

local start = math.floor(now / (length * 1000000)) * length
local window, current, previous = before[1], before[2], before[3]
if window == start - length then
  previous = current -- one at a time: gopher-lua, in miniredis, would read it after its change
  current = 0
  window = start
elseif window ~= start and window ~= start + length then
  window, current, previous = start, 0, 0
end

-- Every product is below 2^53, so nothing is rounded but what is meant to be.
local finish = window + length
local left = math.min(math.ceil((finish * 1000000 - now) / 1000), length * 1000)
local weighted = math.ceil(math.min(previous, permits) * left / (length * 1000))
local granted = math.min(asked, math.max(permits - current - weighted, 0))

if granted > 0 then
  if stored[1] and window == before[1] then
    redis.call('HINCRBY', KEYS[1], 'current', text(granted))
  else
    redis.call('HSET', KEYS[1], 'window', text(window), 'current', text(granted), 'previous', text(previous))
    redis.call('PEXPIREAT', KEYS[1], text((finish + length) * 1000 + GRACE_MS))
  end
end
count_refused(asked - granted, length * 1000)

return {TAKEN, now, granted, before[1], before[2], before[3]}
