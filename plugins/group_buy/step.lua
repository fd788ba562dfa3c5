-- 拼团. Cells: seatsLeft (free seats), endsAt (ms). A seat is held at the click; `current` counts the paid.
local step = {}

function step.open(click, rules, cells)
  cells.status = PENDING
  cells.target = rules.target
  cells.seatsLeft = rules.target - 1
  cells.endsAt = click.now + rules.durationMinutes * 60000
  cells.wakeAt = cells.endsAt
end

function step.join(click, rules, cells)
  if cells.status == SUCCESS then return INSTANCE_FULL end
  if cells.status == FAILED or click.now >= cells.endsAt then return ENDED end
  if cells.seatsLeft < 1 then return INSTANCE_FULL end
  if click.seats > 0 then return LIMIT_REACHED end -- one person, one seat
  cells.seatsLeft = cells.seatsLeft - 1
end

function step.paid(click, rules, cells)
  if cells.status == FAILED then return ENDED end
  if cells.status == PENDING then cells.status = ACTIVE end
  cells.current = cells.current + 1
  if cells.current >= cells.target then
    cells.status = SUCCESS
    cells.wakeAt = 0
  end
end

function step.released(click, rules, cells)
  if click.was == "paid" then cells.current = cells.current - 1 end
  if cells.status == SUCCESS or cells.status == FAILED then return end
  cells.seatsLeft = cells.seatsLeft + 1
  if cells.seatsLeft == cells.target then -- nobody is left in it
    cells.status = FAILED
    cells.wakeAt = 0
  end
end

function step.deadline(click, rules, cells)
  if cells.status == SUCCESS or cells.status == FAILED or click.now < cells.endsAt then return end
  cells.status = FAILED
  cells.wakeAt = 0
end

return step
