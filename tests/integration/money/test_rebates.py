"""Paying back: a part of the price, the rest of it, both or neither; each once, and never more than was paid."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.core.errors import BadInput, NotFound
from engine.core.settings import Settings
from engine.money import refunds
from engine.money.providers.port import ProviderFailed, RefundState, TradeState
from engine.money.refunds import Refunds
from tests.support.ledger import PRICE_FEN, Ledger, open_ledger


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


# Who is owed what -------------------------------------------------------------------------------------


async def test_a_rebate_is_owed_to_every_paid_order_of_a_success(ledger: Ledger) -> None:
    """By its quantity; not to who has not paid, nor to another instance."""
    config = await ledger.config()
    one, three = await ledger.paid(config, "u1"), await ledger.paid(config, "u2", quantity=3)
    held, elsewhere = await ledger.order(config, "u3"), await ledger.paid(config, "u4", suffix="s2")
    await ledger.instance(config, "s2", status="SUCCESS")
    instance = await ledger.instance(config, status="SUCCESS", rebateFen=100)
    await ledger.rebate(instance)
    owed = [await ledger.owed(order_id) for order_id in (one, three, held, elsewhere)]
    assert owed == [{"REBATE": (100, "PENDING")}, {"REBATE": (300, "PENDING")}, {}, {}]


async def test_a_rebate_is_owed_once(ledger: Ledger) -> None:
    """However often the instance is looked at, and whatever it says later."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    instance = await ledger.instance(config, status="SUCCESS", rebateFen=100)
    await asyncio.gather(*(ledger.rebate(instance, orders=(order_id,)) for _ in range(5)))
    await ledger.instance(config, status="SUCCESS", rebateFen=200)
    await ledger.rebate(instance)
    assert await ledger.owed(order_id) == {"REBATE": (100, "PENDING")}


async def test_who_pays_after_the_success_is_owed_a_rebate_as_well(ledger: Ledger) -> None:
    """A drained payment names the order, not the instance."""
    config = await ledger.config()
    await ledger.instance(config, status="SUCCESS", rebateFen=100)
    order_id = await ledger.paid(config)
    await ledger.rebate(orders=(order_id,))
    assert await ledger.owed(order_id) == {"REBATE": (100, "PENDING")}


@pytest.mark.parametrize("status", ["PENDING", "ACTIVE", "FAILED"])
async def test_no_rebate_before_the_success(ledger: Ledger, status: str) -> None:
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status=status, rebateFen=100), orders=(order_id,))
    assert await ledger.owed(order_id) == {}


@pytest.mark.parametrize(
    ("cell", "fen"),
    [
        (PRICE_FEN, PRICE_FEN),
        (10**15, PRICE_FEN),
        (1e300, PRICE_FEN),
        (7.9, 7),
        (0, None),
        (0.5, None),
        (-5, None),
        ("12", None),
        (True, None),
        (None, None),
    ],
)
async def test_whatever_a_playbook_says_a_rebate_is_at_most_the_price(
    ledger: Ledger, cell: object, fen: int | None
) -> None:
    """What is no number of whole fen is no rebate, and stops nobody else's."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=cell))
    assert await ledger.owed(order_id) == ({} if fen is None else {"REBATE": (fen, "PENDING")})


async def test_a_rebate_that_had_to_be_bounded_is_logged(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Once an instance, with its name; one of exactly the price is nothing to tell."""
    config = await ledger.config()
    all_of_it = await ledger.instance(config, status="SUCCESS", rebateFen=PRICE_FEN)
    await ledger.paid(config, "u1")
    await ledger.rebate(all_of_it)
    assert caplog.messages == []
    for user in ("u2", "u3"):
        await ledger.paid(config, user)
    too_much = await ledger.instance(config, status="SUCCESS", rebateFen=PRICE_FEN * 1000)
    await ledger.rebate(too_much)
    await ledger.rebate(too_much)
    asked = f"its rebateFen asks for {PRICE_FEN * 1000} fen where {PRICE_FEN} were paid"
    assert caplog.messages == [f"instance {too_much}: {asked}; 2 of its orders are paid back whole"]


async def test_of_a_rebate_of_all_nothing_is_left_to_pay_back(ledger: Ledger) -> None:
    """The provider is asked for the rebate, for no refund of 0 fen; the order is REFUNDED when that has arrived."""
    config = await ledger.config(price_fen=1)
    order_id = await ledger.paid(config, amount_fen=1)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=1))
    await ledger.take_back(order_id)
    assert await ledger.owed(order_id) == {"REBATE": (1, "PENDING"), "WHOLE": (0, "PENDING")}
    for _ in range(3):
        await ledger.refunds.pay_due(10)
        await ledger.wait(1.1)
    assert await ledger.owed(order_id) == {"REBATE": (1, "DONE"), "WHOLE": (0, "DONE")}
    assert await ledger.paid_back(order_id) == {f"b{order_id}": 1}
    assert (await ledger.status(order_id))[0] == "REFUNDED"


