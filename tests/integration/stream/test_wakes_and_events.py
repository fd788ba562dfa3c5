"""What is told to the gate, and when: events until they are answered, instances when their time has come."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, cast

import pytest

from engine.core.errors import Paused
from engine.core.settings import Settings
from engine.core.transact import transact
from engine.gate.gate import Gate
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply
from engine.orders.moves import OWE_LATE
from engine.sdk import Status
from engine.stream import apply, wake
from engine.stream.dispatch import Dispatcher
from engine.stream.follow import follow_events
from engine.stream.intents import Followed
from engine.stream.wake import Waker
from tests.support.ledger import RESEATING, Ledger, open_ledger
from tests.support.waiting import until

TELL = "INSERT INTO gate_events (order_id, kind, config_id) SELECT id, $2, config_id FROM orders WHERE id = $1"
WAKE_AT = "UPDATE instances SET wake_at = now() + interval '1 s' * $2 WHERE id = $1"
OVER = """
UPDATE play_configs SET starts_at = now() - interval '1 day', status = $1, ends_at = now() + interval '1 s' * $2
"""
DUE = "SELECT count(*) FROM gate_events WHERE sent_at IS NULL"


class Told(NamedTuple):
    """What the gate was told."""

    kind: str
    suffix: str
    order_id: str
    extra: Any


class Ear:
    """A gate that hears everything; some shards are closed, some configs' playbooks fail."""

    def __init__(self) -> None:
        self.heard: list[Told] = []
        self.closed: set[str] = set()
        self.failing: set[str] = set()

    async def event(
        self, _shard: int, config: str, kind: str, suffix: str, _user: str, order_id: str, _n: int, extra: Any = None
    ) -> Reply:
        if config in self.closed:
            raise Paused
        self.heard.append(Told(kind, suffix, order_id, extra))
        return Reply(Outcome.PLAYBOOK_FAILED if config in self.failing else Outcome.DONE)


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_ledger(settings) as ledger:
        yield ledger


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def dispatcher(ledger: Ledger, ear: Ear) -> Dispatcher:
    return Dispatcher(ledger.pool, ledger.moves, cast("Gate", ear))


@pytest.fixture
def waker(ledger: Ledger, ear: Ear) -> Waker:
    return Waker(ledger.pool, cast("Gate", ear))


async def told(ledger: Ledger, kind: str = "paid", config: str = "") -> str:
    """The id of an order of which the gate is to hear."""
    order_id = await ledger.order(config or await ledger.config())
    await ledger.pool.execute(TELL, order_id, kind)
    return order_id


async def test_an_order_is_told_of_one_thing_after_the_other(ledger: Ledger, ear: Ear, dispatcher: Dispatcher) -> None:
    """The gate must not hear that it is released before it hears that it was paid."""
    order_id = await told(ledger)
    await ledger.pool.execute(TELL, order_id, "released")
    assert (await dispatcher.send_new(), await dispatcher.send_new()) == (1, 0)
    await ledger.pool.execute("DELETE FROM gate_events WHERE kind = 'paid'")
    assert await dispatcher.send_new() == 1
    assert [one.kind for one in ear.heard] == ["paid", "released"]


async def test_what_was_sent_is_sent_again_when_its_answer_is_overdue(
    ledger: Ledger, ear: Ear, dispatcher: Dispatcher
) -> None:
    """Not before."""
    await told(ledger)
    await dispatcher.send_new()
    assert await dispatcher.send_again() == 0
    await ledger.pool.execute("UPDATE gate_events SET sent_at = now() - interval '3 s'")
    assert await dispatcher.send_again() == 1
    assert len(ear.heard) == 2


async def test_a_dispatcher_sends_again_by_itself(ledger: Ledger, ear: Ear, dispatcher: Dispatcher) -> None:
    await told(ledger)
    await ledger.pool.execute("UPDATE gate_events SET sent_at = now() - interval '3 s'")
    running = asyncio.create_task(dispatcher.run())
    await until(lambda: ear.heard)
    running.cancel()
    assert [one.kind for one in ear.heard] == ["paid"]


