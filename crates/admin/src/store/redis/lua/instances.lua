-- KEYS: heard, reports, applied. ARGV: expiry.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local heard = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text(now - ARGV[1]), '+inf', 'WITHSCORES')
local all = {}
for i = 1, #heard, 2 do
  local id = heard[i]
  local report = redis.call('HGET', KEYS[2], id) or '{}'
  local applied = redis.call('HGET', KEYS[3], id) or ''
  all[#all + 1] = {id, text(math.max(0, now - heard[i + 1])), applied, report}
end
return all
