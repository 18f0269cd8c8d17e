-- KEYS: head, stream, said, speakers. ARGV[1]: the name of the log that begins where there is none.
local head = redis.call('HMGET', KEYS[1], 'log', 'position', 'check')
if not head[1] then
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
  head = {ARGV[1], '0', '00000000'}
  redis.call('HSET', KEYS[1], 'log', head[1], 'position', head[2], 'check', head[3])
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- A number without an exponent, whatever its size.
local function text(number) return string.format('%.0f', number) end
-- Of a record: position, by, seq, check, time, body.
local function shown(row)
  local fields = row[2]
  return {string.match(row[1], '^%d+'), fields[2], fields[4], fields[6], fields[8], fields[10]}
end
