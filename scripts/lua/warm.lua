--[[ warm: make a config known to the gate, or tell it that the config's head has changed.

  KEYS[1] epoch
  KEYS[2] changed
  KEYS[3] cells
  ARGV[1] epoch                the one the caller believes the shard is open in
  ARGV[2] config id
  ARGV[3] head                 msgpack, replaces the one there
  ARGV[4] stock                units, kept when the config has been sold from before
  ARGV[5..] suffix, cells      a pair for each session; one that exists is left as it is
  Output: Redis' time in ms
          or the error FENCED: the shard is closed or open in another epoch; nothing was done
]]

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED the shard is not open in epoch ' .. ARGV[1])
end

redis.call('HSET', KEYS[3], 'head', ARGV[3])
redis.call('HSETNX', KEYS[3], 'left', ARGV[4])
local number = redis.call('ZINCRBY', KEYS[2], 1, '!')
redis.call('ZADD', KEYS[2], number, ARGV[2])
for i = 5, #ARGV, 2 do
  redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], number, ARGV[2] .. '.' .. ARGV[i])
end
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
