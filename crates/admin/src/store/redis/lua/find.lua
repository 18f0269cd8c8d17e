-- ARGV: name, then by, seq of each record that is looked for. Where each stands; nothing where it is not found.
local wanted, missing = {}, 0
for i = 2, #ARGV, 2 do
  wanted[ARGV[i] .. '.' .. ARGV[i + 1]] = ''
  missing = missing + 1
end
local till, seen, rows = '+', 0, nil
repeat
  rows = redis.call('XREVRANGE', KEYS[2], till, '-', 'COUNT', 500)
  for _, row in ipairs(rows) do
    local record = shown(row)
    local name = record[2] .. '.' .. record[3]
    if wanted[name] == '' then
      wanted[name] = record[1] .. '.' .. record[4]
      missing = missing - 1
    end
    till = text(tonumber(record[1]) - 1) .. '-0'
  end
  seen = seen + #rows
until missing <= 0 or #rows < 500 or seen >= 10000
local found = {}
for i = 2, #ARGV, 2 do
  found[#found + 1] = wanted[ARGV[i] .. '.' .. ARGV[i + 1]]
end
return {head[1], found}
