--[[ gate: decide a batch of clicks and events of one shard, each wholly or not at all.

  KEYS[1] epoch
  KEYS[2] intents
  KEYS[3] changed
  KEYS[4..] cells, people      a pair for each config of the batch
  ARGV[1] epoch                the one the caller believes the shard is open in
  ARGV[2] batch                msgpack [hold_ttl_ms, reopen_ms, person_effects_max, seed, clicks]
                               click: [config number from 1, verb, suffix, user, order id, fingerprint, quantity,
                               request id, extra]; extra: facts by name; of `late` the instances that may take the payer
                               in; of `released` the state that Postgres believes the order to be in
  Output: msgpack [now_ms, replies]
          reply: an outcome, or [outcome, replayed, suffix, pay_before_ms, status, current, target]
          or the error FENCED: the shard is closed or open in another epoch; nothing was done

  Nothing is written before every click is decided, and then all of it: the script cannot stop half way.
  The loader puts before this file the outcome and status constants, `clock`, include/steps.lua and `playbook_of`
  (code -> steps, moves, reserving verbs and early verbs of that playbook; nothing when it is not installed).
]]

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED the shard is not open in epoch ' .. ARGV[1])
end

local RELEASED, HELD, PAID, ACTED = 0, 1, 2, 3
local WAS = { [HELD] = 'held', [PAID] = 'paid' }
local CANDIDATES_MAX = 8

local batch = cmsgpack.unpack(ARGV[2])
local hold_ttl_ms, reopen_ms, person_effects_max, clicks = batch[1], batch[2], batch[3], batch[5]
local now_ms = clock()
batch_seed = batch[4]

local orders, actions, events, instances, people = {}, {}, {}, {}, {}

-- Reading ahead: one HMGET a key -----------------------------------------------------------