async def test_a_closed_shard_keeps_no_other_waiting(ledger: Ledger, ear: Ear, dispatcher: Dispatcher) -> None:
    closed, other = await ledger.config(), await ledger.config()
    ear.closed.add(closed)
    await told(ledger, config=closed)
    order_id = await told(ledger, config=other)
    assert await dispatcher.send_new() == 2
    assert [one.order_id for one in ear.heard] == [order_id]


async def test_a_late_payer_is_offered_what_may_take_them_in(ledger: Ledger, ear: Ear, dispatcher: Dispatcher) -> None:
    """Their own instance, those that go on, oldest first, and one of their own; none that has ended."""
    config = await ledger.config(RESEATING)
    for number, status in enumerate(("ACTIVE", "FAILED", "PENDING", "SUCCESS"), 2):
        await ledger.instance(config, f"s{number}", status=status)
        await ledger.pool.execute(
            "UPDATE instances SET created_at = now() - interval '1 s' * $1 WHERE suffix = $2", number, f"s{number}"
        )
    order_id = await told(ledger, "late", config)
    await dispatcher.send_new()
    assert [one.extra for one in ear.heard] == [["s1", "s4", "s2", order_id[16:]]]


async def test_a_late_payer_is_given_up_after_a_while(ledger: Ledger, ear: Ear, dispatcher: Dispatcher) -> None:
    """Their playbook keeps failing: after ten minutes the money is owed. By the dispatcher, says the history."""
    config = await ledger.config(RESEATING)
    ear.failing.add(config)
    await ledger.pool.execute("INSERT INTO stock (config_id, total) VALUES ($1, 9)", config)
    order_id = await told(ledger, "late", config)
    await ledger.pool.execute(
        "UPDATE orders SET status = 'REFUNDING', reason = $1, seat_asked = true", OWE_LATE.whys[0]
    )
    await dispatcher.send_new()
    assert await ledger.owed(order_id) == {}

    ago = "UPDATE gate_events SET sent_at = now() - interval '3 s', created_at = now() - interval '601 s'"
    await ledger.pool.execute(ago)
    await dispatcher.send_again()
    assert await ledger.owed(order_id) == {"WHOLE": (990, "PENDING")}
    rows = await ledger.pool.fetch("SELECT why, by_whom FROM order_events")
    assert [tuple(row) for row in rows] == [("NO_SEAT", "dispatcher")]


async def test_who_pays_for_what_has_failed_is_paid_back(ledger: Ledger) -> None:
    """The instance was a row already: history says that it had failed, not that the payment was refused."""
    config = await ledger.config()
    await ledger.pool.execute("INSERT INTO stock (config_id, total, reserved) VALUES ($1, 9, 1)", config)
    order_id = await ledger.paid(config)
    await ledger.instance(config, status="FAILED")
    events = {order_id: Followed(config, gate_state=2, done={"paid"}, paid=True)}

    async def work(connection: Any) -> None:
        await follow_events(connection, ledger.moves, events, {config: (Status.FAILED,)}, one_by_one=False)

    await transact(ledger.pool, work)
    assert await ledger.status(order_id) == ("REFUNDING", "INSTANCE_FAILED")
    assert (await ledger.pool.fetchval("SELECT why FROM order_events ORDER BY id DESC LIMIT 1")) == "INSTANCE_FAILED"


async def test_an_action_is_as_old_as_its_click(ledger: Ledger) -> None:
    config = await ledger.config()
    one = ["0" * 32, config, "s1", "u1", "r1", "cut", 7, 1, 2, 3, 1_900_000_000_000]
    await ledger.pool.execute(apply.INSERT_ACTIONS, *([value] for value in one))
    query = "SELECT (extract(epoch FROM created_at) * 1000)::bigint, instance_id, receipt FROM actions"
    assert tuple(await ledger.pool.fetchrow(query) or ()) == (1_900_000_000_000, f"{config}.s1", [1, 2, 3])


