-- KEYS: head, stream, said, speakers, steps, steppers, heard, applied.
-- ARGV: name, id, log, position, check, most steps, most instances, expiry.
local id, log, position = ARGV[2], ARGV[3], tonumber(ARGV[4])
if log ~= head[1] or position > tonumber(head[2]) then return 0 end
if position > 0 then
  local row = redis.call('XRANGE', KEYS[2], ARGV[4] .. '-0', ARGV[4] .. '-0')[1]
  if row and shown(row)[4] ~= ARGV[5] then return 0 end
end
local last = redis.call('ZREVRANGE', KEYS[5], 0, 0, 'WITHSCORES')
if not last[1] or tonumber(last[2]) < position then
  redis.call('ZADD', KEYS[5], ARGV[4], ARGV[4] .. ':' .. text(now))
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -(tonumber(ARGV[6]) + 1))
end
redis.call('PEXPIRE', KEYS[5], ARGV[8])
redis.call('ZADD', KEYS[6], text(now), id)
redis.call('ZREMRANGEBYRANK', KEYS[6], 0, -(tonumber(ARGV[7]) + 1))
redis.call('PEXPIRE', KEYS[6], ARGV[8])
if redis.call('ZSCORE', KEYS[7], id) then
  local there = redis.call('HGET', KEYS[8], id) or ''
  local old_log, old = string.match(there, '^(%x+)%.(%d+)%.')
  if old_log ~= log or tonumber(old) < position then
    redis.call('HSET', KEYS[8], id, log .. '.' .. ARGV[4] .. '.' .. ARGV[5])
  end
end
return 1
