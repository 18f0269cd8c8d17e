-- KEYS: counts, since. ARGV: half-life, most names, limit; then for each name its count and itself. The hottest.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local since = tonumber(redis.call('GET', KEYS[2]) or now)
local factor = 2 ^ -(math.max(0, now - since) / tonumber(ARGV[1]))
-- Not at each call: all of the table is gone through.
local due = factor < 0.95
if due then
  redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[1], 'WEIGHTS', string.format('%.17g', factor))
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(0.5')
end
if due or since == now or since > now then
  redis.call('SET', KEYS[2], string.format('%.0f', now))
  factor = 1
end
for i = 4, #ARGV, 2 do
  redis.call('ZINCRBY', KEYS[1], string.format('%.17g', ARGV[i] / factor), ARGV[i + 1])
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(tonumber(ARGV[2]) + 1))
local limit = tonumber(ARGV[3])
if limit == 0 then return {} end
local rows, found = redis.call('ZREVRANGE', KEYS[1], 0, limit - 1, 'WITHSCORES'), {}
for i = 1, #rows, 2 do
  found[#found + 1] = {rows[i], string.format('%.0f', rows[i + 1] * factor)}
end
return found