async def test_an_order_is_not_back_before_its_rebate_of_all_is(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that refuses the rebate: the rest of 0 fen waits, and is never stuck by itself."""

    async def refuse(*_: object) -> RefundState:
        raise ProviderFailed

    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=PRICE_FEN))
    await ledger.take_back(order_id)
    with monkeypatch.context() as patch:
        patch.setattr(ledger.sandbox, "refund", refuse)
        for _ in range(12):
            await ledger.refunds.pay_due(10)
            await ledger.wait(61)
    assert await ledger.owed(order_id) == {"REBATE": (PRICE_FEN, "STUCK"), "WHOLE": (0, "PENDING")}
    assert (await ledger.status(order_id))[0] == "REFUNDING"
    await ledger.refunds.retry(order_id)
    for _ in range(3):
        await ledger.refunds.pay_due(10)
        await ledger.wait(1.1)
    assert (await ledger.status(order_id))[0] == "REFUNDED"


async def test_the_whole_refund_is_what_the_rebate_left(ledger: Ledger) -> None:
    """And an order that was paid back whole gets no rebate any more."""
    config = await ledger.config()
    first, second = await ledger.paid(config, "u1"), await ledger.paid(config, "u2")
    instance = await ledger.instance(config, status="SUCCESS", rebateFen=100)
    await ledger.rebate(orders=(first,))
    await ledger.take_back(first, second)
    await ledger.rebate(instance, orders=(first, second))
    assert await ledger.owed(first) == {"REBATE": (100, "PENDING"), "WHOLE": (PRICE_FEN - 100, "PENDING")}
    assert await ledger.owed(second) == {"WHOLE": (PRICE_FEN, "PENDING")}


async def test_a_rebate_and_a_refund_decided_at_once(ledger: Ledger) -> None:
    """Whoever comes first, the two together are never more than was paid."""
    config = await ledger.config()
    instance = await ledger.instance(config, status="SUCCESS", rebateFen=100)
    orders = [await ledger.paid(config, f"u{n}") for n in range(20)]
    both = [work for order_id in orders for work in (ledger.rebate(orders=(order_id,)), ledger.take_back(order_id))]
    await asyncio.gather(*both, ledger.rebate(instance))
    sums = "SELECT order_id, sum(amount_fen) AS fen FROM refunds GROUP BY order_id"
    assert {row["fen"] for row in await ledger.pool.fetch(sums)} == {PRICE_FEN}


# How it is paid ---------------------------------------------------------------------------------------


async def test_a_rebate_leaves_the_order_paid(ledger: Ledger) -> None:
    """The provider has paid a part back and knows so; the order is as it was."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    assert await ledger.refunds.pay_due(10) == 1
    assert await ledger.status(order_id) == ("PAID", None)
    assert await ledger.owed(order_id) == {"REBATE": (100, "DONE")}
    assert await ledger.paid_back(order_id) == {f"b{order_id}": 100}
    assert (await ledger.sandbox.query(order_id)).state is TradeState.PAID


async def test_both_are_paid_a_minute_apart(ledger: Ledger) -> None:
    """WeChat's rule; then the order is REFUNDED, and the provider's trade with it."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    await ledger.take_back(order_id)
    assert await ledger.refunds.pay_due(10) == 1
    await ledger.wait(minutes=0.9)
    assert await ledger.refunds.pay_due(10) == 0
    await ledger.wait(minutes=0.2)
    assert await ledger.refunds.pay_due(10) == 1
    assert await ledger.paid_back(order_id) == {f"b{order_id}": 100, f"r{order_id}": PRICE_FEN - 100}
    assert await ledger.status(order_id) == ("REFUNDED", "INSTANCE_FAILED")
    assert (await ledger.sandbox.query(order_id)).state is TradeState.REFUNDED


async def test_a_refund_opened_after_a_rebate_waits_its_minute(ledger: Ledger) -> None:
    """Its row is new, its order was paid back a moment ago."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    assert await ledger.refunds.pay_due(10) == 1
    await ledger.take_back(order_id)
    assert await ledger.refunds.pay_due(10) == 0
    await ledger.wait(minutes=1.1)
    assert await ledger.refunds.pay_due(10) == 1


async def test_refunds_that_wait_for_their_minute_keep_no_other_waiting(ledger: Ledger) -> None:
    """They are the oldest, and there are more of them than one look may take."""
    config = await ledger.config()
    waiting = [await ledger.paid(config, f"u{n}") for n in range(3)]
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    await ledger.take_back(*waiting)
    assert await ledger.refunds.pay_due(3) == 3
    last = await ledger.paid(config, "u9")
    await ledger.take_back(last)
    assert await ledger.refunds.pay_due(1) == 1
    assert (await ledger.status(last))[0] == "REFUNDED"


async def test_a_stuck_rebate_does_not_hold_up_the_rest(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is paid; a person has the rebate tried again."""
    config = await ledger.config()
    order_id = await ledger.paid(config)
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    pay = ledger.sandbox.refund

    async def no_rebates(order: str, refund_no: str, amount_fen: int) -> RefundState:
        if refund_no.startswith("b"):
            raise ProviderFailed
        return await pay(order, refund_no, amount_fen)

    monkeypatch.setattr(ledger.sandbox, "refund", no_rebates)
    for _ in range(4):
        await ledger.refunds.pay_due(10)
        await ledger.wait()
    await ledger.take_back(order_id)
    assert await ledger.refunds.pay_due(10) == 1
    assert await ledger.owed(order_id) == {"REBATE": (100, "STUCK"), "WHOLE": (PRICE_FEN - 100, "DONE")}
    monkeypatch.undo()
    await ledger.refunds.retry(order_id)
    await ledger.wait()
    assert await ledger.refunds.pay_due(10) == 1
    assert sum((await ledger.paid_back(order_id)).values()) == PRICE_FEN


async def test_workers_never_try_two_refunds_of_one_order_at_once(ledger: Ledger, settings: Settings) -> None:
    """Four workers, twenty orders with two refunds each: one attempt an order, the other a minute later."""
    config = await ledger.config()
    orders = [await ledger.paid(config, f"u{n}") for n in range(20)]
    await ledger.rebate(await ledger.instance(config, status="SUCCESS", rebateFen=100))
    await ledger.take_back(*orders)
    others = [Refunds(ledger.pool, ledger.moves, ledger.sandbox, settings.money) for _ in range(4)]
    for _ in range(2):
        assert sum(await asyncio.gather(*(one.pay_due(40) for one in others))) == 20
        assert await asyncio.gather(*(one.pay_due(40) for one in others)) == [0] * 4
        await ledger.wait()
    assert {await ledger.status(order_id) for order_id in orders} == {("REFUNDED", "INSTANCE_FAILED")}


# The sandbox keeps its own books ----------------------------------------------------------------------


async def test_the_sandbox_pays_a_number_once(ledger: Ledger) -> None:
    """Again: the same answer and no second payment, also at once, also when all is paid back."""
    order_id = await ledger.paid(await ledger.config())
    refund = ledger.sandbox.refund
    for fen, number in ((100, "b1"), (PRICE_FEN - 100, "r1")):
        assert await asyncio.gather(*(refund(order_id, number, fen) for _ in range(10))) == [RefundState.DONE] * 10
    assert await ledger.paid_back(order_id) == {"b1": 100, "r1": PRICE_FEN - 100}


async def test_the_sandbox_refuses_a_number_with_another_amount(ledger: Ledger) -> None:
    order_id = await ledger.paid(await ledger.config())
    await ledger.sandbox.refund(order_id, "b1", 100)
    with pytest.raises(BadInput):
        await ledger.sandbox.refund(order_id, "b1", 101)
    assert await ledger.paid_back(order_id) == {"b1": 100}


async def test_the_sandbox_never_pays_back_more_than_was_paid(ledger: Ledger) -> None:
    """Not in one, not in several, not at once, and no negative or empty amounts."""
    order_id = await ledger.paid(await ledger.config())
    refund = ledger.sandbox.refund
    for fen in (PRICE_FEN + 1, 0, -1):
        with pytest.raises(BadInput):
            await refund(order_id, "x", fen)
    halves = await asyncio.gather(*(refund(order_id, f"h{n}", 400) for n in range(6)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in halves) == ["BadInput"] * 4 + ["RefundState"] * 2
    assert sum((await ledger.paid_back(order_id)).values()) == 800


async def test_the_sandbox_pays_nothing_back_that_was_not_paid(ledger: Ledger) -> None:
    """Unknown, open and closed trades."""
    config = await ledger.config()
    unknown, opened, closed = [await ledger.order(config, f"u{n}") for n in range(3)]
    await ledger.payments.prepay(opened, "u1")
    await ledger.sandbox.close(closed, PRICE_FEN)
    for order_id in (unknown, opened, closed):
        with pytest.raises(NotFound):
            await ledger.sandbox.refund(order_id, "r1", PRICE_FEN)


# Any order of things ----------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rebate", "rebate", "take_back", "pay", "pay", "pay", "wait", "wait", "retry", "crash"]),
        st.integers(0, 2),
        st.sampled_from(["well", "well", "lost answer", "refused", "processing"]),
    ),
    max_size=25,
)


class Payer:
    """The sandbox, with answers as the schedule says; remembers when it was asked, in the ledger's own time."""

    def __init__(self, ledger: Ledger) -> None:
        self.mood = "well"
        self.now = timedelta()
        self.asked: list[tuple[str, timedelta]] = []
        self._pay = ledger.sandbox.refund

    async def refund(self, order_id: str, refund_no: str, amount_fen: int) -> RefundState:
        self.asked.append((order_id, self.now))
        if self.mood == "refused":
            raise ProviderFailed
        if self.mood == "processing":
            return RefundState.PROCESSING
        state = await self._pay(order_id, refund_no, amount_fen)
        if self.mood == "lost answer":
            raise ProviderFailed
        return state


@given(steps=STEPS, rebate_fen=st.sampled_from([100, 100, PRICE_FEN]))
@hypothesis_settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_schedule_pays_back_exactly_what_is_owed(
    ledger: Ledger, steps: list[tuple[str, int, str]], rebate_fen: int
) -> None:
    """Rebates, refunds, repeats, failures, lost answers and workers that die, in any order."""
    config = await ledger.config()
    instance = await ledger.instance(config, status="SUCCESS", rebateFen=rebate_fen)
    orders = [await ledger.paid(config, f"u{n}", quantity=n + 1) for n in range(3)]
    payer = Payer(ledger)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.sandbox, "refund", payer.refund)
        for what, which, mood in steps:
            payer.mood = mood
            await _step(ledger, payer, instance, orders[which], what)
            for order_id in orders:
                assert sum((await ledger.paid_back(order_id)).values()) <= await _captured(ledger, order_id)
        payer.mood = "well"
        await _finish(ledger, payer, orders)
    for order_id in orders:
        await _check(ledger, payer, order_id)


async def _step(ledger: Ledger, payer: Payer, instance: str, order_id: str, what: str) -> None:
    if what == "rebate":
        await ledger.rebate(instance)
    elif what == "take_back":
        await ledger.take_back(order_id)
    elif what == "pay":
        await ledger.refunds.pay_due(10)
    elif what == "wait":
        await _wait(ledger, payer, minutes=0.7)
    elif what == "crash":  # the worker dies after it took the work
        await ledger.pool.execute(CRASH, order_id)
    else:
        try:
            await ledger.refunds.retry(order_id)
        except NotFound:
            return


CRASH = f"""
UPDATE refunds SET attempts = attempts + 1, attempted_at = now(),
       next_attempt_at = now() + interval '{refunds.LEASE.total_seconds()} s'
 WHERE order_id = $1 AND kind = (SELECT min(kind) FROM refunds WHERE order_id = $1 AND status = 'PENDING')
   AND next_attempt_at <= now() AND attempts < 3
   AND NOT EXISTS (SELECT FROM refunds o WHERE o.order_id = $1 AND o.attempted_at > now() - interval '1 min')
"""


async def _wait(ledger: Ledger, payer: Payer, minutes: float) -> None:
    await ledger.wait(minutes)
    payer.now += timedelta(minutes=minutes)


async def _finish(ledger: Ledger, payer: Payer, orders: list[str]) -> None:
    for _ in range(8):
        for order_id in orders:
            await _step(ledger, payer, "", order_id, "retry")
        await _wait(ledger, payer, minutes=61)
        await ledger.refunds.pay_due(10)


async def _captured(ledger: Ledger, order_id: str) -> int:
    return (await ledger.sandbox.query(order_id)).amount_fen


async def _check(ledger: Ledger, payer: Payer, order_id: str) -> None:
    """Everything owed is paid, each once; what was taken back is whole; no two attempts within a minute."""
    captured = await _captured(ledger, order_id)
    owed: dict[str, Any] = await ledger.owed(order_id)
    paid_back = await ledger.paid_back(order_id)
    assert {status for _, status in owed.values()} <= {"DONE"}
    numbers = {"REBATE": f"b{order_id}", "WHOLE": f"r{order_id}"}
    assert paid_back == {numbers[kind]: fen for kind, (fen, _) in owed.items() if fen}
    if (await ledger.status(order_id))[0] == "REFUNDED":
        assert sum(paid_back.values()) == captured
    else:
        assert (await ledger.status(order_id))[0] == "PAID"
        assert sum(paid_back.values()) <= captured
        assert "WHOLE" not in owed
    moments = [at for order, at in payer.asked if order == order_id]
    assert all(later - earlier >= refunds.APART for earlier, later in pairwise(moments))
