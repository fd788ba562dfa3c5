-- One join of a flash sale: requestId replay, window, limit, stock, hold, and the order's intent, in one call.
-- KEYS[1] hash    the sale: left, status, starts, ends, limit, price, current, target
-- KEYS[2] hash    user id -> msgpack list of [order id's first 16, fingerprint, state, quantity, pay_before_ms]
-- KEYS[3] stream  one entry an order; absent when orders go through BullMQ
-- ARGV    user, order id, fingerprint, quantity, request id, hold_ms, instance id
-- output  [outcome, replayed, pay_before_ms, status, current, target, amount_fen]; outcomes as in engine/gate/outcome.py
local user, order, fingerprint, quantity = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local sale = redis.call('HMGET', KEYS[1], 'left', 'status', 'starts', 'ends', 'limit', 'price', 'current', 'target')
local left = tonumber(sale[1])
if not left then return { 21 } end

local packed = redis.call('HGET', KEYS[2], user)
local entries = packed and cmsgpack.unpack(packed) or {}
local key, held = string.sub(order, 1, 16), 0
for i = 1, #entries do
  local entry = entries[i]
  if entry[1] == key then
    if entry[2] ~= fingerprint then return { 18 } end
    return { 0, 1, entry[5], sale[2], sale[7], sale[8], tonumber(sale[6]) * entry[4] }
  end
  if entry[3] > 0 then held = held + entry[4] end
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if sale[2] ~= 'ACTIVE' then return { 17 } end
if now < tonumber(sale[3]) then return { 13 } end
if now >= tonumber(sale[4]) then return { 14 } end
local limit = tonumber(sale[5])
if limit > 0 and held + quantity > limit then return { 11 } end
if left < quantity then return { 10 } end

local pay_before = now + tonumber(ARGV[6])
entries[#entries + 1] = { key, fingerprint, 1, quantity, pay_before }
redis.call('HINCRBY', KEYS[1], 'left', -quantity)
redis.call('HSET', KEYS[2], user, cmsgpack.pack(entries))
local amount = tonumber(sale[6]) * quantity
if KEYS[3] then
  redis.call('XADD', KEYS[3], '*', 'p',
    cmsgpack.pack({ now, order, ARGV[7], user, ARGV[5], quantity, amount, pay_before }))
end
return { 0, 0, pay_before, sale[2], sale[7], sale[8], amount }
