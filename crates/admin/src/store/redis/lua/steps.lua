-- KEYS: steps of each instance. ARGV: position. When each has got there first, in milliseconds, or nothing.
local found = {}
for i, key in ipairs(KEYS) do
  local step = redis.call('ZRANGEBYSCORE', key, ARGV[1], '+inf', 'LIMIT', 0, 1)[1]
  found[i] = step and string.match(step, ':(%d+)$') or ''
end
return found
