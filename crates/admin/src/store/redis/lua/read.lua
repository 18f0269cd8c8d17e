-- ARGV: name, limit, most bytes; then log, position, check of the cursor, or none for the oldest that is retained.
local last, from = tonumber(head[2]), '-'
if ARGV[4] then
  local function reset(loss) return {loss, head[1], head[2], head[3]} end
  local after = tonumber(ARGV[5])
  if ARGV[4] ~= head[1] then return reset('other') end
  if after > last then return reset('rewritten') end
  if after == last and after > 0 then
    if ARGV[6] ~= head[3] then return reset('rewritten') end
  elseif after > 0 then
    local there = redis.call('XRANGE', KEYS[2], text(after) .. '-0', text(after) .. '-0')[1]
    if not there then return reset('trimmed') end
    if shown(there)[4] ~= ARGV[6] then return reset('rewritten') end
  elseif last > 0 then
    local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    if not first or shown(first)[1] ~= '1' then return reset('trimmed') end
  end
  from = text(after + 1) .. '-0'
end
local limit, records, more, bytes = tonumber(ARGV[2]), {}, 0, 0
for i, row in ipairs(redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', limit + 1)) do
  local record = shown(row)
  bytes = bytes + #record[6]
  if i > limit or (i > 1 and bytes > tonumber(ARGV[3])) then
    more = 1
    break
  end
  records[i] = record
end
return {'records', head[1], head[2], head[3], text(now), more, records}
