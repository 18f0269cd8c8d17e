-- KEYS: entry. Fence, log, position, check, time, encoding, length, frame, rest of its time, now.
local entry = redis.call('HMGET', KEYS[1], 'f', 'l', 'p', 'c', 't', 'z', 'n', 'd')
if not entry[1] then return false end
local clock = redis.call('TIME')
entry[9] = redis.call('PTTL', KEYS[1])
entry[10] = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
return entry
