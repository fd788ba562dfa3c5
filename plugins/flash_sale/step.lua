-- 秒杀. Cells: opensAt, endsAt (ms). `current` counts paid units.
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
