-- Gives a prefix a budget, or takes it away, or tells of all.
-- KEYS: 1 meta. ARGV: none, or the prefix, the limit (0: none), what it is charged
--   now, and the version of the store that this was counted at (any: whichever).
-- Reply: 'ok' or 'moved' (the version is another); without ARGV the bytes charged in
--   all, and for each budget its prefix, limit and charge.
local meta = redis.call('HMGET', KEYS[1], 'v', 'u', 'b')
local budgets = meta[3] and cmsgpack.unpack(meta[3]) or {}
if #ARGV == 0 then
	local reply = {meta[2] or '0'}
	for prefix, b in pairs(budgets) do
		reply[#reply + 1] = prefix
		reply[#reply + 1] = string.format('%.0f', b[1])
		reply[#reply + 1] = string.format('%.0f', b[2])
	end
	return reply
end
if ARGV[4] ~= 'any' and ARGV[4] ~= (meta[1] or '') then return {'moved'} end
budgets[ARGV[1]] = nil
if ARGV[2] ~= '0' then budgets[ARGV[1]] = {tonumber(ARGV[2]), tonumber(ARGV[3])} end
if next(budgets) == nil then
	redis.call('HDEL', KEYS[1], 'b')
else
	redis.call('HSET', KEYS[1], 'b', cmsgpack.pack(budgets))
end
return {'ok'}
