-- KEYS: lead. ARGV: length, how long its number is remembered beyond that.
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local led = redis.call('HMGET', KEYS[1], 'fence', 'till', 'length')
if led[1] then
  local left = tonumber(led[2]) - now
  -- More than it was given: the clock has been set back, or another server's clock counts now.
  if left > 0 and left <= tonumber(led[3]) then return {0, left} end
end
-- By the clock, so that it is greater than what was forgotten too.
local fence = math.max(micros, led[1] and tonumber(led[1]) + 1 or 1)
local function text(number) return string.format('%.0f', number) end
redis.call('HSET', KEYS[1], 'fence', text(fence), 'till', text(now + ARGV[1]), 'length', ARGV[1])
redis.call('PEXPIRE', KEYS[1], text(ARGV[1] + ARGV[2]))
return {1, text(fence)}
