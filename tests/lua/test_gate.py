"""What one script call decides: identity, limits, stock, the playbook's step, and what it leaves behind."""

import asyncio
from itertools import pairwise

import pytest

from engine.gate import keys
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus
from tests.support.gate import SHARD, Sale, gate_settings, open_sale
from tests.support.waiting import until

HOUR_MS = 3_600_000


async def test_the_last_unit_goes_to_exactly_one_of_fifty(sale: Sale) -> None:
    """Fifty people want the last unit: one gets it, everyone else hears SOLD_OUT."""
    await sale.publish(stock=1)

    replies = await asyncio.gather(*(sale.click(f"u{i}") for i in range(50)))

    outcomes = [reply.outcome for reply in replies]
    assert outcomes.count(Outcome.RESERVED) == 1
    assert outcomes.count(Outcome.SOLD_OUT) == 49
    assert await sale.left() == 0


async def test_a_repeated_click_gets_the_first_answer_and_changes_nothing(sale: Sale) -> None:
    """Same requestId, same body: the same reply, marked as replayed, and no second unit."""
    await sale.publish(stock=5)
    first = await sale.click("u1")
    await sale.event("paid", "u1")  # the world moves on in between
    before = await sale.everything()

    again = await sale.click("u1")

    assert again == first._replace(state=EffectState.PAID)
    assert await sale.everything() == before


async def test_a_reused_request_id_with_another_body_is_refused(sale: Sale) -> None:
    """Same requestId, other quantity: REQUEST_ID_REUSED and nothing changes."""
    await sale.publish(stock=5)
    await sale.click("u1")
    before = await sale.everything()

    reply = await sale.click("u1", quantity=2)

    assert reply.outcome == Outcome.REQUEST_ID_REUSED
    assert await sale.everything() == before


async def test_repeats_within_one_batch_have_one_effect(sale: Sale) -> None:
    """An impatient finger: twenty equal clicks at once hold one unit."""
    await sale.publish(stock=5)

    replies = await asyncio.gather(*(sale.click("u1") for _ in range(20)))

    assert [reply.replayed for reply in replies].count(False) == 1
    assert await sale.left() == 4
    assert sum(len(payload[1]) for payload in await sale.intents()) == 1


async def test_nobody_exceeds_the_limit(sale: Sale) -> None:
    """With a limit of two, ten different clicks of one person hold two units."""
    await sale.publish(stock=50, limit=2)

    replies = await asyncio.gather(*(sale.click("u1", f"r{i}") for i in range(10)))

    outcomes = [reply.outcome for reply in replies]
    assert outcomes.count(Outcome.RESERVED) == 2
    assert outcomes.count(Outcome.LIMIT_REACHED) == 8
    assert await sale.left() == 48


async def test_the_limit_counts_units_not_clicks(sale: Sale) -> None:
    """A limit of three allows two and one, not two and two."""
    await sale.publish(stock=50, limit=3)

    assert (await sale.click("u1", "a", quantity=2)).outcome == Outcome.RESERVED
    assert (await sale.click("u1", "b", quantity=2)).outcome == Outcome.LIMIT_REACHED
    assert (await sale.click("u1", "c", quantity=1)).outcome == Outcome.RESERVED


async def test_what_is_paid_for_counts_against_the_limit(sale: Sale) -> None:
    await sale.publish(stock=10, limit=2)
    await sale.click("u1", "r1")
    await sale.event("paid", "u1", "r1")
    await sale.click("u1", "r2")

    assert (await sale.click("u1", "r3")).outcome == Outcome.LIMIT_REACHED


async def test_released_units_free_the_limit_and_the_stock(sale: Sale) -> None:
    """After a release the same person may try again, and the unit is there."""
    await sale.publish(stock=1, limit=1)
    await sale.click("u1", "a")
    await sale.event("released", "u1", "a")

    assert (await sale.click("u1", "b")).outcome == Outcome.RESERVED
    assert await sale.left() == 0


@pytest.mark.parametrize("quantity", [3, 99])
async def test_more_than_is_left_is_refused_whole(sale: Sale, quantity: int) -> None:
    """Two units left, more wanted: SOLD_OUT, and the two are still there."""
    await sale.publish(stock=2)

    assert (await sale.click("u1", quantity=quantity)).outcome == Outcome.SOLD_OUT
    assert await sale.left() == 2


