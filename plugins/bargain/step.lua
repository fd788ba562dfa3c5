-- 砍价. Cells: owner; cuts (fen, those still to come: "12,9,9"); priceFen (now); endsAt (ms); buying (an order of the
-- owner's is to be paid). `current` counts the cuts. me: bargains (opened), cuts; day, cutsToday (the last day with a cut).
local step = {}

local MINUTE_MS, DAY_MS, CHINA_MS = 60000, 86400000, 28800000 -- a day begins at midnight in China, UTC+8
-- Bargains and cuts a person on one config. The engine keeps so many clicks of a person (gate.person_effects_max): some
-- are left for buying, or who helps a lot could not buy.
local FREE_MAX = 40

-- Shares out `total` by weights, in whole fen: the sum is exact, earlier shares are rounded up. No share is above
-- its weight if `total` is not above their sum. The products stay below 2^53: see the bounds in rules.py.
local function share(total, weights)
  local shares, weight_left = {}, 0
  for _, weight in ipairs(weights) do weight_left = weight_left + weight end
  for i, weight in ipairs(weights) do
    shares[i] = total > 0 and math.ceil(total * weight / weight_left) or 0
    total, weight_left = total - shares[i], weight_left - weight
  end
  return shares
end

local function weighed_cuts(gap, helpers, front)
  local weights = {}
  for i = 1, helpers do weights[i] = front and helpers - i + 1 or 1 end
  local cuts = share(gap - helpers, weights)
  for i = 1, helpers do cuts[i] = cuts[i] + 1 end -- each cut is at least a fen
  return cuts
end

-- A cut is 20 to 50 % of what is left above a fen for each helper to come; the last one takes the rest.
local function random_cuts(click, gap, helpers)
  local cuts = {}
  for to_come = helpers, 2, -1 do
    local portion = (1999 + random(click, 3001)) / 10000
    local cut = math.max(1, math.floor((gap - to_come) * portion))
    cuts[#cuts + 1] = cut
    gap = gap - cut
  end
  cuts[helpers] = gap
  return cuts
end

-- The next cut, `percent` larger at the cost of those after it: each gives by what it has above a fen.
local function with_bonus(cut, rest, percent)
  local later, rooms, room = {}, {}, 0
  for fen in string.gmatch(rest, '%d+') do
    later[#later + 1] = tonumber(fen)
    rooms[#later] = later[#later] - 1
    room = room + rooms[#later]
  end
  local bonus = math.min(math.floor(cut * percent / 100), room)
  for i, given in ipairs(share(bonus, rooms)) do later[i] = later[i] - given end
  return cut + bonus, table.concat(later, ',')
end

local function exhausted(me)
  return (me.bargains or 0) + (me.cuts or 0) >= FREE_MAX
end

function step.open(click, rules, cells, me)
  if (me.bargains or 0) >= rules.bargainsPerPerson or exhausted(me) then return LIMIT_REACHED end
  me.bargains = (me.bargains or 0) + 1
  local gap, cuts = click.price - rules.floorPriceFen, nil
  if rules.shape == 'random' then
    cuts = random_cuts(click, gap, rules.helpers)
  else
    cuts = weighed_cuts(gap, rules.helpers, rules.shape == 'front')
  end
  cells.owner = click.user
  cells.cuts = table.concat(cuts, ',')
  cells.priceFen = click.price
  cells.target = rules.helpers
  cells.buying = false
  cells.endsAt = click.now + rules.durationMinutes * MINUTE_MS
  cells.wakeAt = cells.endsAt
end

function step.cut(click, rules, cells, me)
  if click.user == cells.owner then return NOT_ELIGIBLE end
  if cells.status == FAILED or click.now >= cells.endsAt then return ENDED end
  if cells.current >= cells.target then return INSTANCE_FULL end
  if cells.status == SUCCESS then return ENDED end -- bought before the floor
  if click.acts > 0 then return LIMIT_REACHED end -- one cut a bargain
  local today = math.floor((click.now + CHINA_MS) / DAY_MS)
  local cuts_today = me.day == today and me.cutsToday or 0
  if cuts_today >= rules.cutsPerDay or exhausted(me) then return LIMIT_REACHED end
  me.day, me.cutsToday, me.cuts = today, cuts_today + 1, (me.cuts or 0) + 1

  local comma = string.find(cells.cuts, ',', 1, true) or #cells.cuts + 1
  local cut, rest = tonumber(string.sub(cells.cuts, 1, comma - 1)), string.sub(cells.cuts, comma + 1)
  if click.newcomer then cut, rest = with_bonus(cut, rest, rules.newcomerBonusPercent) end
  cells.status = ACTIVE
  cells.current = cells.current + 1
  cells.cuts = rest
  cells.priceFen = cells.priceFen - cut
  if cells.current == cells.target then
    cells.endsAt = click.now + rules.payMinutes * MINUTE_MS
    cells.wakeAt = cells.endsAt
  end
end

function step.buy(click, rules, cells)
  if click.user ~= cells.owner then return NOT_ELIGIBLE end
  if cells.status == SUCCESS or cells.status == FAILED or click.now >= cells.endsAt then return ENDED end
  if cells.current < cells.target and not rules.buyBeforeFloor then return NOT_STARTED end
  if cells.buying or click.quantity > 1 then return LIMIT_REACHED end -- one unit a bargain
  click.price = cells.priceFen
  cells.status = ACTIVE
  cells.buying = true
end

function step.paid(click, rules, cells)
  cells.status = SUCCESS
  cells.buying = false
  cells.wakeAt = 0
end

function step.released(click, rules, cells)
  if click.was == 'paid' then return end -- bought is bought, even if it is paid back
  cells.buying = false
  if click.now >= cells.endsAt then
    cells.status = FAILED
    cells.wakeAt = 0
  else
    cells.wakeAt = cells.endsAt -- it has slept through its deadline if the clock has gone back since
  end
end

function step.deadline(click, rules, cells)
  if cells.status == SUCCESS or cells.status == FAILED then return end
  if click.now < cells.endsAt and not click.over then return end
  cells.wakeAt = 0 -- an order still to be paid decides it: see paid and released
  if not cells.buying then cells.status = FAILED end
end

return step
