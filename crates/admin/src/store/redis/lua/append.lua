-- ARGV: name, channel, most records, most speakers; then for each record by (or nothing), seq, check, body.
local position, check, ids = tonumber(head[2]), head[3], {}
for i = 5, #ARGV, 4 do
  local by, seq = ARGV[i], ARGV[i + 1]
  local last = by ~= '' and redis.call('HGET', KEYS[3], by)
  if last and seq <= last then
    ids[#ids + 1] = ''
  else
    position, check = position + 1, ARGV[i + 2]
    local place = text(position)
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], place .. '-0',
      'b', by, 's', seq, 'c', check, 't', text(now), 'd', ARGV[i + 3])
    redis.call('HSET', KEYS[1], 'position', place, 'check', check)
    if by ~= '' then
      redis.call('HSET', KEYS[3], by, seq)
      redis.call('ZADD', KEYS[4], place, by)
    end
    ids[#ids + 1] = place .. '.' .. check
  end
end
local excess = redis.call('ZCARD', KEYS[4]) - tonumber(ARGV[4])
if excess > 0 then
  for _, by in ipairs(redis.call('ZRANGE', KEYS[4], 0, excess - 1)) do
    redis.call('ZREM', KEYS[4], by)
    redis.call('HDEL', KEYS[3], by)
  end
end
redis.call('PUBLISH', ARGV[2], 'log')
return {head[1], text(position), check, ids}
