-- A round of seats. Cells: seatsLeft (free seats), endsAt (ms). A seat is held at the click; `current` counts the paid.
local step = {}

function step.open(click, rules, cells)
  cells.target = rules.seats
  cells.seatsLeft = rules.seats - 1
  cells.endsAt = click.now + rules.minutes * 60000
  cells.wakeAt = cells.endsAt
end

function step.join(click, rules, cells)
  if cells.status == SUCCESS or cells.status == FAILED or click.now >= cells.endsAt then return ENDED end
  if cells.seatsLeft < 1 then return INSTANCE_FULL end
  cells.seatsLeft = cells.seatsLeft - 1
end

function step.cheer(click, rules, cells)
  if click.acts > 0 then return LIMIT_REACHED end
  cells.cheers = (cells.cheers or 0) + 1
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
  if cells.status == PENDING or cells.status == ACTIVE then cells.seatsLeft = cells.seatsLeft + 1 end
end

function step.deadline(click, rules, cells)
  if cells.status == SUCCESS or cells.status == FAILED then return end
  if click.now < cells.endsAt and not click.over then return end
  cells.status = FAILED
  cells.wakeAt = 0
end

return step