local configs = {}
for number = 1, (#KEYS - 3) / 2 do
  configs[number] = {
    id = string.match(KEYS[number * 2 + 2], '^{[^}]*}:([^:]*):'),
    cells_key = KEYS[number * 2 + 2], people_key = KEYS[number * 2 + 3],
    fields = { 'head', 'left', 'reopens' }, users = {},
    wanted_fields = { head = true, left = true, reopens = true }, wanted_users = {}, -- those three are no instances
    cells = {}, people = {}, mine = {}, cells_changed = {}, people_changed = {}, mine_changed = {},
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
  if click[2] == 'late' then
    for i, suffix in ipairs(click[9] or {}) do
      if i <= CANDIDATES_MAX then want(config.fields, config.wanted_fields, suffix) end
    end
  end
end

-- A record is a list of entries, led by a map of the person's own cells when the playbook keeps any.
local function read_people(config)
  local records = redis.call('HMGET', config.people_key, unpack(config.users))
  for i, user in ipairs(config.users) do
    local record = records[i] and cmsgpack.unpack(records[i]) or {}
    if record[1] and record[1][1] == nil then
      local mine = table.remove(record, 1)
      config.mine[user] = mine
      if mine.at then want(config.fields, config.wanted_fields, mine.at) end
    end
    config.people[user] = record
  end
end

-- Nothing when the playbook is not installed or its file fails: its clicks are told that the config is paused.
local function load_playbook(config)
  begin_run()
  local ok, steps, allowed, reserving, early = pcall(playbook_of, config.head.code)
  if ok and type(steps) == 'table' then
    config.steps, config.moves, config.reserves, config.early = steps, allowed, reserving, early
  end
end

for _, config in ipairs(configs) do
  if #config.users > 0 then read_people(config) end
  local values = redis.call('HMGET', config.cells_key, unpack(config.fields))
  if values[1] then
    local head = cmsgpack.unpack(values[1])
    head.rules = read_only(head.rules)
    config.head, config.left, config.reopens_ms = head, tonumber(values[2]), tonumber(values[3] or 0)
    load_playbook(config)
  end
  for i = 4, #values do
    if values[i] then config.cells[config.fields[i]] = cmsgpack.unpack(values[i]) end
  end
end

-- A consumer's click ------------------------------------------------------------------------

local function find(record, key)
  for _, entry in ipairs(record) do
    if entry[1] == key then return entry end
  end
end

-- What a person has on a config: units; in one of its instances: orders that live, effects that hold no stock.
local function live(record, suffix)
  local units, seats, acts = 0, 0, 0
  for _, entry in ipairs(record) do
    if entry[3] == HELD or entry[3] == PAID then
      units = units + entry[4]
      if entry[5] == suffix then seats = seats + 1 end
    elseif entry[3] == ACTED and entry[5] == suffix then
      acts = acts + 1
    end
  end
  return units, seats, acts
end

local function fresh_cells()
  return { status = PENDING, current = 0, target = 0, wakeAt = 0, rev = 0 }
end

local function closed(config, verb)
  local head = config.head
  if head.status == CONFIG_PAUSED or not config.steps then return PAUSED end
  if head.status ~= CONFIG_PUBLISHED or now_ms >= head.ends then return ENDED end
  if now_ms < head.starts and not config.early[verb] then return NOT_STARTED end
end

-- Units an instance may still give away: its session's own, if it has any, and the config's.
local function has_units(config, cells, quantity)
  return not (config.left < quantity or (cells and cells.left and cells.left < quantity))
end

local function take_units(config, cells, quantity)
  config.left = config.left - quantity
  config.left_changed = true
  if cells.left then cells.left = cells.left - quantity end
end

local function refuse(config, verb, suffix, quantity, record, reserving)
  local refusal = closed(config, verb)
  if refusal then return refusal end
  if not config.steps[verb] then return ACTION_UNKNOWN end
  if verb == 'open' then
    if config.cells[suffix] then return CONFLICT end
  elseif not config.cells[suffix] then
    return INSTANCE_NOT_FOUND
  end
  local units, seats, acts = live(record, suffix)
  if #record >= person_effects_max then return LIMIT_REACHED end
  if reserving and config.head.limit > 0 and units + quantity > config.head.limit then return LIMIT_REACHED end
  if reserving and (now_ms < config.reopens_ms or not has_units(config, config.cells[suffix], quantity)) then
    return SOLD_OUT
  end
  return nil, seats, acts
end

-- A person may have an instance where all their joins go (`me.at`), whichever they clicked on.
local function place_of(config, verb, suffix, user)
  local mine = verb == 'join' and config.mine[user]
  return mine and mine.at and config.cells[mine.at] and mine.at or suffix
end

local function decide(config, click)
  local verb, suffix, user, id, fingerprint, quantity, request_id, facts = unpack(click, 2, 9)
  if not config.head then return CONFIG_NOT_FOUND end
  local record, key = config.people[user], string.sub(id, 1, 16)
  local seen = find(record, key)
  if seen then
    if seen[2] ~= fingerprint then return REQUEST_ID_REUSED end
    return { seen[3] == ACTED and DONE or RESERVED, true, seen[5], seen[6], seen[7], seen[8], seen[9] }
  end
  local reserving = config.steps and config.reserves[verb] or false
  suffix = place_of(config, verb, suffix, user)
  local refusal, seats, acts = refuse(config, verb, suffix, quantity, record, reserving)
  if refusal then return refusal end

  local cells, price = config.cells[suffix] or fresh_cells(), config.head.price
  local asked = {
    verb = verb, user = user, quantity = quantity, now = now_ms, seats = seats, acts = acts, instance = suffix,
    price = price, order = key,
  }
  if facts then
    asked.newcomer, asked.device, asked.address = facts.newcomer, facts.device, facts.address
  end
  local changed
  refusal, changed = run_step(config, asked, id, cells)
  if refusal then return refusal end

  config.cells[suffix] = cells
  if changed or verb == 'open' or (reserving and cells.left) then config.cells_changed[suffix] = cells end
  local pay_before_ms = reserving and now_ms + hold_ttl_ms or 0
  record[#record + 1] = {
    key, fingerprint, reserving and HELD or ACTED, reserving and quantity or 0, suffix, pay_before_ms,
    cells.status, cells.current, cells.target,
  }
  config.people_changed[user] = record
  if reserving then
    take_units(config, cells, quantity)
    orders[#orders + 1] = {
      id, config.id, suffix, user, request_id, quantity, asked.price * quantity, pay_before_ms, fingerprint,
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

local EVENTS = { paid = true, released = true, late = true, deadline = true }

local function tell(config, kind, suffix, user, id, quantity, was, record)
  local cells = config.cells[suffix]
  if not (cells and config.steps[kind]) then return nil end
  local _, seats, acts = live(record, suffix)
  local asked = {
    verb = kind, user = user, quantity = quantity, now = now_ms, seats = seats, acts = acts, instance = suffix,
    price = config.head.price, order = string.sub(id, 1, 16), was = was,
  }
  local refusal, changed = run_step(config, asked, id, cells)
  if changed then config.cells_changed[suffix] = cells end
  return refusal
end

local function wake(config, suffix)
  if not (config.steps and config.cells[suffix]) then return UNCHANGED end
  local refusal = tell(config, 'deadline', suffix, '', '', 0, nil, {})
  return refusal or (config.cells_changed[suffix] and DONE or UNCHANGED)
end

local function settle_paid(config, user, id, entry, record)
  local refusal = tell(config, 'paid', entry[5], user, id, entry[4], WAS[HELD], record)
  if refusal then return refusal end
  entry[3] = PAID
  return DONE
end

local function settle_released(config, user, id, entry, record)
  local was, cells = WAS[entry[3]], config.cells[entry[5]]
  entry[3] = RELEASED -- the stock comes back whatever the step says
  if config.left == 0 then
    -- Every API process is to hear of it before anyone buys: see Live.sold_out in engine/live/live.py.
    config.reopens_ms = now_ms + reopen_ms
    config.reopening = reopen_ms > 0
  end
  config.left = config.left + entry[4]
  config.left_changed = true
  if cells and cells.left then
    cells.left = cells.left + entry[4]
    config.cells_changed[entry[5]] = cells
  end
  tell(config, 'released', entry[5], user, id, entry[4], was, record)
  return DONE
end

-- Whether an instance takes in somebody whose payment came late: as joined and paid at once.
local function take_in(config, suffix, user, id, entry, record)
  local cells = config.cells[suffix]
  local fresh = not cells and suffix == string.sub(id, 17)
  if not (cells or fresh) then return INSTANCE_NOT_FOUND end
  cells = cells or fresh_cells()
  if not has_units(config, cells, entry[4]) then return SOLD_OUT end
  local _, seats, acts = live(record, suffix)
  local asked = {
    verb = 'late', user = user, quantity = entry[4], now = now_ms, seats = seats, acts = acts, instance = suffix,
    price = config.head.price, order = string.sub(id, 1, 16), fresh = fresh,
  }
  local refusal = run_step(config, asked, id, cells)
  if refusal then return refusal end
  config.cells[suffix], config.cells_changed[suffix] = cells, cells
  take_units(config, cells, entry[4])
  entry[3], entry[5] = PAID, suffix
  return DONE
end

-- A payment that landed after its hold was given back: the first instance that takes it in; else the reason.
local function settle_late(config, user, id, entry, record, candidates)
  local head = config.head
  if not config.steps.late or head.status ~= CONFIG_PUBLISHED or now_ms >= head.ends then return ENDED end
  if head.limit > 0 and live(record, '') + entry[4] > head.limit then return LIMIT_REACHED end
  local outcome = ENDED
  for i = 1, math.min(#candidates, CANDIDATES_MAX) do
    outcome = take_in(config, candidates[i], user, id, entry, record)
    if outcome == DONE or outcome == PLAYBOOK_FAILED then break end
  end
  return outcome
end

local function settle(config, click)
  local kind, suffix, user, id = click[2], click[3], click[4], click[5]
  if kind == 'deadline' then return wake(config, suffix) end
  local record = config.head and config.people[user]
  local entry = record and find(record, string.sub(id, 1, 16))
  local outcome = UNCHANGED
  -- The release of a hold, sent twice, that comes after a late payment has found a seat.
  local stale = kind == 'released' and click[9] == HELD and entry and entry[3] == PAID
  if entry and not config.steps then return PLAYBOOK_FAILED end -- it is sent again until the playbook is back
  if entry and kind == 'paid' and entry[3] == HELD then
    outcome = settle_paid(config, user, id, entry, record)
  elseif entry and not stale and kind == 'released' and (entry[3] == HELD or entry[3] == PAID) then
    outcome = settle_released(config, user, id, entry, record)
  elseif entry and kind == 'late' and entry[3] == RELEASED then
    outcome = settle_late(config, user, id, entry, record, click[9] or {})
  end
  if outcome == PLAYBOOK_FAILED then return outcome end -- no intent: the event is sent again
  if outcome == DONE then config.people_changed[user] = record end
  events[#events + 1] = { id, config.id, kind, entry and entry[3] or -1, outcome, entry and entry[5] or '' }
  return outcome
end

-- Deciding ----------------------------------------------------------------------------------

local replies = {}
for i, click in ipairs(clicks) do
  local config = configs[click[1]]
  replies[i] = EVENTS[click[2]] and settle(config, click) or decide(config, click)
end

-- Writing: all of the batch, once -----------------------------------------------------------

local changes = {}
for _, config in ipairs(configs) do
  local cells, records = {}, {}
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
  for user in pairs(config.mine_changed) do
    local mine = config.mine[user]
    mine.rev = (mine.rev or 0) + 1
    people[#people + 1] = { config.id, user, mine.rev, mine }
    config.people_changed[user] = config.people[user]
  end
  for user, record in pairs(config.people_changed) do
    if config.mine[user] then table.insert(record, 1, config.mine[user]) end
    records[#records + 1] = user
    records[#records + 1] = cmsgpack.pack(record)
  end
  if #cells > 0 then redis.call('HSET', config.cells_key, unpack(cells)) end
  if #records > 0 then redis.call('HSET', config.people_key, unpack(records)) end
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

if #orders + #actions + #events + #instances + #people > 0 then
  local intents = cmsgpack.pack({ now_ms, orders, actions, events, instances, people, rewards, notices })
  redis.call('XADD', KEYS[2], '*', 'e', ARGV[1], 'p', intents)
end

return cmsgpack.pack({ now_ms, replies })
