-- fixed_window: a counter for each window.
--
-- KEYS[1]  counter of the window that the caller believes to be the current one
-- KEYS[2]  counter of the permits refused in that window
-- ARGV[1]  permits asked for
-- ARGV[2]  permits that the limit allows in a window
-- ARGV[3]  start of that window, in Unix seconds
-- ARGV[4]  its length in seconds
--
-- State: the counter.

local start = tonumber(ARGV[3])
local finish = start + tonumber(ARGV[4])
if now < start * 1000000 or now >= finish * 1000000 then
  return {OTHER_WINDOW, now}
end

local asked, permits = tonumber(ARGV[1]), tonumber(ARGV[2])
-- A new counter expires after its window.
local vanish = finish * 1000 + GRACE_MS
local count = redis.call('INCRBY', KEYS[1], asked)
if count < asked then -- it was below zero, and would grant more than the limit
  redis.call('DECRBY', KEYS[1], asked)
  return {err = NO_STATE}
end
if count == asked then
  redis.call('PEXPIREAT', KEYS[1], vanish)
end

-- Refused permits are given back, so the counter holds what was granted: a limit
-- that is raised within the window then takes effect at once, however many were refused.
local refused = math.max(math.min(asked, count - permits), 0)
if refused > 0 then
  redis.call('DECRBY', KEYS[1], refused)
end
local unserved = refused + elsewhere
if unserved > 0 and redis.call('INCRBY', KEYS[2], unserved) == unserved then
  redis.call('PEXPIREAT', KEYS[2], vanish)
end

return {TAKEN, now, asked - refused, count - asked}
