--[[ gate: decide a batch of clicks and events of one shard, each wholly or not at all.

  KEYS[1] epoch
  KEYS[2] intents
  KEYS[3] changed
  KEYS[4..] cells, people      a pair for each config of the batch
  ARGV[1] epoch                the one the caller believes the shard is open in
  ARGV[2] batch                msgpack, a Batch of engine/gate/wire.py
  Output: msgpack, an Answer of engine/gate/wire.py
          or the error FENCED: the shard is closed or open in another epoch; nothing was done

  Nothing is written before every click is decided, and then all of it: the script cannot stop half way.
  Its parts are the includes that the loader puts before this file: scripts/lua/README.md.
]]

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED the shard is not open in epoch ' .. ARGV[1])
end

local batch = cmsgpack.unpack(ARGV[2])
local clicks = batch[BATCH_CLICKS]
hold_ttl_ms, reopen_ms = batch[BATCH_HOLD_TTL_MS], batch[BATCH_REOPEN_MS]
person_effects_max, batch_seed = batch[BATCH_PERSON_EFFECTS_MAX], batch[BATCH_SEED]
now_ms = clock()

local configs = read_configs(KEYS, clicks)

local replies = {}
for i, click in ipairs(clicks) do
  local config = configs[click[CLICK_CONFIG]]
  replies[i] = EVENTS[click[CLICK_VERB]] and settle(config, click) or decide(config, click)
end

for _, config in ipairs(configs) do write_config(config) end
write_changed(KEYS[3])
write_intents(KEYS[2], ARGV[1])

return cmsgpack.pack({ now_ms, replies, failures })