async def test_a_release_gives_back_once(sale: Sale) -> None:
    """However often a release is sent, the unit comes back once."""
    await sale.publish(stock=3)
    await sale.click("u1")

    replies = [await sale.event("released", "u1") for _ in range(3)]

    assert [reply.outcome for reply in replies] == [Outcome.DONE, Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert await sale.left() == 3


async def test_a_payment_counts_once(sale: Sale) -> None:
    """However often a payment is told, it counts once; each telling is acknowledged in the stream."""
    await sale.publish(stock=3)
    await sale.click("u1")

    for _ in range(3):
        await sale.event("paid", "u1")

    assert (await sale.cells())["current"] == 1
    events = [event[2:5] for payload in await sale.intents() for event in payload[3]]
    assert events == [["paid", 2, Outcome.DONE], ["paid", 2, Outcome.UNCHANGED], ["paid", 2, Outcome.UNCHANGED]]


async def test_a_release_after_a_payment_takes_the_progress_back(sale: Sale) -> None:
    """A refunded order's unit returns and the progress falls."""
    await sale.publish(stock=3)
    await sale.click("u1")
    await sale.event("paid", "u1")
    await sale.event("released", "u1")

    assert (await sale.cells())["current"] == 0
    assert await sale.left() == 3
    assert (await sale.person("u1"))[0].state == EffectState.RELEASED


async def test_a_payment_after_the_release_changes_nothing(sale: Sale) -> None:
    """Too late for Redis: the payment is acknowledged as not applied, Postgres refunds it."""
    await sale.publish(stock=3)
    await sale.click("u1")
    await sale.event("released", "u1")

    assert (await sale.event("paid", "u1")).outcome == Outcome.UNCHANGED
    assert (await sale.cells())["current"] == 0


async def test_an_event_of_an_unknown_order_is_acknowledged(sale: Sale) -> None:
    """An event Redis can't place still comes back through the stream, so it is not sent for ever."""
    await sale.publish()

    assert (await sale.event("paid", "nobody")).outcome == Outcome.UNCHANGED
    assert (await sale.intents())[-1][3][0][3] == -1


@pytest.mark.parametrize(
    ("status", "starts_in_s", "ends_in_s", "expected"),
    [
        (HeadStatus.PAUSED, -10, 60, Outcome.PAUSED),
        (HeadStatus.ENDED, -10, 60, Outcome.ENDED),
        (HeadStatus.PUBLISHED, 5, 60, Outcome.NOT_STARTED),
        (HeadStatus.PUBLISHED, -10, -1, Outcome.ENDED),
        (HeadStatus.PAUSED, -10, -1, Outcome.ENDED),
    ],
)
async def test_a_config_not_on_sale_is_refused(
    sale: Sale, status: HeadStatus, starts_in_s: float, ends_in_s: float, expected: Outcome
) -> None:
    """Paused, ended, too early, too late: each by Redis' own clock, and nothing changes. What is over is not paused."""
    await sale.publish(status=status, starts_in_s=starts_in_s, ends_in_s=ends_in_s)
    before = await sale.everything()

    assert (await sale.click("u1")).outcome == expected
    assert await sale.everything() == before


async def test_unknown_things_are_refused(sale: Sale) -> None:
    """No such config, no such instance, no such action, an instance that is already there."""
    assert (await sale.click("u1")).outcome == Outcome.CONFIG_NOT_FOUND
    await sale.publish()

    assert (await sale.click("u1", suffix="s9")).outcome == Outcome.INSTANCE_NOT_FOUND
    assert (await sale.click("u1", verb="cut")).outcome == Outcome.ACTION_UNKNOWN
    assert (await sale.click("u1", verb="open")).outcome == Outcome.ACTION_UNKNOWN


async def test_every_key_carries_the_hash_tag_of_its_shard(sale: Sale) -> None:
    """Whatever a sale writes lies on one slot."""
    await sale.publish()
    await sale.click("u1")

    for key in await sale.redis.keys("*"):
        assert key.startswith(b"{s")
    assert {key for key in await sale.redis.keys("*") if key.startswith(b"{s1}")} == {
        keys.epoch(SHARD).encode(),
        keys.intents(SHARD).encode(),
        keys.changed(SHARD).encode(),
        keys.cells(SHARD, sale.config_id).encode(),
        keys.people(SHARD, sale.config_id).encode(),
    }


async def test_a_call_in_another_epoch_does_nothing(sale: Sale) -> None:
    """Closed, or open in another epoch: FENCED, whatever the call asks for."""
    await sale.publish()
    await sale.redis.set(keys.epoch(SHARD), 2)
    before = await sale.everything()

    waiting = asyncio.create_task(sale.click("u1"))
    await until(lambda: not sale.gate.lanes[SHARD].open)  # the call came back FENCED

    assert not waiting.done()
    assert await sale.everything() == before
    await sale.redis.set(keys.epoch(SHARD), 1)
    assert (await waiting).outcome == Outcome.RESERVED


async def test_the_clock_is_redis_own_to_the_millisecond(sale: Sale) -> None:
    """Whatever time it is on this host: an intent says when Redis decided, between two times that Redis told."""

    async def redis_ms() -> int:
        seconds, microseconds = await sale.redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    await sale.publish()
    for number in range(3):  # at most one of them may lie in the very millisecond that a second begins with
        before = await redis_ms()
        await sale.click(f"u{number}")
        assert before <= (await sale.intents())[-1][0] <= await redis_ms()


async def changes(sale: Sale) -> dict[str, float]:
    """Change number by the id that changed, as the poller of every API process reads it."""
    return {
        member.decode(): score for member, score in await sale.redis.zrange(keys.changed(SHARD), 0, -1, withscores=True)
    }


async def test_whatever_changes_is_announced_under_a_number_of_its_own(sale: Sale) -> None:
    """The config and its sessions at publication; what has units or cells of its own with each click and event."""
    both = {sale.config_id, f"{sale.config_id}.s1"}
    await sale.publish(cells={"left": 5, "opensAt": 0, "endsAt": 1 << 45})
    numbers = [await changes(sale)]
    for work in (sale.click("u1"), sale.event("paid", "u1"), sale.event("released", "u1", extra=int(EffectState.PAID))):
        await work
        numbers.append(await changes(sale))
    assert all(set(each) == both | {"!"} for each in numbers)
    assert all(max(each.values()) == each["!"] for each in numbers)
    moved = [{one for one in both if after[one] > before[one]} for before, after in pairwise(numbers)]
    assert moved == [both, {f"{sale.config_id}.s1"}, both]


async def test_a_config_that_is_told_of_again_goes_on(sale: Sale) -> None:
    """Its head may be new; what was sold of it, and how far its sessions are, stays."""
    await sale.publish(stock=5)
    await sale.click("u1")
    await sale.event("paid", "u1")
    cells = await sale.cells()

    await sale.publish(stock=5, status=HeadStatus.PAUSED)
    assert (await sale.left(), await sale.cells(), cells["current"]) == (4, cells, 1)
    assert (await sale.click("u2")).outcome == Outcome.PAUSED


async def test_intents_say_what_an_order_needs(sale: Sale) -> None:
    """One entry a batch; an order's intent carries amount, deadline and what the click was answered with."""
    await sale.publish(stock=5, price_fen=250)

    reply = await sale.click("u1", quantity=2)

    now_ms, orders, actions, events, instances, *_ = (await sale.intents())[-1]
    _order_id, config_id, suffix, user, request_id, quantity, amount_fen, pay_before_ms, _print, *receipt = orders[0]
    assert (config_id, suffix, user, request_id, quantity) == (sale.config_id, "s1", "u1", "r1", 2)
    assert amount_fen == 500
    assert pay_before_ms - now_ms == 300_000
    assert receipt == [reply.status, reply.current, reply.target]
    assert (actions, events) == ([], [])
    assert [(row[1], row[2], row[3]) for row in instances] == [("s1", 1, 2)]  # opened by the click: rev 1, ACTIVE


async def test_units_back_in_a_sold_out_sale_wait_until_every_process_knows(hot_url: str) -> None:
    """The unit that comes back to a sold-out sale is sold after `reopen_ms`, not before."""
    async with open_sale(hot_url, settings=gate_settings(reopen_ms=HOUR_MS)) as sale:
        await sale.publish(stock=1)
        await sale.click("u1")
        await sale.event("released", "u1")

        assert await sale.left() == 1
        assert (await sale.click("u2")).outcome == Outcome.SOLD_OUT
        await sale.redis.execute_command("HINCRBY", keys.cells(SHARD, sale.config_id), "reopens", -HOUR_MS)
        assert (await sale.click("u2")).outcome == Outcome.RESERVED


async def test_units_back_in_a_sale_that_goes_on_are_sold_at_once(hot_url: str) -> None:
    """Waiting is for sold-out sales only."""
    async with open_sale(hot_url, settings=gate_settings(reopen_ms=60_000)) as sale:
        await sale.publish(stock=2)
        await sale.click("u1")
        await sale.event("released", "u1")

        assert (await sale.click("u2", quantity=2)).outcome == Outcome.RESERVED
