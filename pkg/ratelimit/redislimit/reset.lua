-- Forgets all permits taken and refused for a key.
--
-- KEYS     state of the key, and counter of the permits refused
-- ARGV[1]  start of the window that the caller believes to be the current one, in
--          Unix seconds (fixed_window only)
-- ARGV[2]  its length in seconds (fixed_window only)
--
-- Replies, each with Redis's time in Unix microseconds:
--   {0, now}  forgotten
--   {1, now}  now lies outside the window; nothing was written

local FORGOTTEN, OTHER_WINDOW = 0, 1

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

if ARGV[1] then
  local start = tonumber(ARGV[1])
  local finish = start + tonumber(ARGV[2])
  if now < start * 1000000 or now >= finish * 1000000 then
    return {OTHER_WINDOW, now}
  end
end

redis.call('DEL', unpack(KEYS))
return {FORGOTTEN, now}
