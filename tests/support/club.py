"""A playbook of the tests' own that keeps, promises and reseats: what the way into Postgres has to carry.

A session `s1`, with a stock of its own where the rules say so, in which anybody may buy; and clubs of two that
people open and join, whose members get back a part of the price when the second has paid.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine.core import ids
from engine.core.errors import NotFound
from engine.core.settings import Settings
from engine.playbooks.registry import Registry, load_playbooks
from engine.sdk import Playbook, Rules, Session, States, Status, View, Window
from tests.support.market import PRICE_FEN, Market, open_market

CODE = "CLUB"
REBATE_FEN = 100
BONUS_FEN = 5

STEP = """
local step = {}

local function sit_down(cells)
  if cells.status == SUCCESS then return INSTANCE_FULL end
  if cells.status == FAILED then return ENDED end
  if not cells.seatsLeft then return end
  if cells.seatsLeft < 1 then return INSTANCE_FULL end
  cells.seatsLeft = cells.seatsLeft - 1
end

local function count_in(click, cells, me)
  if cells.status == FAILED then return ENDED end
  cells.current = cells.current + 1
  me.paid = (me.paid or 0) + 1
  reward(click, { user = click.user, kind = 'CASH', amount = 5, days = 7 })
  if cells.seatsLeft and cells.current >= cells.target then
    cells.status = SUCCESS
    cells.rebateFen = 100
  end
end

function step.open(click, rules, cells, me)
  cells.target, cells.seatsLeft = 2, 1
  cells.wakeAt, cells.endsAt = click.now + 3600000, click.now + 3600000
  me.clicks = (me.clicks or 0) + 1
end

function step.join(click, rules, cells, me)
  me.clicks = (me.clicks or 0) + 1
  return sit_down(cells)
end

function step.paid(click, rules, cells, me)
  return count_in(click, cells, me)
end

function step.late(click, rules, cells, me)
  if rules.lateFails then error('on purpose') end
  if click.fresh then
    if rules.strict then return INSTANCE_FULL end
    cells.target, cells.seatsLeft = 2, 1
    cells.wakeAt, cells.endsAt = click.now + 3600000, click.now + 3600000
  else
    local refusal = sit_down(cells)
    if refusal then return refusal end
  end
  return count_in(click, cells, me)
end

function step.released(click, rules, cells, me)
  if click.was == 'paid' then
    cells.current = cells.current - 1
    me.paid = me.paid - 1
  end
  if cells.seatsLeft and cells.status == PENDING then cells.seatsLeft = cells.seatsLeft + 1 end
end

function step.deadline(click, rules, cells)
  if cells.status ~= PENDING or click.now < (cells.endsAt or 2 ^ 45) then return end
  cells.status, cells.wakeAt = FAILED, 0
end

function step.remind(click, rules, cells, me)
  me.asked = true
  notice(click, { user = click.user, topic = 'SALE_OPENS', at = click.now + 60000 })
end

return step
"""


class ClubRules(Rules, frozen=True):
    """Rules of the tests' playbook."""

    session_stock: int = 0
    strict: bool = False  # no new club for a late payer
    late_fails: bool = False


def _sessions(rules: ClubRules, _window: Window) -> tuple[Session, ...]:
    return (Session(suffix="s1", stock=rules.session_stock or None),)


PLAYBOOK = Playbook(
    code=CODE,
    name="社团",
    version="1.0",
    unit_name="份",
    rules=ClubRules,
    states=States(
        moves={Status.PENDING: (Status.SUCCESS, Status.FAILED)},
        orders={Status.FAILED: "refund"},
    ),
    step=STEP,
    view=View(open="开团", join="参加", actions={"remind": "提醒我"}),
    actions=("remind",),
    sessions=_sessions,
    reseats=True,
)


def _with_club(*arguments: Any) -> Registry:
    registry = load_playbooks(*arguments)
    registry.loaded[CODE] = PLAYBOOK
    return registry


@asynccontextmanager
async def open_club(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Market]:
    """A market that also sells by the tests' own playbook."""
    monkeypatch.setattr("engine.runtime.bootstrap.load_playbooks", _with_club)
    async with open_market(settings) as market:
        yield market


async def expired(market: Market, config: str, user: str, **click: Any) -> str:
    """The id of an order whose time to pay is over, and Redis knows it."""
    order_id = await market.hold(config, user, **click)
    await market.drain_all()
    await market.age(order_id)
    await market.holds.expire_unpaid()
    await market.settle()
    return order_id


async def pay_late(market: Market, order_id: str, amount_fen: int = PRICE_FEN) -> str:
    """The payment that nobody expects any more; the order's status then. Raises NotFound when no order takes it."""
    status = await market.engine.money.payments.apply_notification(order_id, amount_fen, f"t-{order_id}")
    if status is None:
        raise NotFound  # no order takes it
    return status


async def paid(market: Market, config: str, user: str, **click: Any) -> str:
    """The id of an order that is paid for, and everybody knows it."""
    order_id = await market.hold(config, user, **click)
    await market.drain_all()
    await market.pay(order_id, user)
    await market.settle()
    return order_id


async def fail_club(market: Market, config: str, suffix: str) -> None:
    """Let a club's deadline be over, wake it, and let all that follows happen."""
    await market.drain_all()
    await market.end_group(ids.instance_id(config, suffix))
    await market.settle()
