--[[ write: all that a batch has changed, once: one HSET a key, the change numbers, one entry of the stream.

  Needs: rewards, notices, pack_record, now_ms, orders, actions, events
  Gives: write_config, write_changed, write_intents
]]

local changes = {} -- ids of configs and instances
local instances, people = {}, {} -- of the intents: InstanceIntent and PersonIntent of engine/stream/intents.py

local function write_cells(config)
  local cells = {}
  if config.left_changed then
    cells[1], cells[2] = 'left', config.left
    if config.reopening then cells[3], cells[4] = 'reopens', config.reopens_ms end
    changes[#changes + 1] = config.id
  end
  for suffix, state in pairs(config.cells_changed) do
    state.rev = state.rev + 1
    cells[#cells + 1] = suffix
    cells[#cells + 1] = cmsgpack.pack(state)
    changes[#changes + 1] = config.id .. '.' .. suffix
    instances[#instances + 1] = {
      config.id, suffix, state.rev, state.status, state.current, state.target, state.wakeAt, state,
    }
  end
  if #cells > 0 then redis.call('HSET', config.cells_key, unpack(cells)) end
end

local function write_people(config)
  local records = {}
  for user in pairs(config.mine_changed) do
    local mine = config.mine[user]
    mine.rev = (mine.rev or 0) + 1
    people[#people + 1] = { config.id, user, mine.rev, mine }
    config.people_changed[user] = config.people[user]
  end
  for user in pairs(config.people_changed) do
    records[#records + 1] = user
    records[#records + 1] = pack_record(config, user)
  end
  if #records > 0 then redis.call('HSET', config.people_key, unpack(records)) end
end

local function write_config(config)
  write_cells(config)
  write_people(config)
end

local function write_changed(key)
  if #changes == 0 then return end
  -- The member `!` counts changes, so the poller's order depends on no clock.
  local number = redis.call('ZINCRBY', key, 1, '!')
  local scored = {}
  for _, id in ipairs(changes) do
    scored[#scored + 1] = number
    scored[#scored + 1] = id
  end
  redis.call('ZADD', key, unpack(scored))
end

local function write_intents(key, epoch)
  if #orders + #actions + #events + #instances + #people == 0 then return end
  -- The fields of Payload in engine/stream/intents.py, in their order.
  local payload = cmsgpack.pack({ now_ms, orders, actions, events, instances, people, rewards, notices })
  redis.call('XADD', key, '*', 'e', epoch, 'p', payload)
end
