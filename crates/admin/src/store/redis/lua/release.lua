-- KEYS: lead. ARGV: channel, message, fence.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local led = redis.call('HMGET', KEYS[1], 'fence', 'till')
if led[1] ~= ARGV[3] or tonumber(led[2]) <= now then return 0 end
redis.call('HSET', KEYS[1], 'till', '0')
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
