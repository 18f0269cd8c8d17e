-- KEYS: entry. ARGV: fence, log, position, check.
local there = redis.call('HMGET', KEYS[1], 'f', 'l', 'p', 'c')
for i = 1, 4 do
  if there[i] ~= ARGV[i] then return 0 end
end
return redis.call('DEL', KEYS[1])
