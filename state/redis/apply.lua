-- Runs operations on keys of one bucket as one: all of them, or none.
-- KEYS: 1 meta (hash v: last version, u: bytes charged, b: budgets), 2 index of
--   the keys (sorted set, scores 0), 3 ends (sorted set, score: Unix milliseconds),
--   4 charges of the entries that end (hash), 5 events (stream), 6 scratch (string),
--   7.. the entries (strings), one for each operation.
-- ARGV: 1 the time in Unix milliseconds, or '' for the server's, 2 a version that
--   those of this call must exceed, 3 the length of the stream, 4 the longest value
--   that stands in it, 5 the length of what stands before the user's key in KEYS,
--   6 the number of budgets that the caller knows, and for each of them: its
--   prefix, what other buckets are charged, the limit or ''. Then for each
--   operation: its kind, the value or the step, the milliseconds to live ('0': for
--   ever, '': as before), the condition ('': none, '0': absent, or a version).
-- An entry is a byte 1, its version and its end (8 bytes each, big-endian), the value.
-- Reply: 'ok', bytes charged, and for each operation the version, 1 or 0 (it was
--   there), the sum; or what went wrong, the number of the operation, what was found.
local SET, DELETE, INCREMENT, EXPIRE, CHECK, SWEEP = '1', '2', '3', '4', '5', '6'
local HEAD, ENTRY_CHARGE = 17, 64
local call, pcall, format = redis.call, redis.pcall, string.format
local meta_key, index, ends_key, charges, stream, scratch = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]

local function text(n) return format('%.0f', n) end

local now, micros = tonumber(ARGV[1]), nil
local real = not now
if real then
	local t = call('TIME')
	micros = t[1] * 1000000 + t[2]
	now = math.floor(micros / 1000)
else
	micros = now * 1000
end

local meta = call('HMGET', meta_key, 'v', 'u', 'b')
local last, used = meta[1] or '0', tonumber(meta[2] or 0)
local version = math.max(tonumber(last), tonumber(ARGV[2]), micros - 1)
local stream_length, inline_max, head_length = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local hints = tonumber(ARGV[6])
local first = 6 + 3 * hints
local count = #KEYS - 6

-- The sum of a number of up to 19 digits and a step, or nil and what is wrong.
local function add(value, step)
	local sign, digits = string.match(value, '^([+-]?)0*(%d+)$')
	if not digits then return nil, 'number' end
	if #digits <= 15 and #step <= 15 then
		local sum = tonumber(digits)
		if sign == '-' then sum = -sum end
		sum = sum + tonumber(step)
		if sum == 0 then return '0' end
		return text(sum)
	end
	if sign == '+' or digits == '0' then sign = '' end
	call('SET', scratch, sign .. digits)
	local sum = pcall('INCRBY', scratch, step)
	local exact = call('GET', scratch)
	call('DEL', scratch)
	if type(sum) ~= 'table' then return exact end
	if string.find(sum.err, 'overflow', 1, true) then return nil, 'overflow' end
	return nil, 'number'
end

-- What each operation finds and does. Nothing is changed before all are planned.
local plans = {}
local delta = 0
for k = 1, count do
	local key, at = KEYS[6 + k], first + 4 * k - 3
	local kind, value, ttl, condition = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
	local name = string.sub(key, head_length + 1)
	local head = pcall('GETRANGE', key, 0, HEAD - 1)
	if type(head) == 'table' then return {'foreign', text(k - 1), head.err} end
	local p = {kind = kind, key = key, name = name, was = 0, ends = 0, charge = 0}
	if head == '' then
		local score = call('ZSCORE', ends_key, name)
		if score then
			p.ended, p.charge = true, tonumber(call('HGET', charges, name) or 0)
		end
	else
		if #head < HEAD or string.byte(head) ~= 1 then return {'foreign', text(k - 1), ''} end
		local _, was, ends = struct.unpack('>BI8I8', head)
		p.charge = call('STRLEN', key) - HEAD + #name + ENTRY_CHARGE
		if ends ~= 0 and ends <= now then
			p.ended = true
		else
			p.was, p.ends = was, ends
		end
	end
	if (condition == '0' and p.was ~= 0) or (condition ~= '' and condition ~= '0' and condition ~= text(p.was)) then
		return {'conflict', text(k - 1), text(p.was)}
	end
	local new_ends = 0
	if ttl == '' then
		new_ends = p.ends
	elseif ttl ~= '0' then
		new_ends = now + tonumber(ttl)
	end
	local charge = p.charge
	if p.ended then charge = 0 end
	if kind == SET then
		p.put, p.value, p.new_ends = true, value, new_ends
		charge = #value + #name + ENTRY_CHARGE
	elseif kind == DELETE then
		p.remove = p.was ~= 0
		charge = 0
	elseif kind == INCREMENT then
		local old = '0'
		if p.was ~= 0 then
			new_ends = p.ends
			if p.charge - #name - ENTRY_CHARGE > 64 then return {'number', text(k - 1), text(p.charge - #name - ENTRY_CHARGE)} end
			old = call('GETRANGE', key, HEAD, -1)
		end
		local sum, problem = add(old, value)
		if not sum then return {problem, text(k - 1), old} end
		p.put, p.value, p.sum, p.new_ends = true, sum, sum, new_ends
		charge = #sum + #name + ENTRY_CHARGE
	elseif kind == EXPIRE then
		p.head_only, p.new_ends = p.was ~= 0, new_ends
	end
	p.delta = charge - p.charge
	if kind == CHECK then p.delta, p.ended = 0, false end
	delta = delta + p.delta
	plans[k] = p
