--[[ rules: what holds on every sale, whatever its playbook says: window, limit, stock.

  Gives: now_ms, reopen_ms, person_effects_max, live, has_units, take_units, give_back, refuse
]]

local now_ms, reopen_ms, person_effects_max -- the batch's; set once by the gate

-- What a person has on a config: units; in one of its instances: orders that live, effects that hold no stock; and
-- how many orders of theirs were released.
local function live(record, suffix)
  local units, seats, acts, released = 0, 0, 0, 0
  for _, effect in ipairs(record) do
    local state = effect[EFFECT_STATE]
    if state == HELD or state == PAID then
      units = units + effect[EFFECT_QUANTITY]
      if effect[EFFECT_SUFFIX] == suffix then seats = seats + 1 end
    elseif state == RELEASED then
      released = released + 1
    elseif effect[EFFECT_SUFFIX] == suffix then
      acts = acts + 1
    end
  end
  return units, seats, acts, released
end

local function closed(config, verb)
  local head = config.head
  -- Over comes first: whoever is told PAUSED tries again.
  if head.status == CONFIG_ENDED or now_ms >= head.ends then return ENDED end
  if head.status ~= CONFIG_PUBLISHED or not config.steps then return PAUSED end
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

local function give_back(config, cells, quantity)
  if config.left == 0 then
    -- Every API process is to hear of it before anyone buys: see Live.sold_out in engine/live/live.py.
    config.reopens_ms = now_ms + reopen_ms
    config.reopening = reopen_ms > 0
  end
  config.left = config.left + quantity
  config.left_changed = true
  if cells and cells.left then cells.left = cells.left + quantity end
end

-- Why a consumer's click is refused before its step is asked; or nil, and the person's seats and acts for the step.
local function refuse(config, verb, suffix, quantity, record, reserving)
  local refusal = closed(config, verb)
  if refusal then return refusal end
  if not config.steps[verb] then return ACTION_UNKNOWN end
  if verb == 'open' then
    if config.cells[suffix] then return CONFLICT end
  elseif not config.cells[suffix] then
    return INSTANCE_NOT_FOUND
  end
  local units, seats, acts, released = live(record, suffix)
  if #record - released >= person_effects_max then return LIMIT_REACHED end
  -- Released orders stay for their repeats, so they stand in the way of further orders, once there are many.
  if reserving and released >= PERSON_RELEASED_MAX then return LIMIT_REACHED end
  if reserving and config.head.limit > 0 and units + quantity > config.head.limit then return LIMIT_REACHED end
  if reserving and (now_ms < config.reopens_ms or not has_units(config, config.cells[suffix], quantity)) then
    return SOLD_OUT
  end
  return nil, seats, acts
end
