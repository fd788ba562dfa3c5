"""A payment that ended unpaid is asked about until it is certain: money that nobody told us of is found."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from engine.core.errors import WanfaError
from engine.core.settings import Settings
from engine.money.asking import ASKS_AT_ONCE, CLAIM, LEASE, NO_ANSWER_WAIT, Asker
from engine.money.providers.port import ProviderFailed, Trade, TradeState
from engine.orders.moves import CANCEL, EXPIRE, Move
from tests.support.ledger import PLAIN, PRICE_FEN, RESEATING, Ledger, open_ledger

LONG = timedelta(days=9)


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


@pytest.fixture
def waits(settings: Settings) -> list[timedelta]:
    return [timedelta(seconds=wait) for wait in settings.money.ask_again_s]


async def ended(ledger: Ledger, move: Move = CANCEL, *, code: str = PLAIN, user: str = "u1") -> str:
    """The id of an order that ended unpaid after its payment was begun: the provider has confirmed the close."""
    order_id = await ledger.order(await ledger.config(code), user)
    await ledger.payments.prepay(order_id, user)
    assert await ledger.payments.close(order_id, PRICE_FEN) is True
    async with ledger.pool.acquire() as connection, connection.transaction():
        await ledger.moves.make(connection, move, [order_id], by="test")
    return order_id


async def pay_unheard(ledger: Ledger, order_id: str) -> None:
    """The bank takes the money all the same, and its notification is lost."""
    await ledger.sandbox.pay(order_id, late=True, notify=False)


async def let_pass(ledger: Ledger, time: timedelta = LONG) -> None:
    await ledger.pool.execute("UPDATE payments SET ask_at = ask_at - $1::interval", time)


async def next_ask(ledger: Ledger, order_id: str) -> timedelta | None:
    """How long until the next question, as of the statement that planned it; None: there is none."""
    row = await ledger.pool.fetchrow("SELECT ask_at - now() AS wait FROM payments WHERE order_id = $1", order_id)
    assert row is not None
    wait: timedelta | None = row["wait"]
    return wait


def about(wait: timedelta | None, planned: timedelta) -> bool:
    """Whether this is what is left of a wait that was planned a moment ago."""
    return wait is not None and planned - timedelta(seconds=30) < wait <= planned


@pytest.mark.parametrize("move", [CANCEL, EXPIRE])
@pytest.mark.parametrize("code", [PLAIN, RESEATING])
async def test_money_that_came_after_the_end_is_found(ledger: Ledger, move: Move, code: str) -> None:
    """However the order ended: its payer is asked after, paid back or seated anew, as if the notification had come."""
    order_id = await ended(ledger, move, code=code)
    await pay_unheard(ledger, order_id)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 1
    assert await ledger.status(order_id) == ("REFUNDING", "LATE_PAYMENT")
    seat_asked = move is EXPIRE and code == RESEATING
    assert await ledger.owed(order_id) == ({} if seat_asked else {"WHOLE": (PRICE_FEN, "PENDING")})
    assert await next_ask(ledger, order_id) is None
    assert await ledger.money.asker.ask_due(10) == 0


async def test_money_that_comes_between_two_questions_is_found_by_the_next(ledger: Ledger) -> None:
    """A closed trade is no certainty yet: also what the first answers do not know."""
    order_id = await ended(ledger)
    for _ in range(3):
        await let_pass(ledger)
        assert await ledger.money.asker.ask_due(10) == 0
    await pay_unheard(ledger, order_id)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 1
    assert (await ledger.status(order_id))[0] == "REFUNDING"


@pytest.mark.parametrize("state", [TradeState.UNKNOWN, TradeState.OPEN])
async def test_what_is_neither_paid_nor_closed_is_no_certainty(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, state: TradeState
) -> None:
    """A provider that has not heard of the trade yet, or has not heard of its close, is asked again."""
    order_id = await ended(ledger)
    await pay_unheard(ledger, order_id)

    async def behind(_order: str) -> Trade:
        return Trade(state)

    with monkeypatch.context() as patched:
        patched.setattr(ledger.sandbox, "query", behind)
        await let_pass(ledger)
        assert await ledger.money.asker.ask_due(10) == 0
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 1


def test_who_got_no_answer_asks_again_soon() -> None:
    """Not at once, for a provider that is away would be asked without end; and nobody waits long for their money."""
    assert timedelta(seconds=10) <= NO_ANSWER_WAIT <= timedelta(minutes=5)


async def test_questions_have_the_gaps_of_the_settings_and_an_end(ledger: Ledger, waits: list[timedelta]) -> None:
    """One question at the end of each wait, none before; after the last answer it is certain."""
    order_id = await ended(ledger)
    for wait in waits:
        assert about(await next_ask(ledger, order_id), wait)
        await let_pass(ledger, wait - timedelta(minutes=1) if wait > timedelta(minutes=2) else timedelta())
        assert await ledger.pool.fetchval("SELECT count(*) FROM payments WHERE ask_at <= now()") == 0
        await let_pass(ledger, wait)
        await ledger.money.asker.ask_due(10)
    assert await next_ask(ledger, order_id) is None


async def test_the_settings_of_the_house_ask_for_days(settings: Settings) -> None:
    """A provider's bill of a day is complete on the next one: the last question comes after that, and gaps grow."""
    waits = settings.money.ask_again_s
    assert sum(waits) > 3 * 86400
    assert list(waits) == sorted(waits)
    assert waits[0] <= 10


