--[[ records: what Redis holds of a batch's configs, read ahead of the clicks with one HMGET a key.

  Needs: read_only, begin_run, playbook_of
  Gives: read_configs, find_effect, pack_record, fresh_cells, CANDIDATES_MAX

  A config of the batch is a table; what a click changes is marked in it, and write.lua writes that.
    id, cells_key, people_key
    head, left, reopens_ms                  as in Redis; no head: Redis does not know the config
    steps, moves, reserves, early           its playbook's; no steps: that is not installed, or its file fails
    step_begins, step_lines                 lines of the script before its step.lua, and of it
    cells                                   each instance's, by suffix
    people, mine                            by user: their record, a list of effects; and their own cells, if any
    left_changed, reopening, cells_changed, people_changed, mine_changed
]]

local CANDIDATES_MAX = 8 -- instances that a late payment may try

local function want(list, wanted, name)
  if name ~= '' and not wanted[name] then
    wanted[name] = true
    list[#list + 1] = name
  end
end

-- `keys` are the script's: from the fourth on a pair for each config.
local function name_configs(keys)
  local configs = {}
  for number = 1, (#keys - 3) / 2 do
    local cells_key, people_key = keys[number * 2 + 2], keys[number * 2 + 3]
    configs[number] = {
      id = string.match(cells_key, '^{[^}]*}:([^:]*):'), cells_key = cells_key, people_key = people_key,
      fields = { 'head', 'left', 'reopens' }, users = {},
      wanted_fields = { head = true, left = true, reopens = true }, wanted_users = {}, -- those three are no instances
      cells = {}, people = {}, mine = {}, cells_changed = {}, people_changed = {}, mine_changed = {},
    }
  end
  return configs
end

local function note_what_is_wanted(configs, clicks)
  for _, click in ipairs(clicks) do
    local config = configs[click[CLICK_CONFIG]]
    want(config.fields, config.wanted_fields, click[CLICK_SUFFIX])
    want(config.users, config.wanted_users, click[CLICK_USER])
    if click[CLICK_VERB] == EVENT_LATE then
      for i, suffix in ipairs(click[CLICK_EXTRA] or {}) do
        if i <= CANDIDATES_MAX then want(config.fields, config.wanted_fields, suffix) end
      end
    end
  end
end

-- A record is led by a map of the person's own cells when the playbook keeps any.
local function read_people(config)
  local records = redis.call('HMGET', config.people_key, unpack(config.users))
  for i, user in ipairs(config.users) do
    local record = records[i] and cmsgpack.unpack(records[i]) or {}
    if record[1] and record[1][EFFECT_KEY] == nil then
      local mine = table.remove(record, 1)
      config.mine[user] = mine
      if mine.at then want(config.fields, config.wanted_fields, mine.at) end
    end
    config.people[user] = record
  end
end

local function pack_record(config, user)
  local record, mine = config.people[user], config.mine[user]
  if mine then table.insert(record, 1, mine) end
  return cmsgpack.pack(record)
end

-- Nothing when the playbook is not installed or its file fails: its clicks are told that the config is paused.
local function load_playbook(config)
  begin_run()
  local ok, steps, allowed, reserving, early, begins, lines = pcall(playbook_of, config.head.code)
  if ok and type(steps) == 'table' then
    config.steps, config.moves, config.reserves, config.early = steps, allowed, reserving, early
    config.step_begins, config.step_lines = begins, lines
  end
end

local function read_cells(config)
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

-- The configs of the batch by their number. People first: where one is bound to (`me.at`) is read with the cells.
local function read_configs(keys, clicks)
  local configs = name_configs(keys)
  note_what_is_wanted(configs, clicks)
  for _, config in ipairs(configs) do
    if #config.users > 0 then read_people(config) end
    read_cells(config)
  end
  return configs
end

local function find_effect(record, key)
  for _, effect in ipairs(record) do
    if effect[EFFECT_KEY] == key then return effect end
  end
end

local function fresh_cells()
  return { status = PENDING, current = 0, target = 0, wakeAt = 0, rev = 0 }
end
