--[[ gate: decide a batch of clicks and events of one shard, each wholly or not at all.

  KEYS[1] epoch
  KEYS[2] intents
  KEYS[3] changed
  KEYS[4..] cells, people      a pair for each config of the batch
  ARGV[1] epoch                the one the caller believes the shard is open in
  ARGV[2] batch                msgpack [hold_ttl_ms, reopen_ms, person_effects_max, clicks]
                               click: [config number from 1, verb, suffix, user, order id, fingerprint, quantity, request id]
  Output: msgpack [now_ms, replies]
          reply: an outcome, or [outcome, replayed, suffix, pay_before_ms, status, current, target]
          or the error FENCED: the shard is closed or open in another epoch; nothing was done

  Nothing is written before every click is decided, and then all of it: the script cannot stop half way.
  The loader puts before this file the outcome and status constants, `loaders` (code -> function that
  returns the playbook's steps) and `moves` (code -> status -> allowed next statuses).
]]

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED the shard is not open in epoch ' .. ARGV[1])
end

local RELEASED, HELD, PAID, ACTED = 0, 1, 2, 3
local WAS = { [HELD] = 'held', [PAID] = 'paid' }

local batch = cmsgpack.unpack(ARGV[2])
local hold_ttl_ms, reopen_ms, person_effects_max, clicks = batch[1], batch[2], batch[3], batch[4]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local orders, actions, events, instances = {}, {}, {}, {}

-- Reading ahead: one HMGET a key -----------------------------------------------------------

local configs = {}
for number = 1, (#KEYS - 3) / 2 do
  configs[number] = {
    id = string.match(KEYS[number * 2 + 2], '^{[^}]*}:([^:]*):'),
    cells_key = KEYS[number * 2 + 2], people_key = KEYS[number * 2 + 3],
    fields = { 'head', 'left', 'reopens' }, users = {},
    wanted_fields = { head = true, left = true, reopens = true }, wanted_users = {}, -- those three are no instances
    cells = {}, people = {}, cells_changed = {}, people_changed = {},
  }
end

local function want(list, wanted, name)
  if name ~= '' and not wanted[name] then
    wanted[name] = true
    list[#list + 1] = name
  end
end

for _, click in ipairs(clicks) do
  local config = configs[click[1]]
  want(config.fields, config.wanted_fields, click[3])
  want(config.users, config.wanted_users, click[4])
end

-- nil when the playbook is not installed or its file fails: then it has no steps, and its clicks are refused.
local function load_steps(code)
  local ok, steps = pcall(loaders[code] or error)
  return ok and type(steps) == 'table' and steps or nil
end

for _, config in ipairs(configs) do
  local values = redis.call('HMGET', config.cells_key, unpack(config.fields))
  if values[1] then
    local head = cmsgpack.unpack(values[1])
    head.rules = setmetatable({}, { __index = head.rules, __newindex = function() error('rules are read-only') end })
    config.head, config.left, config.reopens_ms = head, tonumber(values[2]), tonumber(values[3] or 0)
    config.steps, config.moves = load_steps(head.code), moves[head.code]
  end
  for i = 4, #values do
    if values[i] then config.cells[config.fields[i]] = cmsgpack.unpack(values[i]) end
  end
  if #config.users > 0 then
    local records = redis.call('HMGET', config.people_key, unpack(config.users))
    for i, user in ipairs(config.users) do
      config.people[user] = records[i] and cmsgpack.unpack(records[i]) or {}
    end
  end
end

-- The playbook's step: runs on an overlay, so one that fails leaves no trace ----------------

-- What a step may write: what the stream, jsonb and the clients can carry.
local INTEGER_MAX = { status = 4, current = 2 ^ 31 - 1, target = 2 ^ 31 - 1, wakeAt = 2 ^ 45 }

local function check_cell(name, value)
  assert(type(name) == 'string' and string.find(name, '^%a%w*$'), 'a cell may not be called ' .. tostring(name))
  assert(name ~= 'rev', 'cell rev belongs to the engine')
  if type(value) == 'number' then
    assert(value == math.floor(value) and math.abs(value) < 2 ^ 53, 'cell ' .. name .. ' is not a whole number')
  elseif type(value) == 'string' then
    assert(not string.find(value, '[^ -~]'), 'cell ' .. name .. ' is not printable ASCII')
  else
    assert(type(value) == 'boolean', 'cell ' .. name .. ' holds a ' .. type(value))
  end
  local max = INTEGER_MAX[name]
  assert(not max or (type(value) == 'number' and value >= 0 and value <= max), 'cell ' .. name .. ' is out of bounds')
end

local function check_overlay(config, cells, overlay)
  for name, value in next, overlay do
    check_cell(name, value)
  end
  local before, after = cells.status, rawget(overlay, 'status')
  if after ~= nil and after ~= before then
    local allowed = config.moves[before]
    assert(allowed and allowed[after], 'the states do not allow ' .. before .. ' -> ' .. after)
  end
end

local function try_step(config, verb, click, cells, overlay)
  local answer = config.steps[verb](click, config.head.rules, overlay)
  if answer == nil then return check_overlay(config, cells, overlay) end
  assert(step_refusals[answer], 'a step may not answer ' .. tostring(answer))
  return answer
end

local falls_through = {} -- one metatable an instance, however many clicks it gets

-- Runs one step. Returns a refusal; or nil when the instance took it, and whether it changed.
local function run_step(config, verb, click, cells)
  local through = falls_through[cells]
  if not through then
    through = { __index = cells }
    falls_through[cells] = through
  end
  local overlay = setmetatable({}, through)
  local ok, refusal = pcall(try_step, config, verb, click, cells, overlay)
  if not ok then
    redis.log(redis.LOG_WARNING, 'playbook ' .. config.head.code .. ' ' .. verb .. ': ' .. tostring(refusal))
    return PLAYBOOK_FAILED
  end
  if refusal then return refusal end
  local changed = false
  for name, value in next, overlay do
    if cells[name] ~= value then
      cells[name] = value
      changed = true
    end
  end
  return nil, changed
end

-- A consumer's click ------------------------------------------------------------------------

local function find(record, key)
  for _, entry in ipairs(record) do
    if entry[1] == key then return entry end
  end
end

local function live(record, suffix)
  local units, seats = 0, 0
  for _, entry in ipairs(record) do
    if entry[3] == HELD or entry[3] == PAID then
      units = units + entry[4]
      if entry[5] == suffix then seats = seats + 1 end
    end
  end
  return units, seats
end

local function closed(head)
  if head.status == CONFIG_PAUSED then return PAUSED end
  if head.status ~= CONFIG_PUBLISHED or now_ms >= head.ends then return ENDED end
  if now_ms < head.starts then return NOT_STARTED end
end

local function refuse(config, verb, suffix, quantity, record, reserving)
  local refusal = closed(config.head)
  if refusal then return refusal end
  if not (config.steps and config.steps[verb]) then return ACTION_UNKNOWN end
  if verb == 'open' then
    if config.cells[suffix] then return CONFLICT end
  elseif not config.cells[suffix] then
    return INSTANCE_NOT_FOUND
  end
  local units, seats = live(record, suffix)
  if #record >= person_effects_max then return LIMIT_REACHED end
  if reserving and config.head.limit > 0 and units + quantity > config.head.limit then return LIMIT_REACHED end
  if reserving and (config.left < quantity or now_ms < config.reopens_ms) then return SOLD_OUT end
  return nil, seats
end

local function decide(config, click)
  local verb, suffix, user, id, fingerprint, quantity, request_id = unpack(click, 2, 8)
  if not config.head then return CONFIG_NOT_FOUND end
  local record, key = config.people[user], string.sub(id, 1, 16)
  local seen = find(record, key)
  if seen then
    if seen[2] ~= fingerprint then return REQUEST_ID_REUSED end
    return { seen[3] == ACTED and DONE or RESERVED, true, seen[5], seen[6], seen[7], seen[8], seen[9] }
  end
  local reserving = reserves[config.head.code] and reserves[config.head.code][verb] or false
  local refusal, seats = refuse(config, verb, suffix, quantity, record, reserving)
  if refusal then return refusal end

  local cells = config.cells[suffix] or { status = PENDING, current = 0, target = 0, wakeAt = 0, rev = 0 }
  local asked = { verb = verb, user = user, quantity = quantity, now = now_ms, seats = seats }
  local changed
  refusal, changed = run_step(config, verb, asked, cells)
  if refusal then return refusal end

  config.cells[suffix] = cells
  if changed or verb == 'open' then config.cells_changed[suffix] = cells end
  local pay_before_ms = reserving and now_ms + hold_ttl_ms or 0
  record[#record + 1] = {
    key, fingerprint, reserving and HELD or ACTED, reserving and quantity or 0, suffix, pay_before_ms,
    cells.status, cells.current, cells.target,
  }
  config.people_changed[user] = record
  if reserving then
    config.left = config.left - quantity
    config.left_changed = true
    orders[#orders + 1] = {
      id, config.id, suffix, user, request_id, quantity, config.head.price * quantity, pay_before_ms, fingerprint,
      cells.status, cells.current, cells.target,
    }
  else
    actions[#actions + 1] = {
      id, config.id, suffix, user, request_id, verb, fingerprint, cells.status, cells.current, cells.target,
    }
  end
  return { reserving and RESERVED or DONE, false, suffix, pay_before_ms, cells.status, cells.current, cells.target }
end

-- An event: what Postgres decided about an order, or the time that has come for an instance ---

local function tell(config, kind, suffix, user, quantity, was, seats)
  local cells = config.cells[suffix]
  if not (cells and config.steps and config.steps[kind]) then return nil end
  local asked = { verb = kind, user = user, quantity = quantity, now = now_ms, was = was, seats = seats }
  local refusal, changed = run_step(config, kind, asked, cells)
  if changed then config.cells_changed[suffix] = cells end
  return refusal
end

local function wake(config, suffix)
  if not (config.head and config.cells[suffix]) then return UNCHANGED end
  local refusal = tell(config, 'deadline', suffix, '', 0, nil, 0)
  return refusal or (config.cells_changed[suffix] and DONE or UNCHANGED)
end

local function settle_paid(config, suffix, user, entry, record)
  local _, seats = live(record, suffix)
  local refusal = tell(config, 'paid', suffix, user, entry[4], WAS[HELD], seats)
  if refusal then return refusal end
  entry[3] = PAID
  return DONE
end

local function settle_released(config, suffix, user, entry, record)
  local was = WAS[entry[3]]
  entry[3] = RELEASED -- the stock comes back whatever the step says
  if config.left == 0 then
    -- Every API process is to hear of it before anyone buys: see Live.sold_out in engine/catalog/live.py.
    config.reopens_ms = now_ms + reopen_ms
    config.reopening = reopen_ms > 0
  end
  config.left = config.left + entry[4]
  config.left_changed = true
  local _, seats = live(record, suffix)
  tell(config, 'released', suffix, user, entry[4], was, seats)
  return DONE
end

local function settle(config, click)
  local kind, suffix, user, id = click[2], click[3], click[4], click[5]
  if kind == 'deadline' then return wake(config, suffix) end
  local record = config.head and config.people[user]
  local entry = record and find(record, string.sub(id, 1, 16))
  local outcome = UNCHANGED
  if entry and kind == 'paid' and entry[3] == HELD then
    outcome = settle_paid(config, suffix, user, entry, record)
  elseif entry and kind == 'released' and (entry[3] == HELD or entry[3] == PAID) then
    outcome = settle_released(config, suffix, user, entry, record)
  end
  if outcome == PLAYBOOK_FAILED then return outcome end -- no intent: the event is sent again
  if outcome == DONE then config.people_changed[user] = record end
  events[#events + 1] = { id, config.id, kind, entry and entry[3] or -1, outcome }
  return outcome
end

-- Deciding ----------------------------------------------------------------------------------

local EVENTS = { paid = true, released = true, deadline = true }
local replies = {}
for i, click in ipairs(clicks) do
  local config = configs[click[1]]
  replies[i] = EVENTS[click[2]] and settle(config, click) or decide(config, click)
end

-- Writing: all of the batch, once -----------------------------------------------------------

local changes = {}
for _, config in ipairs(configs) do
  local cells, people = {}, {}
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
  for user, record in pairs(config.people_changed) do
    people[#people + 1] = user
    people[#people + 1] = cmsgpack.pack(record)
  end
  if #cells > 0 then redis.call('HSET', config.cells_key, unpack(cells)) end
  if #people > 0 then redis.call('HSET', config.people_key, unpack(people)) end
end

if #changes > 0 then
  -- The member `!` counts changes, so the poller's order depends on no clock.
  local number = redis.call('ZINCRBY', KEYS[3], 1, '!')
  local scored = {}
  for _, id in ipairs(changes) do
    scored[#scored + 1] = number
    scored[#scored + 1] = id
  end
  redis.call('ZADD', KEYS[3], unpack(scored))
end

if #orders + #actions + #events + #instances > 0 then
  local intents = cmsgpack.pack({ now_ms, orders, actions, events, instances })
  redis.call('XADD', KEYS[2], '*', 'e', ARGV[1], 'p', intents)
end

return cmsgpack.pack({ now_ms, replies })
