--[[ decide: a consumer's click: seen this requestId? -> the rules -> the playbook's step -> the hold.

  Needs: run_step, find_effect, fresh_cells, now_ms, refuse, take_units
  Gives: hold_ttl_ms, orders, actions, decide
]]

local hold_ttl_ms -- the batch's; set once by the gate
local orders, actions = {}, {} -- of the intents

-- A person may have an instance where all their joins go (`me.at`), whichever they clicked on.
local function place_of(config, verb, suffix, user)
  local mine = verb == 'join' and config.mine[user]
  return mine and mine.at and config.cells[mine.at] and mine.at or suffix
end

-- The fields of Reply in engine/gate/wire.py, in their order. A repeat is told what the first click was told, and the
-- `state` that its effect is in now.
local function reply_of(effect, state)
  return {
    effect[EFFECT_STATE] == ACTION and DONE or RESERVED, state, effect[EFFECT_SUFFIX],
    effect[EFFECT_PAY_BEFORE_MS], effect[EFFECT_STATUS], effect[EFFECT_CURRENT], effect[EFFECT_TARGET],
  }
end

-- Runs the step. Returns a refusal; or nil, whether cells changed, and the price of a unit, which it may have lowered.
local function ask_playbook(config, click, suffix, key, cells, seats, acts)
  local facts = click[CLICK_EXTRA]
  local asked = {
    verb = click[CLICK_VERB], user = click[CLICK_USER], quantity = click[CLICK_QUANTITY], now = now_ms,
    seats = seats, acts = acts, instance = suffix, price = config.head.price, order = key,
  }
  if facts then
    asked.newcomer, asked.device, asked.address = facts.newcomer, facts.device, facts.address
  end
  local refusal, changed = run_step(config, asked, click[CLICK_ORDER_ID], cells)
  return refusal, changed, asked.price
end

-- Into the person's record and the intents: OrderIntent and ActionIntent of engine/stream/intents.py, fields in order.
local function keep(config, click, effect, price)
  local user, quantity, suffix = click[CLICK_USER], click[CLICK_QUANTITY], effect[EFFECT_SUFFIX]
  local record = config.people[user]
  record[#record + 1] = effect
  config.people_changed[user] = record
  if effect[EFFECT_STATE] == HELD then
    orders[#orders + 1] = {
      click[CLICK_ORDER_ID], config.id, suffix, user, click[CLICK_REQUEST_ID], quantity, price * quantity,
      effect[EFFECT_PAY_BEFORE_MS], click[CLICK_FINGERPRINT],
      effect[EFFECT_STATUS], effect[EFFECT_CURRENT], effect[EFFECT_TARGET],
    }
  else
    actions[#actions + 1] = {
      click[CLICK_ORDER_ID], config.id, suffix, user, click[CLICK_REQUEST_ID], click[CLICK_VERB],
      click[CLICK_FINGERPRINT], effect[EFFECT_STATUS], effect[EFFECT_CURRENT], effect[EFFECT_TARGET],
    }
  end
end

local function decide(config, click)
  if not config.head then return CONFIG_NOT_FOUND end
  local verb, user, quantity = click[CLICK_VERB], click[CLICK_USER], click[CLICK_QUANTITY]
  local fingerprint = click[CLICK_FINGERPRINT]
  local record, key = config.people[user], string.sub(click[CLICK_ORDER_ID], 1, KEY_LENGTH)
  local seen = find_effect(record, key)
  if seen then
    if seen[EFFECT_FINGERPRINT] ~= fingerprint then return REQUEST_ID_REUSED end
    return reply_of(seen, seen[EFFECT_STATE])
  end
  local reserving = config.steps and config.reserves[verb] or false
  local suffix = place_of(config, verb, click[CLICK_SUFFIX], user)
  local refusal, seats, acts = refuse(config, verb, suffix, quantity, record, reserving)
  if refusal then return refusal end

  local cells = config.cells[suffix] or fresh_cells()
  local changed, price
  refusal, changed, price = ask_playbook(config, click, suffix, key, cells, seats, acts)
  if refusal then return refusal end

  config.cells[suffix] = cells
  if changed or verb == 'open' or (reserving and cells.left) then config.cells_changed[suffix] = cells end
  local effect = { -- the fields of Effect in engine/gate/records.py, in their order
    key, fingerprint, reserving and HELD or ACTION, reserving and quantity or 0, suffix,
    reserving and now_ms + hold_ttl_ms or 0, cells.status, cells.current, cells.target,
  }
  if reserving then take_units(config, cells, quantity) end
  keep(config, click, effect, price)
  return reply_of(effect, false)
end
