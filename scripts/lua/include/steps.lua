--[[ steps: how the gate runs a playbook's step, and what a step may call. In front of the playbooks in the script.

  run_step runs a step on overlays of the instance's cells and of the person's own (`me`), so one that fails or
  refuses leaves no trace. `random`, `reward` and `notice` are the step's; plugins/README.md is their reference.

  Needs: begin_run, step_refusals
  Gives: batch_seed, run_step, read_only, rewards, notices, failures, random, reward, notice,
         try_step, overlay_of, merge, promised, random_state
]]

local RANDOM_MODULUS, RANDOM_MULTIPLIER = 2147483647, 48271 -- Park and Miller's minimal standard generator, 1993
local DAY_MS = 86400000
local PROMISES_MAX = 100
local TEXT_MAX = 4096
local USER_MAX = 64
local WHY_MAX = 300
local TIME_MAX = 2 ^ 45
local REWARD_KINDS = { ASSET = true, CREDIT = true, CASH = true }

local batch_seed = 0 -- the batch's; set once by the gate
local steps_run = 0
local random_state -- of the step that is running; nil until it asks
local promised -- of the step that is running; nil until it promises
local rewards, notices = {}, {}
local failures, failure_of = {}, {} -- of the answer: Failure of engine/gate/wire.py, fields in order; by playbook and step

local function is_whole(value, min, max)
  return type(value) == 'number' and value == math.floor(value) and value >= min and value <= max
end

-- 1 to n. The same batch sent again draws the same numbers; nobody who clicks can know them.
local function random(_, n)
  assert(is_whole(n, 1, 2 ^ 31), 'random(click, n): n must be a whole number from 1')
  random_state = random_state or (batch_seed + steps_run * 7919) % (RANDOM_MODULUS - 1) + 1
  random_state = random_state * RANDOM_MULTIPLIER % RANDOM_MODULUS
  return 1 + math.floor(random_state / RANDOM_MODULUS * n)
end