@pytest.mark.parametrize(
    "error", [ProviderFailed(), WanfaError(), OSError("away"), ValueError("garbage"), KeyError("x")]
)
async def test_a_provider_that_does_not_answer_is_asked_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """That counts as no answer, however often, and keeps nobody else waiting."""
    silent, other = await ended(ledger), await ended(ledger, user="u2")
    await pay_unheard(ledger, silent)
    await pay_unheard(ledger, other)
    query = ledger.sandbox.query

    async def moody(order_id: str) -> Trade:
        if order_id == silent:
            raise error
        return await query(order_id)

    monkeypatch.setattr(ledger.sandbox, "query", moody)
    for found in (1, *[0] * 12):
        await let_pass(ledger)
        assert await ledger.money.asker.ask_due(10) == found
        assert about(await next_ask(ledger, silent), NO_ANSWER_WAIT)
    assert await ledger.pool.fetchval("SELECT asks FROM payments WHERE order_id = $1", silent) == 0
    monkeypatch.undo()
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 1
    assert {(await ledger.status(order_id))[0] for order_id in (silent, other)} == {"REFUNDING"}


async def test_an_order_that_something_is_wrong_with_keeps_no_other_waiting(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is: of ours, of Postgres, of the provider."""
    broken, other = await ended(ledger), await ended(ledger, user="u2")
    for order_id in (broken, other):
        await pay_unheard(ledger, order_id)
    look = ledger.payments.look

    async def moody(order_id: str) -> TradeState:
        if order_id == broken:
            raise asyncpg.DataError
        return await look(order_id)

    monkeypatch.setattr(ledger.payments, "look", moody)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 1
    assert about(await next_ask(ledger, broken), NO_ANSWER_WAIT)
    assert (await ledger.status(other))[0] == "REFUNDING"


async def test_a_worker_that_dies_over_a_question_leaves_it_to_the_next(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks it meanwhile; afterwards somebody does, and it does not count as an answer."""
    order_id = await ended(ledger)
    await pay_unheard(ledger, order_id)
    await let_pass(ledger)

    async def dies(_order: str) -> Trade:
        raise asyncio.CancelledError

    monkeypatch.setattr(ledger.sandbox, "query", dies)
    with pytest.raises(asyncio.CancelledError):
        await ledger.money.asker.ask_due(10)
    monkeypatch.undo()
    assert about(await next_ask(ledger, order_id), LEASE)
    assert await ledger.money.asker.ask_due(10) == 0
    await let_pass(ledger, LEASE)
    assert await ledger.money.asker.ask_due(10) == 1


async def test_two_workers_ask_each_question_once(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty payments, four workers: forty questions, never more at once from one of them than it may ask."""
    orders = [await ended(ledger, user=f"u{number}") for number in range(40)]
    await let_pass(ledger)
    asked: list[str] = []
    query, now, most = ledger.sandbox.query, 0, 0

    async def count(order_id: str) -> Trade:
        nonlocal now, most
        asked.append(order_id)
        now += 1
        most = max(most, now)
        try:
            return await query(order_id)
        finally:
            now -= 1

    monkeypatch.setattr(ledger.sandbox, "query", count)
    askers = [Asker(ledger.pool, ledger.payments, settings.money) for _ in range(4)]
    await asyncio.gather(*(one.ask_due(40) for one in askers))
    assert sorted(asked) == sorted(orders)
    assert most <= 4 * ASKS_AT_ONCE


async def test_a_question_that_another_worker_is_taking_is_passed_by(ledger: Ledger) -> None:
    """Nobody waits for it: a worker that is frozen in the middle of taking it would stop all the others."""
    first, other = await ended(ledger), await ended(ledger, user="u2")
    await let_pass(ledger)
    await ledger.pool.execute("UPDATE payments SET ask_at = ask_at - interval '1 d' WHERE order_id = $1", first)
    await pay_unheard(ledger, other)
    async with ledger.pool.acquire() as frozen, frozen.transaction():
        (taken,) = await frozen.fetch(CLAIM, 1, LEASE)
        assert taken["order_id"] == first
        assert await asyncio.wait_for(ledger.money.asker.ask_due(10), 20) == 1


async def test_no_more_calls_at_once_than_a_worker_may_make(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(ASKS_AT_ONCE + 5):
        await ended(ledger, user=f"u{number}")
    await let_pass(ledger)
    flying, full, go = 0, asyncio.Event(), asyncio.Event()

    async def slow(_order: str) -> Trade:
        nonlocal flying
        flying += 1
        if flying == ASKS_AT_ONCE:
            full.set()
        await go.wait()
        return Trade(TradeState.CLOSED)

    monkeypatch.setattr(ledger.sandbox, "query", slow)
    work = asyncio.create_task(ledger.money.asker.ask_due(100))
    await full.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert flying == ASKS_AT_ONCE
    go.set()
    await work


async def test_what_has_waited_longest_is_asked_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was just asked goes behind, so a heap of payments that stay unknown starves nobody."""
    orders = [await ended(ledger, user=f"u{number}") for number in range(6)]
    for number, order_id in reversed(list(enumerate(orders))):
        ago = timedelta(minutes=10 * (6 - number))
        await ledger.pool.execute(
            "UPDATE payments SET ask_at = now() - $2::interval WHERE order_id = $1", order_id, ago
        )
    asked: list[str] = []

    async def away(order_id: str) -> Trade:
        asked.append(order_id)
        raise ProviderFailed

    monkeypatch.setattr(ledger.sandbox, "query", away)
    for _ in range(3):
        await ledger.money.asker.ask_due(2)
    assert [set(asked[at : at + 2]) for at in (0, 2, 4)] == [set(orders[at : at + 2]) for at in (0, 2, 4)]


async def test_nothing_is_asked_about_a_payment_that_is_booked(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paid in time, and nothing is written for it again: there is no question in the index."""
    await ledger.paid(await ledger.config())
    await let_pass(ledger)

    async def never(_order: str) -> Trade:
        raise AssertionError("asked")

    monkeypatch.setattr(ledger.sandbox, "query", never)
    assert await ledger.money.asker.ask_due(10) == 0
    assert await ledger.pool.fetchval("SELECT count(*) FROM payments WHERE ask_at IS NOT NULL") == 0


async def test_a_payment_is_asked_about_from_its_beginning_on(ledger: Ledger) -> None:
    """Whatever way its order ends, or if nothing ends it: from when it can no longer be paid in time."""
    order_id = await ledger.order(await ledger.config())
    await ledger.payments.prepay(order_id, "u1")
    due = "SELECT p.ask_at > o.pay_before FROM payments p JOIN orders o ON o.id = p.order_id"
    assert await ledger.pool.fetchval(due) is True
    await pay_unheard(ledger, order_id)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 1
    assert (await ledger.status(order_id), await ledger.owed(order_id)) == (("PAID", None), {})


async def test_answers_from_before_the_end_do_not_count(ledger: Ledger, waits: list[timedelta]) -> None:
    """While its order was held the provider said "not paid" any number of times; the close begins anew."""
    order_id = await ledger.order(await ledger.config())
    await ledger.payments.prepay(order_id, "u1")
    for _ in range(len(waits) + 1):
        await let_pass(ledger)
        await ledger.money.asker.ask_due(10)
    await ledger.payments.close(order_id, PRICE_FEN)
    assert about(await next_ask(ledger, order_id), waits[0])
    assert await ledger.pool.fetchval("SELECT asks FROM payments") == 0
    await ledger.payments.close(order_id, PRICE_FEN)
    await let_pass(ledger)
    await ledger.money.asker.ask_due(10)
    await ledger.payments.close(order_id, PRICE_FEN)
    assert await ledger.pool.fetchval("SELECT asks FROM payments") == 1, "closing it again begins nothing anew"


async def test_a_stray_payment_found_by_asking_waits_for_a_person(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed, and not asked about for ever."""
    order_id = await ended(ledger)

    async def wrong(_order: str) -> Trade:
        return Trade(TradeState.PAID, PRICE_FEN + 1, "t1")

    monkeypatch.setattr(ledger.sandbox, "query", wrong)
    await let_pass(ledger)
    await ledger.money.asker.ask_due(10)
    assert await ledger.money.strays.waiting() == 1
    assert await next_ask(ledger, order_id) is None
    assert (await ledger.status(order_id))[0] == "CANCELLED"


async def test_money_that_came_and_went_back_by_itself_is_nobodys_concern(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has paid it back of its own accord: nothing is owed, nothing is asked any more."""
    order_id = await ended(ledger)

    async def refunded(_order: str) -> Trade:
        return Trade(TradeState.REFUNDED, PRICE_FEN, "t1")

    monkeypatch.setattr(ledger.sandbox, "query", refunded)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 0
    assert await next_ask(ledger, order_id) is None
    assert ((await ledger.status(order_id))[0], await ledger.owed(order_id)) == ("CANCELLED", {})


async def test_the_notification_comes_while_we_ask(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer "not paid" is older than the payment: it changes nothing."""
    order_id = await ended(ledger)

    async def overtaken(order: str) -> Trade:
        await ledger.payments.apply_notification(order, PRICE_FEN, "t1")
        return Trade(TradeState.CLOSED)

    monkeypatch.setattr(ledger.sandbox, "query", overtaken)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 0
    assert (await ledger.status(order_id))[0] == "REFUNDING"
    assert await next_ask(ledger, order_id) is None


async def test_an_answer_from_before_the_close_changes_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, waits: list[timedelta]
) -> None:
    """The question was on its way when the hold ended: those of the close begin at their beginning all the same."""
    order_id = await ledger.order(await ledger.config())
    await ledger.payments.prepay(order_id, "u1")
    for _ in range(2):
        await let_pass(ledger)
        await ledger.money.asker.ask_due(10)
    query = ledger.sandbox.query

    async def overtaken(order: str) -> Trade:
        monkeypatch.setattr(ledger.sandbox, "query", query)
        trade = await query(order)
        assert await ledger.payments.close(order, PRICE_FEN) is True
        return trade

    monkeypatch.setattr(ledger.sandbox, "query", overtaken)
    await let_pass(ledger)
    assert await ledger.money.asker.ask_due(10) == 0
    assert await ledger.pool.fetchval("SELECT asks FROM payments") == 0
    assert about(await next_ask(ledger, order_id), waits[0])
