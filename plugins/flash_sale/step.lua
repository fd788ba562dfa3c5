-- 秒杀. Cells: opensAt, endsAt (ms); reminders (people who asked for one). `current` counts paid units.
local step = {}

local function open_if_due(now, cells)
  if cells.status == PENDING and now >= cells.opensAt then
    cells.status = ACTIVE
    cells.wakeAt = cells.endsAt
  end
end

function step.join(click, rules, cells)
  open_if_due(click.now, cells)
  if cells.status == PENDING then return NOT_STARTED end
  if cells.status ~= ACTIVE or click.now >= cells.endsAt then return ENDED end
end

-- Before the opening only, and once: a reminder of what is on already says nothing.
function step.remind(click, rules, cells)
  if click.now >= cells.opensAt then return ENDED end
  if click.acts > 0 then return CONFLICT end
  cells.reminders = (cells.reminders or 0) + 1
  local due = cells.opensAt - rules.remindMinutes * 60000
  notice(click, { user = click.user, topic = 'SALE_OPENS', at = math.max(due, click.now) })
end

function step.paid(click, rules, cells)
  cells.current = cells.current + click.quantity
  -- A hold taken in the last minutes may be paid for after the session was counted out.
  if cells.status == FAILED then cells.status = SUCCESS end
end

function step.released(click, rules, cells)
  if click.was == "paid" then cells.current = cells.current - click.quantity end
end

function step.deadline(click, rules, cells)
  open_if_due(click.now, cells)
  if cells.status ~= ACTIVE or click.now < cells.endsAt then return end
  cells.wakeAt = 0
  if cells.current > 0 then cells.status = SUCCESS else cells.status = FAILED end
end

return step
