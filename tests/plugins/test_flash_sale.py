"""秒杀, step by step through a real Valkey: the session opens on the second, sells, and ends."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from engine.gate.outcome import Outcome
from engine.sdk import Status, Window
from plugins.flash_sale.rules import FlashSaleRules, sessions
from tests.plugins.clock import run_out
from tests.support.gate import Sale

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(hours=2))


def now_ms() -> int:
    """This host's clock, which is Valkey's as well."""
    return int(time.time() * 1000)


async def publish(sale: Sale, *, opens_in_ms: int = -1000, ends_in_ms: int = 3_600_000, stock: int = 10) -> None:
    """A sale whose session has this window; the config's own is wide open."""
    cells = {"opensAt": now_ms() + opens_in_ms, "endsAt": now_ms() + ends_in_ms}
    await sale.publish("FLASH_SALE", stock=stock, cells=cells)


async def status(sale: Sale) -> Status:
    """The session's status."""
    return Status((await sale.cells())["status"])


async def test_the_session_opens_on_the_second(sale: Sale) -> None:
    """A crowd that clicks from before the opening on: the first winner is not a moment early."""
    await publish(sale, opens_in_ms=1000)
    opens_at_ms = (await sale.cells())["opensAt"]
    assert (await sale.click("early")).outcome == Outcome.NOT_STARTED

    refused = 1
    while (await sale.click("eager")).outcome == Outcome.NOT_STARTED:
        refused += 1
        await asyncio.sleep(0.005)

    decided_at_ms = (await sale.intents())[-1][0]
    assert refused > 1
    assert decided_at_ms >= opens_at_ms
    assert await status(sale) == Status.ACTIVE


async def test_the_wake_up_call_opens_the_session_and_sets_the_next(sale: Sale) -> None:
    """Without any click it is ACTIVE on time, and wants to be woken at its end."""
    await publish(sale)

    assert (await sale.event("deadline", "")).outcome == Outcome.DONE
    cells = await sale.cells()
    assert (cells["status"], cells["wakeAt"]) == (Status.ACTIVE, cells["endsAt"])


async def test_a_wake_up_call_before_the_opening_changes_nothing(sale: Sale) -> None:
    await publish(sale, opens_in_ms=60_000)

    assert (await sale.event("deadline", "")).outcome == Outcome.UNCHANGED
    assert await status(sale) == Status.PENDING


async def test_nobody_buys_after_the_end(sale: Sale) -> None:
    """Whether or not it was ever opened, and whether or not the wake-up call has come."""
    await publish(sale, opens_in_ms=-2000, ends_in_ms=-1000)

    assert (await sale.click("late")).outcome == Outcome.ENDED
    await sale.event("deadline", "")
    assert (await sale.click("later")).outcome == Outcome.ENDED
    assert await sale.left() == 10


async def test_a_session_somebody_paid_in_is_a_success(sale: Sale) -> None:
    await publish(sale)
    await sale.click("u1", quantity=2)
    await sale.event("paid", "u1")
    await run_out(sale)

    assert (await sale.event("deadline", "")).outcome == Outcome.DONE
    cells = await sale.cells()
    assert (cells["status"], cells["current"], cells["wakeAt"]) == (Status.SUCCESS, 2, 0)


async def test_a_session_nobody_paid_in_has_failed(sale: Sale) -> None:
    """A hold alone is no success."""
    await publish(sale)
    await sale.click("u1")
    await run_out(sale)
    await sale.event("deadline", "")

    assert await status(sale) == Status.FAILED


async def test_a_hold_of_the_last_minute_paid_after_the_end_makes_it_a_success(sale: Sale) -> None:
    """The hold is good for its five minutes, whatever the session has become meanwhile."""
    await publish(sale)
    await sale.click("u1")
    await run_out(sale)
    await sale.event("deadline", "")

    assert (await sale.event("paid", "u1")).outcome == Outcome.DONE
    assert await status(sale) == Status.SUCCESS


async def test_progress_counts_paid_units(sale: Sale) -> None:
    """Not holds; and what is paid back no longer counts."""
    await publish(sale)
    await sale.click("u1", quantity=3)
    await sale.click("u2")
    assert (await sale.cells())["current"] == 0

    await sale.event("paid", "u1")
    await sale.event("released", "u2")
    assert (await sale.cells())["current"] == 3

    await sale.event("released", "u1")
    assert (await sale.cells())["current"] == 0
    assert await sale.left() == 10


@pytest.mark.parametrize(
    ("minutes", "ends_at"),
    [(0, WINDOW.ends_at), (30, NOON + timedelta(minutes=30)), (1440, WINDOW.ends_at)],
)
def test_the_session_lasts_as_long_as_its_rule_says(minutes: int, ends_at: datetime) -> None:
    """`sessionMinutes`, 0 for the whole window, and never beyond it."""
    (session,) = sessions(FlashSaleRules(session_minutes=minutes), WINDOW)

    assert (session.suffix, session.status, session.wake_at) == ("s1", Status.PENDING, NOON)
    assert session.cells == {"opensAt": int(NOON.timestamp() * 1000), "endsAt": int(ends_at.timestamp() * 1000)}
