-- 秒杀. Cells: opensAt, endsAt (ms); reminders (people who asked for one). `current` counts paid units.
-- me: reminders (asked for in all sessions).
local step = {}

-- Reminders a person on one config. The engine keeps so many clicks of a person (gate.person_effects_max): some are left
-- for buying, or who asks to be reminded of every session could not buy in any.
local REMINDERS_MAX = 40

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
function step.remind(click, rules, cells, me)
  if click.now >= cells.opensAt then return ENDED end
  if click.acts > 0 then return CONFLICT end
  if (me.reminders or 0) >= REMINDERS_MAX then return LIMIT_REACHED end
  me.reminders = (me.reminders or 0) + 1
  cells.reminders = (cells.reminders or 0) + 1
  local due = cells.opensAt - (rules.remindMinutes or 5) * 60000 -- nil in what was published by version 1.0
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
  if cells.status == SUCCESS or cells.status == FAILED then return end
  if click.now < cells.endsAt and not click.over then return end
  cells.wakeAt = 0
  if cells.current > 0 then cells.status = SUCCESS else cells.status = FAILED end
end

return step
