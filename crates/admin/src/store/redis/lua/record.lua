-- ARGV: name, log, position, check.
if ARGV[2] ~= head[1] then return false end
local row = redis.call('XRANGE', KEYS[2], ARGV[3] .. '-0', ARGV[3] .. '-0')[1]
if not row then return false end
local record = shown(row)
if record[4] ~= ARGV[4] then return false end
return {text(now), record}