end

-- Budgets: of the store, which the caller knows, and of prefixes, which stand in meta.
local budgets = meta[3] and cmsgpack.unpack(meta[3])
local others, changed = {}, false
for h = 1, hints do
	local prefix, elsewhere, limit = ARGV[4 + 3 * h], tonumber(ARGV[5 + 3 * h]), ARGV[6 + 3 * h]
	others[prefix] = elsewhere
	if limit ~= '' and delta > 0 and used + elsewhere + delta > tonumber(limit) then
		return {'full', '0', text(used + elsewhere), limit}
	end
end
if budgets then
	for prefix, b in pairs(budgets) do
		local d = 0
		for k = 1, count do
			if plans[k].delta ~= 0 and string.sub(plans[k].name, 1, #prefix) == prefix then d = d + plans[k].delta end
		end
		if d ~= 0 then
			local sum = b[2] + (others[prefix] or 0)
			if d > 0 and b[1] > 0 and sum + d > b[1] then return {'full', '0', text(sum), text(b[1])} end
			b[2] = b[2] + d
			changed = true
		end
	end
end

local function tell(name, kind, ends, value)
	version = version + 1
	local id = text(version)
	if value then
		call('XADD', stream, 'MAXLEN', '~', stream_length, id, 'k', name, 'h', kind .. ' ' .. ends .. ' ' .. last, 'v', value)
	else
		call('XADD', stream, 'MAXLEN', '~', stream_length, id, 'k', name, 'h', kind .. ' ' .. ends .. ' ' .. last)
	end
	last = id
end

-- The end of the server's own, which is past when its clock is behind the end.
local function pxat(ends) return text(math.max(ends - 1, now + 1)) end

local reply = {'ok', ''}
for k = 1, count do
	local p = plans[k]
	local found = text(p.was)
	if p.ended then
		call('DEL', p.key)
		call('ZREM', index, p.name)
		call('ZREM', ends_key, p.name)
		call('HDEL', charges, p.name)
		tell(p.name, '3', '0')
	end
	if p.put or p.head_only then
		local new_ends = p.new_ends
		local shown = p.value
		if shown and #shown > inline_max then shown = nil end
		tell(p.name, '1', text(new_ends), shown)
		found = last
		local head = struct.pack('>BI8I8', 1, version, new_ends)
		if p.head_only then
			call('SETRANGE', p.key, 0, head)
			if new_ends == 0 then
				call('PERSIST', p.key)
			elseif real then
				call('PEXPIREAT', p.key, pxat(new_ends))
			end
		elseif new_ends ~= 0 and real then
			call('SET', p.key, head .. p.value, 'PXAT', pxat(new_ends))
		else
			call('SET', p.key, head .. p.value)
		end
		if p.was == 0 then call('ZADD', index, 0, p.name) end
		if new_ends ~= 0 then
			call('ZADD', ends_key, text(new_ends), p.name)
			call('HSET', charges, p.name, text(p.charge + p.delta))
		elseif p.ends ~= 0 then
			call('ZREM', ends_key, p.name)
			call('HDEL', charges, p.name)
		end
	elseif p.remove then
		call('DEL', p.key)
		call('ZREM', index, p.name)
		if p.ends ~= 0 then
			call('ZREM', ends_key, p.name)
			call('HDEL', charges, p.name)
		end
		tell(p.name, '2', '0')
		found = last
	elseif p.kind == DELETE and not p.ended then
		call('ZREM', index, p.name) -- where the server evicted the entry
	end
	local r = 3 * k
	reply[r], reply[r + 1], reply[r + 2] = found, p.was ~= 0 and '1' or '0', p.sum or ''
end
used = math.max(used + delta, 0)
if changed then
	call('HSET', meta_key, 'v', last, 'u', text(used), 'b', cmsgpack.pack(budgets))
elseif last ~= (meta[1] or '0') then
	call('HSET', meta_key, 'v', last, 'u', text(used))
end
reply[2] = text(used)
return reply
