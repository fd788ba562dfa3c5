--[[ forget: take away all of a config that is archived, and let every process hear of it.

  KEYS[1] epoch
  KEYS[2] changed
  KEYS[3] gone
  KEYS[4] cells
  KEYS[5] people
  ARGV[1] epoch                the one the caller believes the shard is open in
  ARGV[2] config id
  ARGV[3] ms                   so long is it announced that a config has gone
  Output: 1
          or the error FENCED: the shard is closed or open in another epoch; nothing was done
]]

local OLD_MAX = 100 -- announcements that are taken back in one call

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED the shard is not open in epoch ' .. ARGV[1])
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local old = redis.call('ZRANGE', KEYS[3], '-inf', now_ms - ARGV[3], 'BYSCORE', 'LIMIT', 0, OLD_MAX)
if #old > 0 then
  redis.call('ZREM', KEYS[2], unpack(old))
  redis.call('ZREM', KEYS[3], unpack(old))
end

redis.call('UNLINK', KEYS[4], KEYS[5])
redis.call('ZADD', KEYS[2], redis.call('ZINCRBY', KEYS[2], 1, '!'), ARGV[2])
redis.call('ZADD', KEYS[3], now_ms, ARGV[2])
return 1
