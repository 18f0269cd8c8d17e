-- KEYS: config. ARGV: channel, seen, body.
local there = redis.call('HGET', KEYS[1], 'version') or '0'
if there ~= ARGV[2] then return {0, there} end
local clock = redis.call('TIME')
-- By the clock, so that it is greater than what an emptied store has forgotten.
local version = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(there) + 1)
version = string.format('%.0f', version)
redis.call('HSET', KEYS[1], 'version', version, 'body', ARGV[3])
redis.call('PUBLISH', ARGV[1], 'log')
return {1, version}
