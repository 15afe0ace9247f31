-- The start of every script that takes permits. These scripts run for each request,
-- so they create no function or table without need. Redis writes a number that is
-- handed to a command with 17 digits, so integers below 2^53 arrive whole.
--
-- KEYS[1]  state of the key
-- KEYS[2]  counter of the permits refused
-- KEYS[3]  guard (optional)
-- ARGV     permits asked for, the algorithm's own, then permits that the caller has refused by itself
--          meanwhile, then the guard's expected value (with KEYS[3] only)
--
-- Replies, each with Redis's time in Unix microseconds:
--   {0, now, granted, state…}  taken; the state is that from before
--   {0, now}                   the guard holds, and no permits were asked for; nothing was written
--   {1, now}                   now lies outside the window that the caller named; nothing was written
--   {2, now[, value]}          the guard holds another value, or none; nothing was written

local TAKEN, OTHER_WINDOW, GUARD_CHANGED = 0, 1, 2
local NO_STATE = 'ERR value is not an integer or out of range'

-- The clock can go back: it is stepped, or a replica with a slower one is promoted.
-- What counts in a window outlives it by this much, so that a window entered twice
-- still has it.
local GRACE_MS = 5000

-- Read once: the time moves on while a script runs, and the time that is decided
-- by must be the time that is reported.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

if KEYS[3] then
  local value = redis.call('GET', KEYS[3])
  if not value then
    return {GUARD_CHANGED, now}
  end
  if value ~= ARGV[#ARGV] then
    return {GUARD_CHANGED, now, value}
  end
end

-- The caller asks only about the guard: the state of the key does not matter.
if ARGV[1] == '0' then
  return {TAKEN, now}
end

-- Permits refused elsewhere are counted with those refused here.
local elsewhere = tonumber(ARGV[KEYS[3] and #ARGV - 1 or #ARGV])
