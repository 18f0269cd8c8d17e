-- KEYS: entry. ARGV: channel, message, keep; fence, log, position, check, encoding, length, frame. Numbers that are compared
-- have 20 digits, since a number of Lua cannot hold them.
local fence, log, position = ARGV[4], ARGV[5], ARGV[6]
local old = redis.call('HMGET', KEYS[1], 'f', 'l', 'p')
if old[1] and old[2] == log then
  local none = string.rep('0', 20)
  if old[1] ~= none and fence ~= none and old[1] ~= fence then
    if old[1] > fence then return 0 end
  elseif old[3] > position then
    return 0
  end
end
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
-- All of its fields, and nothing before: a script that has written already may go on when the server is full.
redis.call('HSET', KEYS[1], 'f', fence, 'l', log, 'p', position, 'c', ARGV[7], 't', now,
  'z', ARGV[8], 'n', ARGV[9], 'd', ARGV[10])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
