-- Takes permits from the window in which Redis is now, provided that the guard,
-- if there is one, still holds the value that the caller decided from. With no
-- permits asked for it only looks.
--
-- KEYS[1]  counter of the window that the caller believes to be the current one
-- KEYS[2]  counter of the permits refused in that window
-- KEYS[3]  guard (optional)
-- ARGV[1]  start of that window, in Unix seconds
-- ARGV[2]  its length in seconds
-- ARGV[3]  permits asked for
-- ARGV[4]  permits that the limit allows in a window
-- ARGV[5]  the guard's expected value (with KEYS[3] only)
--
-- Replies, each with Redis's time in Unix microseconds:
--   {0, now, count}           taken: the counter with all permits asked for included
--   {0, now, count, refused}  looked: both counters; nothing was written
--   {1, now}                  now lies outside the window; nothing was written
--   {2, now[, value]}         the guard holds another value, or none; nothing was written

local TAKEN, OTHER_WINDOW, GUARD_CHANGED = 0, 1, 2

-- The clock can go back: it is stepped, or a replica with a slower one is promoted.
-- The counters outlive their window by this much, so that a window entered twice
-- still has them.
local GRACE_MS = 5000

-- Read once: the time moves on while a script runs, and the window that is
-- checked has to be the window that is reported.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

if KEYS[3] then
  local value = redis.call('GET', KEYS[3])
  if not value then
    return {GUARD_CHANGED, now}
  end
  if value ~= ARGV[5] then
    return {GUARD_CHANGED, now, value}
  end
end

local start = tonumber(ARGV[1])
local finish = start + tonumber(ARGV[2])
if now < start * 1000000 or now >= finish * 1000000 then
  return {OTHER_WINDOW, now}
end

local asked = tonumber(ARGV[3])
if asked == 0 then
  return {TAKEN, now, tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(redis.call('GET', KEYS[2]) or 0)}
end

-- add counts n permits, and makes a new counter vanish after its window.
local function add(key, n)
  local sum = redis.call('INCRBY', key, string.format('%.0f', n))
  if sum == n then
    redis.call('PEXPIREAT', key, finish * 1000 + GRACE_MS)
  end
  return sum
end

-- Refused permits go back, so that the counter says what was granted: a limit
-- that is raised within the window then opens at once, however many were refused.
local limit = tonumber(ARGV[4])
local count = add(KEYS[1], asked)
if count > limit then
  local refused = math.min(asked, count - limit)
  redis.call('DECRBY', KEYS[1], string.format('%.0f', refused))
  add(KEYS[2], refused)
end

return {TAKEN, now, count}