@pytest.mark.parametrize(
    ("status", "wake_s", "woken"),
    [("ACTIVE", -1, 1), ("PENDING", -1, 1), ("ACTIVE", 60, 0), ("SUCCESS", -1, 0), ("FAILED", -1, 0)],
)
async def test_what_goes_on_is_woken_when_its_time_has_come(
    ledger: Ledger, ear: Ear, waker: Waker, status: str, wake_s: int, woken: int
) -> None:
    instance = await ledger.instance(await ledger.config(), "s2", status=status)
    await ledger.pool.execute(WAKE_AT, instance, wake_s)
    assert await waker.wake_due() == woken
    assert [(one.kind, one.suffix) for one in ear.heard] == [("deadline", "s2")] * woken


async def test_who_does_not_stir_is_woken_again_after_a_while(
    ledger: Ledger, waker: Waker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And at once when there is a newer state of it."""
    config = await ledger.config()
    instance = await ledger.instance(config, "s2")
    await ledger.pool.execute(WAKE_AT, instance, -1)
    assert (await waker.wake_due(), await waker.wake_due()) == (1, 0)
    await ledger.instance(config, "s2")
    assert (await waker.wake_due(), await waker.wake_due()) == (1, 0)

    for one in waker._woken:
        waker._woken[one] = asyncio.get_running_loop().time() - 0.001
    assert await waker.wake_due() == 1
    assert wake.AGAIN_S > 0


async def test_a_closed_shard_lets_no_other_sleep(ledger: Ledger, ear: Ear, waker: Waker) -> None:
    closed, other = await ledger.config(), await ledger.config()
    ear.closed.add(closed)
    for config in (closed, other):
        await ledger.pool.execute(WAKE_AT, f"{config}.s1", -1)
    assert await waker.wake_due() == 2
    assert [one.kind for one in ear.heard] == ["deadline"]


@pytest.mark.parametrize(("ends_s", "found"), [(-1, 1), (-0.999, 0)])
async def test_redis_clock_may_be_a_second_behind(ledger: Ledger, ends_s: float, found: int) -> None:
    """A product is over for the waker when it is for the gate; at one moment, that of a transaction."""
    config = await ledger.config()
    await ledger.pool.execute(WAKE_AT, f"{config}.s1", 600)
    async with ledger.pool.acquire() as connection, connection.transaction():
        await connection.execute(OVER, "PUBLISHED", ends_s)
        assert len(await connection.fetch(wake.OVER, [], 10)) == found


async def test_a_closed_shard_keeps_nobody_waiting_for_long(ledger: Ledger, ear: Ear, waker: Waker) -> None:
    """What is woken before its time because its product is over is told again as soon as anything else."""
    config = await ledger.config()
    await ledger.pool.execute(WAKE_AT, f"{config}.s1", 600)
    await ledger.pool.execute(OVER, "ENDED", 3600)
    ear.closed.add(config)

    assert await waker.wake_due() == 1

    assert max(waker._woken.values()) <= asyncio.get_running_loop().time() + wake.AGAIN_S


@pytest.mark.parametrize(
    ("status", "ends_s", "held", "woken"),
    [
        ("ENDED", 3600, False, 1),
        ("PUBLISHED", -1, False, 1),
        ("PAUSED", -1, False, 1),
        ("PUBLISHED", 3600, False, 0),
        ("PAUSED", 3600, False, 0),
        ("ENDED", 3600, True, 0),
        ("PUBLISHED", -1, True, 0),
    ],
)
async def test_what_nobody_can_complete_any_more_is_woken_before_its_time(
    ledger: Ledger, ear: Ear, waker: Waker, status: str, ends_s: int, held: bool, woken: int
) -> None:
    """Its product is over and nobody is about to pay."""
    config = await ledger.config()
    if held:
        await ledger.order(config)
    instance = await ledger.instance(config, "s1", status="ACTIVE")
    await ledger.pool.execute(WAKE_AT, instance, 600)
    await ledger.pool.execute(OVER, status, ends_s)
    assert await waker.wake_due() == woken
    assert [(one.kind, one.suffix) for one in ear.heard] == [("deadline", "s1")] * woken
    assert await waker.wake_due() == 0  # it does not stir: not twice a second until its time has come
