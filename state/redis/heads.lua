-- Reads what stands before the values of the entries KEYS, and their lengths.
-- Reply: for each key the head ('' when there is none) and the length of the whole.
local reply = {}
for k, key in ipairs(KEYS) do
	local head = redis.pcall('GETRANGE', key, 0, 16)
	if type(head) == 'table' then head = '?' end
	reply[2 * k - 1] = head
	reply[2 * k] = head == '' and 0 or head == '?' and 1 or redis.call('STRLEN', key)
end
return reply
