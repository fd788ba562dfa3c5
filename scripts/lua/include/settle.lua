--[[ settle: an event: what Postgres decided about an order, or the time that has come for an instance.

  However often one is told, it takes effect once: applied before? -> the step -> the order's effect, the stock.

  Needs: run_step, find_effect, fresh_cells, CANDIDATES_MAX, now_ms, live, has_units, take_units, give_back
  Gives: EVENTS, events, settle
]]

local EVENTS = { [EVENT_PAID] = true, [EVENT_RELEASED] = true, [EVENT_LATE] = true, [EVENT_DEADLINE] = true }
local WAS = { [HELD] = 'held', [PAID] = 'paid' } -- as steps are told
local events = {} -- of the intents

-- Runs the step of an event, if there is one. Returns why it refused.
local function tell(config, kind, suffix, user, id, quantity, was, record, over)
  local cells = config.cells[suffix]
  if not (cells and config.steps[kind]) then return nil end
  local _, seats, acts = live(record, suffix)
  local asked = {
    verb = kind, user = user, quantity = quantity, now = now_ms, seats = seats, acts = acts, instance = suffix,
    price = config.head.price, order = string.sub(id, 1, KEY_LENGTH), was = was, over = over,
  }
  local refusal, changed = run_step(config, asked, id, cells)
  if changed then config.cells_changed[suffix] = cells end
  return refusal
end

local function settle_deadline(config, suffix)
  if not (config.steps and config.cells[suffix]) then return UNCHANGED end
  local head = config.head
  local over = head.status == CONFIG_ENDED or now_ms >= head.ends -- nobody can take part any more
  local refusal = tell(config, EVENT_DEADLINE, suffix, '', '', 0, nil, {}, over)
  return refusal or (config.cells_changed[suffix] and DONE or UNCHANGED)
end

local function settle_paid(config, user, id, effect, record)
  local suffix, quantity = effect[EFFECT_SUFFIX], effect[EFFECT_QUANTITY]
  local refusal = tell(config, EVENT_PAID, suffix, user, id, quantity, WAS[HELD], record)
  if refusal then return refusal end
  effect[EFFECT_STATE] = PAID
  return DONE
end

local function settle_released(config, user, id, effect, record)
  local suffix, quantity, was = effect[EFFECT_SUFFIX], effect[EFFECT_QUANTITY], WAS[effect[EFFECT_STATE]]
  local cells = config.cells[suffix]
  effect[EFFECT_STATE] = RELEASED -- the stock comes back whatever the step says
  give_back(config, cells, quantity)
  if cells and cells.left then config.cells_changed[suffix] = cells end
  tell(config, EVENT_RELEASED, suffix, user, id, quantity, was, record)
  return DONE
end

-- Whether an instance takes in somebody whose payment came late: as joined and paid at once.
local function take_in(config, suffix, user, id, effect, record)
  local cells, quantity = config.cells[suffix], effect[EFFECT_QUANTITY]
  local fresh = not cells and suffix == string.sub(id, KEY_LENGTH + 1) -- late_suffix in engine/core/ids.py
  if not (cells or fresh) then return INSTANCE_NOT_FOUND end
  cells = cells or fresh_cells()
  if not has_units(config, cells, quantity) then return SOLD_OUT end
  local _, seats, acts = live(record, suffix)
  local asked = {
    verb = EVENT_LATE, user = user, quantity = quantity, now = now_ms, seats = seats, acts = acts, instance = suffix,
    price = config.head.price, order = string.sub(id, 1, KEY_LENGTH), fresh = fresh,
  }
  local refusal = run_step(config, asked, id, cells)
  if refusal then return refusal end
  config.cells[suffix], config.cells_changed[suffix] = cells, cells
  take_units(config, cells, quantity)
  effect[EFFECT_STATE], effect[EFFECT_SUFFIX] = PAID, suffix
  return DONE
end

-- A payment that landed after its hold was given back: the first instance that takes it in; else the reason.
local function settle_late(config, user, id, effect, record, candidates)
  local head = config.head
  if not config.steps[EVENT_LATE] or head.status ~= CONFIG_PUBLISHED or now_ms >= head.ends then return ENDED end
  if head.limit > 0 and live(record, '') + effect[EFFECT_QUANTITY] > head.limit then return LIMIT_REACHED end
  local outcome = ENDED
  for i = 1, math.min(#candidates, CANDIDATES_MAX) do
    outcome = take_in(config, candidates[i], user, id, effect, record)
    if outcome == DONE or outcome == PLAYBOOK_FAILED then break end
  end
  return outcome
end

-- The one thing that an event may do to an order in this state. A release names the state it means: that of a hold,
-- sent twice, may come after a late payment has found a seat.
local function settle_order(config, click, effect, record)
  local kind, user, id, extra = click[CLICK_VERB], click[CLICK_USER], click[CLICK_ORDER_ID], click[CLICK_EXTRA]
  local state = effect[EFFECT_STATE]
  local stale = kind == EVENT_RELEASED and extra == HELD and state == PAID
  if kind == EVENT_PAID and state == HELD then
    return settle_paid(config, user, id, effect, record)
  elseif kind == EVENT_RELEASED and (state == HELD or state == PAID) and not stale then
    return settle_released(config, user, id, effect, record)
  elseif kind == EVENT_LATE and state == RELEASED then
    return settle_late(config, user, id, effect, record, extra or {})
  end
  return UNCHANGED
end

local function settle(config, click)
  local kind, user, id = click[CLICK_VERB], click[CLICK_USER], click[CLICK_ORDER_ID]
  if kind == EVENT_DEADLINE then return settle_deadline(config, click[CLICK_SUFFIX]) end
  local record = config.head and config.people[user]
  local effect = record and find_effect(record, string.sub(id, 1, KEY_LENGTH))
  if effect and not config.steps then return PLAYBOOK_FAILED end -- it is sent again until the playbook is back
  local outcome = effect and settle_order(config, click, effect, record) or UNCHANGED
  if outcome == PLAYBOOK_FAILED then return outcome end -- no intent: the event is sent again
  if outcome == DONE then config.people_changed[user] = record end
  events[#events + 1] = { -- the fields of EventIntent in engine/stream/intents.py, in their order
    id, config.id, kind, effect and effect[EFFECT_STATE] or -1, outcome, effect and effect[EFFECT_SUFFIX] or '',
  }
  return outcome
end