-- What is promised goes into the stream as it is, so a wrong one would spoil what all clicks of its batch did.
local function promise(what)
  local user = what.user
  assert(type(user) == 'string' and user ~= '' and #user <= USER_MAX, 'a promise names a user')
  assert(not string.find(user, '[^ -~]'), 'a promise names a user in printable ASCII')
  assert(is_whole(what.at, 1, TIME_MAX), 'a promise is for a time in ms')
  promised = promised or {}
  assert(#promised < PROMISES_MAX, 'too many promises')
  promised[#promised + 1] = what
end

local function reward(click, what)
  assert(REWARD_KINDS[what.kind], 'reward: kind must be ASSET, CREDIT or CASH')
  assert(is_whole(what.amount, 1, 2 ^ 31), 'reward: amount must be a whole number from 1')
  assert(is_whole(what.days or 0, 0, 365), 'reward: days must be a whole number from 0 to 365')
  promise({ user = what.user, kind = what.kind, amount = what.amount, at = click.now + (what.days or 0) * DAY_MS })
end

local function notice(_, what)
  local topic = what.topic
  assert(type(topic) == 'string' and #topic <= 32 and string.find(topic, '^[A-Z][A-Z_]*$'), 'notice: no such topic')
  promise({ user = what.user, topic = topic, at = what.at })
end

-- What a step may write: what the stream, jsonb and the clients can carry.
local INTEGER_MAX = {
  status = 4, current = 2 ^ 31 - 1, target = 2 ^ 31 - 1, wakeAt = TIME_MAX, priceFen = 1e8, rebateFen = 1e8,
}

local function check_value(name, value)
  assert(type(name) == 'string' and string.find(name, '^%a%w*$'), 'a cell may not be called ' .. tostring(name))
  assert(name ~= 'rev', 'cell rev belongs to the engine')
  if type(value) == 'number' then
    assert(value == math.floor(value) and math.abs(value) < 2 ^ 53, 'cell ' .. name .. ' is not a whole number')
  elseif type(value) == 'string' then
    assert(not string.find(value, '[^ -~]'), 'cell ' .. name .. ' is not printable ASCII')
    assert(#value <= TEXT_MAX, 'cell ' .. name .. ' is longer than ' .. TEXT_MAX)
  else
    assert(type(value) == 'boolean', 'cell ' .. name .. ' holds a ' .. type(value))
  end
end

local function check_overlays(config, cells, overlay, mine_overlay)
  for name, value in next, overlay do
    check_value(name, value)
    assert(name ~= 'left', 'cell left belongs to the engine')
    local max = INTEGER_MAX[name]
    assert(not max or is_whole(value, 0, max), 'cell ' .. name .. ' is out of bounds')
  end
  for name, value in next, mine_overlay or {} do
    check_value(name, value)
    assert(name ~= 'at' or (type(value) == 'string' and string.find(value, '^[0-9a-z]*$')), 'me.at is no instance')
  end
  local before, after = cells.status, rawget(overlay, 'status')
  if after ~= nil and after ~= before then
    local allowed = config.moves[before]
    assert(allowed and allowed[after], 'the states do not allow ' .. before .. ' -> ' .. after)
  end
end

local function try_step(config, click, cells, overlay, mine_overlay)
  local price = click.price
  local answer = config.steps[click.verb](click, config.head.rules, overlay, mine_overlay)
  if answer == nil then
    check_overlays(config, cells, overlay, mine_overlay)
    assert(click.price == price or is_whole(click.price, 1, price), 'a step may lower the price, to no less than 1')
    return nil
  end
  assert(step_refusals[answer], 'a step may not answer ' .. tostring(answer))
  return answer
end

local falls_through = {} -- one metatable a table, however many clicks it gets

local function copy(value)
  if type(value) ~= 'table' then return value end
  local twin = {}
  for name, inner in next, value do twin[name] = copy(inner) end
  return twin
end

-- Rules as steps see them: nothing can be set, and each run has its own copy of a list or a map among them, or
-- one click could change what the next one of the batch goes by.
local function read_only(rules)
  local plain, inner, copies, copied_in = {}, {}, nil, nil
  for name, value in next, rules do
    if type(value) == 'table' then inner[name] = value else plain[name] = value end
  end
  if next(inner) ~= nil then
    setmetatable(plain, { __index = function(_, name)
      if copied_in ~= steps_run then copies, copied_in = {}, steps_run end
      if copies[name] == nil then copies[name] = copy(inner[name]) end
      return copies[name]
    end })
  end
  return setmetatable({}, { __index = plain, __newindex = function() error('rules are read-only') end })
end

local function overlay_of(base)
  local through = falls_through[base]
  if not through then
    through = { __index = base }
    falls_through[base] = through
  end
  return setmetatable({}, through)
end

local function merge(base, overlay)
  local changed = false
  for name, value in next, overlay do
    if base[name] ~= value then
      base[name] = value
      changed = true
    end
  end
  return changed
end

-- Promises become intents under a source that is new for each run, so drained twice they count once.
local function keep_promises(config, verb, instance, id, rev)
  local source = id ~= '' and id .. ':' .. verb or config.id .. '.' .. instance .. ':' .. rev + 1
  for _, what in ipairs(promised) do
    if what.topic then
      notices[#notices + 1] = { source, #notices, config.id, instance, what.user, what.topic, what.at }
    else
      rewards[#rewards + 1] = {
        source, #rewards, config.id, instance, id, what.user, what.kind, what.amount, what.at,
      }
    end
  end
end

-- Where in step.lua it was, not where in the script; an error of the engine's own is nowhere in it.
local function located(config, why)
  return (string.gsub(tostring(why), 'user_script:(%d+): ?', function(line)
    line = line - config.step_begins
    return line >= 1 and line <= config.step_lines and 'step.lua:' .. line .. ': ' or ''
  end))
end

-- For Redis' log, each time; and for whoever asked, once a batch for each step, in characters that any text may hold.
local function note_failure(config, kind, why)
  local code = config.head.code
  why = located(config, why)
  redis.log(redis.LOG_WARNING, 'playbook ' .. code .. ' ' .. kind .. ': ' .. why)
  local failure = failure_of[code .. kind]
  if not failure then
    why = string.gsub(string.sub(why, 1, WHY_MAX), '[^ -$&-~]', function(char)
      return string.format('%%%02X', string.byte(char))
    end)
    failure = { code, kind, config.id, 0, why }
    failure_of[code .. kind] = failure
    failures[#failures + 1] = failure
  end
  failure[4] = failure[4] + 1
end

local NOBODY = {} -- the cells of a person of whom nothing is kept yet

-- Runs one step. Returns a refusal; or nil when the instance took it, and whether its cells changed.
-- `id` is the order's or action's; '' at a deadline, which is nobody's click, so there is no `me` either.
local function run_step(config, click, id, cells)
  local user, verb, instance = click.user, click.verb, click.instance -- the step may write to `click`
  local mine = config.mine[user] or NOBODY
  local overlay, mine_overlay = overlay_of(cells), user ~= '' and overlay_of(mine) or nil
  steps_run, random_state, promised = steps_run + 1, nil, nil
  begin_run()
  local ok, refusal = pcall(try_step, config, click, cells, overlay, mine_overlay)
  if not ok then
    note_failure(config, verb, refusal)
    return PLAYBOOK_FAILED
  end
  if refusal then return refusal end
  local changed = merge(cells, overlay)
  if promised then
    if id == '' and not changed then
      note_failure(config, verb, 'it promises and changes no cell, so it would promise again at every deadline')
      return PLAYBOOK_FAILED
    end
    keep_promises(config, verb, instance, id, cells.rev)
  end
  if mine_overlay and next(mine_overlay) ~= nil then
    if mine == NOBODY then mine = {} end
    if merge(mine, mine_overlay) then
      config.mine[user] = mine
      config.mine_changed[user] = true
    end
  end
  return nil, changed
end
