-- KEYS: heard, reports, applied. ARGV: id, report, applied (or nothing), expiry, most instances.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number) return string.format('%.0f', number) end
redis.call('ZADD', KEYS[1], text(now), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
-- It may have polled since it wrote that, and what it has applied only grows.
local old_log, old = string.match(redis.call('HGET', KEYS[3], ARGV[1]) or '', '^(%x+)%.(%d+)%.')
local log, position = string.match(ARGV[3], '^(%x+)%.(%d+)%.')
if log and (log ~= old_log or tonumber(position) > tonumber(old)) then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
end
local function forget(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  end
end
forget(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now - ARGV[4]), 'LIMIT', 0, 100))
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[5])
if excess > 0 then forget(redis.call('ZRANGE', KEYS[1], 0, excess - 1)) end
return 1
