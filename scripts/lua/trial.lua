--[[ trial: run each step of one playbook, to see that it compiles and that it ends.

  ARGV[1] sample   msgpack [code, now_ms, verbs, sales]; sale: [rules, price, facts, instances]
                   instance: its cells; the first is a new one
  Output: text, why the playbook cannot be used; '' when it can

  It writes nothing, and whatever a step refuses or complains of is right here: only one that does not end in
  its bounds, or a file that returns no steps, is told of. The loader puts before this file what it puts before
  gate.lua, with the one playbook and a clock that stands still.
]]

local code, now_ms, verbs, sales = unpack(cmsgpack.unpack(ARGV[1]))
batch_seed = 1

begin_run()
local ok, steps, moves = pcall(playbook_of, code)
if not ok then return tostring(steps) end
if type(steps) ~= 'table' then return 'step.lua must return a table of functions' end
for name, step in next, steps do
  if type(step) ~= 'function' then return 'step.lua: ' .. tostring(name) .. ' is not a function' end
end

-- Runs a step as gate.lua does. Returns why it was stopped, or nil.
local function try(verb, sale, cells)
  local rules, price, facts = unpack(sale)
  local config = {
    id = 'c0000000000000', steps = steps, moves = moves, head = { code = code, rules = read_only(rules) },
  }
  local click = {
    verb = verb, user = verb == 'deadline' and '' or 'u0', quantity = 1, now = now_ms, seats = 0, acts = 0,
    instance = 'i0', price = price, order = '0000000000000000', was = 'held', fresh = false,
    newcomer = facts.newcomer, device = facts.device, address = facts.address,
  }
  if verb == 'deadline' then click.now, click.quantity = math.max(now_ms, cells.wakeAt), 0 end
  local overlay = overlay_of(cells)
  promised, random_state = nil, nil
  begin_run()
  local taken, answer = pcall(try_step, config, click, cells, overlay, click.user ~= '' and overlay_of({}) or nil)
  if overran() then return verb .. ': ' .. tostring(answer) end
  if taken and answer == nil then merge(cells, overlay) end
end

for _, sale in ipairs(sales) do
  for _, cells in ipairs(sale[4]) do
    for _, verb in ipairs(verbs) do
      local why = steps[verb] and try(verb, sale, cells)
      if why then return why end
    end
  end
end
return ''
