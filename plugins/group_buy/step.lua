-- 拼团. A seat is held at the click; `current` counts the paid.
-- Cells: seats (how many there are), seatsLeft (free ones), endsAt (ms), leader, members (see remember).
-- Rules and cells that came with version 1.1 are nil in what was published before: off.
local step = {}

local MEMBERS_BYTES = 360 -- twenty people, remembered in the order they paid to know who leads next

local function over(cells)
  return cells.status == SUCCESS or cells.status == FAILED
end

local function lead(click, rules, cells)
  local tiers = rules.tiers or {}
  cells.status = PENDING
  cells.target = rules.target
  cells.seats = #tiers > 0 and tiers[#tiers].people or rules.target
  cells.seatsLeft = cells.seats - 1
  cells.endsAt = click.now + rules.durationMinutes * 60000
  cells.wakeAt = cells.endsAt
  cells.leader = click.user
end

local function sit_down(click, cells)
  if cells.status == SUCCESS then return INSTANCE_FULL end
  if cells.status == FAILED or click.now >= cells.endsAt then return ENDED end
  if cells.seatsLeft < 1 then return INSTANCE_FULL end
  if click.seats > 0 then return LIMIT_REACHED end -- one person, one seat
  cells.seatsLeft = cells.seatsLeft - 1
end

-- A text ' u1 u2 ': each between blanks, so that no id is found inside another.
local function remember(user, cells)
  local members = cells.members or ' '
  if #members < MEMBERS_BYTES then cells.members = members .. user .. ' ' end
  if cells.leader == '' then cells.leader = user end
end

local function forget(user, cells)
  local members = cells.members or ' '
  local first, last = string.find(members, ' ' .. user .. ' ', 1, true)
  if first then
    members = string.sub(members, 1, first) .. string.sub(members, last + 1)
    cells.members = members
  end
  if cells.leader == user then -- the earliest who has paid, or whoever is the next to pay
    local blank = string.find(members, ' ', 2, true)
    cells.leader = blank and string.sub(members, 2, blank - 1) or ''
  end
end

-- Everyone has paid the first tier's price; what the reached one is cheaper by is owed from now on.
local function succeed(click, rules, cells)
  cells.status = SUCCESS
  cells.wakeAt = 0
  for _, tier in ipairs(rules.tiers or {}) do
    if cells.current >= tier.people then cells.rebateFen = click.price - tier.priceFen end
  end
end

local function count_in(click, rules, cells)
  if cells.status == FAILED then return ENDED end
  cells.current = cells.current + 1
  if cells.status == SUCCESS then return end -- a seat held at the end of a group that succeeded without it
  if cells.status == PENDING then cells.status = ACTIVE end
  remember(click.user, cells)
  if cells.current >= (cells.seats or cells.target) then succeed(click, rules, cells) end
end

function step.open(click, rules, cells)
  lead(click, rules, cells)
  click.price = click.price - (rules.leaderOffFen or 0)
end

function step.join(click, rules, cells)
  local refusal = sit_down(click, cells)
  if refusal then return refusal end
  if rules.newcomersOnly and not click.newcomer then return NOT_ELIGIBLE end
end

step.paid = count_in

-- Paid when the seat was gone: another one here, or a group of one's own.
function step.late(click, rules, cells)
  if click.fresh then
    lead(click, rules, cells)
  else
    local refusal = sit_down(click, cells)
    if refusal then return refusal end
  end
  return count_in(click, rules, cells)
end

function step.released(click, rules, cells)
  if click.was == 'paid' then cells.current = cells.current - 1 end
  if over(cells) then return end
  forget(click.user, cells)
  cells.seatsLeft = cells.seatsLeft + 1
  if cells.seatsLeft == (cells.seats or cells.target) then -- nobody is left in it
    cells.status = FAILED
    cells.wakeAt = 0
  end
end

function step.deadline(click, rules, cells)
  if over(cells) or click.now < cells.endsAt and not click.over then return end
  local enough = rules.simulatedPercent or 0
  if cells.current >= cells.target then return succeed(click, rules, cells) end
  if enough > 0 and cells.current * 100 >= enough * cells.target then
    cells.simulated = true
    cells.simulatedSeats = cells.target - cells.current
    return succeed(click, rules, cells)
  end
  cells.status = FAILED
  cells.wakeAt = 0
end

return step
