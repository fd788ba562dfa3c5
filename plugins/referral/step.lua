-- 老带新. An instance is one person's invitations, its id the share code.
-- Cells: owner, endsAt (ms); bound, converted, brought: how often somebody was bound to it, how many of them
-- paid, and how many of those were new. `current` is progress: those who paid.
-- me: opened (has invitations of their own), at and boundUntil (whose guest until when), visits (how often bound),
-- claims (orders that count if they are paid: ' o1n o2v ', of a newcomer and a veteran), counted (the order that did
-- count), new (whether that was a newcomer's).
local step = {}

local DAY_MS = 86400000
local CLAIMS_BYTES = 18 * 16 -- sixteen unpaid orders
-- Bindings a person on one config. The engine keeps so many clicks of a person (gate.person_effects_max): some are left
-- for buying, or who opens invitation after invitation could not buy.
local VISITS_MAX = 40

local function over(click, cells)
  return cells.status == SUCCESS or cells.status == FAILED or click.now >= cells.endsAt
end

-- What the check for fraud compares: the first that is known, so it cannot be covered up later. Someone who
-- says nothing is like nobody else.
local function note_origin(click, me)
  if not me.device and click.device ~= '' then me.device = click.device end
  if not me.address and click.address ~= '' then me.address = click.address end
end

function step.open(click, rules, cells, me)
  if me.opened then return LIMIT_REACHED end
  cells.target = rules.target
  cells.endsAt = click.now + rules.durationDays * DAY_MS
  cells.wakeAt = cells.endsAt
  cells.owner = click.user
  cells.bound, cells.converted, cells.brought = 0, 0, 0
  me.opened = true
  note_origin(click, me)
end

-- Only someone without invitations of their own can be bound. So a chain of bindings leads to ever earlier
-- openers and never back: nobody invites themselves, and no circle of any length can close.
function step.visit(click, rules, cells, me)
  if cells.status == SUCCESS then return INSTANCE_FULL end
  if over(click, cells) then return ENDED end
  if me.opened or me.counted then return NOT_ELIGIBLE end
  if rules.newcomersOnly and not click.newcomer then return NOT_ELIGIBLE end
  local bound = me.at and click.now < me.boundUntil
  if bound and (rules.touch == 'first' or me.at == click.instance) then return CONFLICT end
  if (me.visits or 0) >= VISITS_MAX then return LIMIT_REACHED end
  me.visits = (me.visits or 0) + 1
  cells.bound = cells.bound + 1
  me.at = click.instance
  me.boundUntil = click.now + rules.windowDays * DAY_MS
  note_origin(click, me)
end

-- Anyone may buy, always. Whether it counts is decided here, for the click: the payment may take its time.
function step.join(click, rules, cells, me)
  if me.opened or me.at then note_origin(click, me) end
  local bound = me.at == click.instance and click.now < me.boundUntil
  if not bound or me.counted or over(click, cells) then return end
  local claims = me.claims or ' '
  if #claims > CLAIMS_BYTES then return end
  me.claims = claims .. click.order .. (click.newcomer and 'n ' or 'v ')
end

-- Takes the order off the person's claims. Whether it was one, and a newcomer's.
local function take_claim(order, me)
  local claims = me.claims or ' '
  local first, last, by = string.find(claims, ' ' .. order .. '(%l?) ')
  if not first then return false end
  me.claims = string.sub(claims, 1, first) .. string.sub(claims, last + 1)
  return true, by == 'n'
end

local function promise(click, rules, user, side)
  local amount = rules[side .. 'RewardAmount']
  if amount < 1 then return end
  reward(click, { user = user, kind = rules[side .. 'RewardKind'], amount = amount, days = rules.refundDays })
end

function step.paid(click, rules, cells, me)
  local claimed, by_newcomer = take_claim(click.order, me)
  if not claimed or me.counted then return end
  me.counted, me.new = click.order, by_newcomer
  cells.current = cells.current + 1
  cells.converted = cells.converted + 1
  if me.new then cells.brought = cells.brought + 1 end
  promise(click, rules, cells.owner, 'referrer')
  promise(click, rules, click.user, 'invitee')
  if cells.status == PENDING then cells.status = ACTIVE end
  if cells.current >= cells.target then
    cells.status = SUCCESS
    cells.wakeAt = 0
  end
end

-- The rewards of an order that is paid back are void without us.
function step.released(click, rules, cells, me)
  take_claim(click.order, me)
  if click.was ~= 'paid' or me.counted ~= click.order then return end
  cells.converted = cells.converted - 1
  if me.new then cells.brought = cells.brought - 1 end
  if cells.status ~= SUCCESS then cells.current = cells.current - 1 end
end

function step.deadline(click, rules, cells)
  if cells.status == SUCCESS or cells.status == FAILED then return end
  if click.now < cells.endsAt and not click.over then return end
  cells.status = FAILED
  cells.wakeAt = 0
end

return step
