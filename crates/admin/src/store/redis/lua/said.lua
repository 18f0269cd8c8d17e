-- ARGV: name, limit.
local speakers = redis.call('ZREVRANGE', KEYS[4], 0, tonumber(ARGV[2]) - 1)
local said = {}
for i, by in ipairs(speakers) do
  said[i] = {by, redis.call('HGET', KEYS[3], by) or '0'}
end
return said
