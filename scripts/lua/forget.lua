--[[ forget: take away what is left of a config that has ended, and let every process hear of it.

  KEYS[1] epoch
  KEYS[2] changed
  KEYS[3] cells
  KEYS[4] people
  ARGV[1] epoch                the one the caller believes the shard is open in
  ARGV[2] config id
  Output: 1 it was there, and every process that asks what has changed is told
          0 it was not, and nothing speaks of it any more
          or the error FENCED: the shard is closed or open in another epoch; nothing was done
]]

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED the shard is not open in epoch ' .. ARGV[1])
end

if redis.call('UNLINK', KEYS[3], KEYS[4]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[2])
  return 0
end
redis.call('ZADD', KEYS[2], redis.call('ZINCRBY', KEYS[2], 1, '!'), ARGV[2])
return 1
