"""秒杀, step by step through a real Valkey: the session opens on the second, sells, and ends."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gate.outcome import Outcome
from engine.sdk import Offer, Status, Window
from plugins.flash_sale.rules import SESSIONS_MAX, FlashSaleRules, problems, sessions
from tests.plugins.clock import begin, run_out
from tests.support.gate import Sale

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(hours=2))


def now_ms() -> int:
    """This host's clock, which is Valkey's as well."""
    return int(time.time() * 1000)


async def publish(
    sale: Sale,
    *,
    opens_in_ms: int = -1000,
    ends_in_ms: int = 3_600_000,
    stock: int = 10,
    of_its_own: int | None = None,
    **config: Any,
) -> None:
    """A sale whose session has this window, and units `of_its_own`; the config's window is wide open."""
    cells = {"opensAt": now_ms() + opens_in_ms, "endsAt": now_ms() + ends_in_ms}
    own = {} if of_its_own is None else {"left": of_its_own}
    await sale.publish("FLASH_SALE", stock=stock, cells=cells | own, rules={"remindMinutes": 5}, **config)


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


@pytest.mark.parametrize("units", [1, 2])
async def test_a_session_somebody_paid_in_is_a_success(sale: Sale, units: int) -> None:
    await publish(sale)
    await sale.click("u1", quantity=units)
    await sale.event("paid", "u1")
    await run_out(sale)

    assert (await sale.event("deadline", "")).outcome == Outcome.DONE
    cells = await sale.cells()
    assert (cells["status"], cells["current"], cells["wakeAt"]) == (Status.SUCCESS, units, 0)


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


# Several sessions ---------------------------------------------------------------------------------


def opening(*times: str, window: Window = WINDOW) -> list[str]:
    """The suffixes of the sessions at these times."""
    return [session.suffix for session in sessions(FlashSaleRules(times=times), window)]


def test_several_sessions_a_day_open_at_their_times_in_china() -> None:
    """Noon in London is eight in the evening there; the window's first moment is in it, its last is not."""
    days = Window(NOON, NOON + timedelta(days=2))

    assert opening("20:00", "09:30", window=days) == [
        "d20261201t2000", "d20261202t0930", "d20261202t2000", "d20261203t0930"
    ]  # fmt: skip
    first = sessions(FlashSaleRules(times=("20:00",)), days)[0]
    assert (first.status, first.wake_at, first.cells["opensAt"]) == (Status.PENDING, NOON, NOON.timestamp() * 1000)


def test_a_day_in_china_begins_before_it_does_in_london() -> None:
    window = Window(NOON, NOON + timedelta(hours=5))  # until one in the morning

    assert opening("00:00", "00:30", window=window) == ["d20261202t0000", "d20261202t0030"]


@pytest.mark.parametrize(
    ("minutes", "ends"),
    [(0, ["20:30", "22:00"]), (10, ["20:10", "20:40"]), (45, ["20:30", "21:15"]), (1440, ["20:30", "22:00"])],
)
def test_a_session_ends_before_the_next_one_begins(minutes: int, ends: list[str]) -> None:
    """After `sessionMinutes`; at the latest with the next session's start, or the window's end."""
    rules = FlashSaleRules(times=("20:00", "20:30"), session_minutes=minutes)

    china = [datetime.fromtimestamp(int(one.cells["endsAt"]) / 1000 + 8 * 3600, UTC) for one in sessions(rules, WINDOW)]
    assert [f"{moment:%H:%M}" for moment in china] == ends


@given(
    times=st.sets(st.times(), max_size=24).map(lambda times: tuple(f"{each:%H:%M}" for each in times)),
    minutes=st.integers(0, 1440),
    begins=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    lasts=st.timedeltas(timedelta(milliseconds=1), timedelta(days=9)),
)
def test_sessions_never_overlap_and_never_leave_the_window(
    times: tuple[str, ...], minutes: int, begins: datetime, lasts: timedelta
) -> None:
    """Whatever the rules and the window: in order, each with a name of its own, none empty but for a last instant."""
    window = Window(begins, begins + lasts)
    found = sessions(FlashSaleRules(times=times, session_minutes=minutes), window)

    edges = [(int(session.cells["opensAt"]), int(session.cells["endsAt"])) for session in found]
    assert all(opens <= ends for opens, ends in edges)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(edges))
    assert len({session.suffix for session in found}) == len(found) <= SESSIONS_MAX + 1
    assert all(window.starts_at <= session.wake_at < window.ends_at for session in found if session.wake_at)


def complaints(stock: int = 100, hours: int = 24, **rules: object) -> list[str]:
    """The fields that may not be published as they are."""
    offer = Offer(price_fen=100, stock=stock, window=Window(NOON, NOON + timedelta(hours=hours)))
    return [problem.field for problem in problems(FlashSaleRules(**rules), offer)]  # type: ignore[arg-type]  # any


def test_every_session_happens_and_has_what_it_promises() -> None:
    """No time twice, none at all, too many sessions, more units than there are: each is said before publication."""
    assert complaints() == complaints(times=("10:00",)) == complaints(times=("10:00",), stock_per_session=100) == []
    assert complaints(times=("10:00", "10:00")) == ["times"]
    assert complaints(times=("19:59",), hours=1) == ["times"]
    assert complaints(times=("10:00", "11:00"), hours=24 * 100) == []
    assert complaints(times=("10:00", "11:00"), hours=24 * 101) == ["times"]
    assert complaints(times=("10:00",), hours=24 * 36500) == ["times"]
    assert complaints(times=("10:00",), hours=72, stock_per_session=34) == ["stockPerSession"]
    assert complaints(stock_per_session=101) == ["stockPerSession"]


def test_a_sessions_own_stock_is_the_rules() -> None:
    """0 shares the config's."""
    assert [session.stock for session in sessions(FlashSaleRules(), WINDOW)] == [None]
    two = FlashSaleRules(times=("20:00", "21:00"), stock_per_session=7)
    assert [session.stock for session in sessions(two, WINDOW)] == [7, 7]


async def test_a_session_sells_no_more_than_its_own_stock(sale: Sale) -> None:
    """However much the config still has; what is given back can be bought there again."""
    await publish(sale, of_its_own=2)

    assert (await sale.click("u1", quantity=2)).outcome == Outcome.RESERVED
    assert (await sale.click("u2")).outcome == Outcome.SOLD_OUT
    assert (await sale.left(), (await sale.cells())["left"]) == (8, 0)
    await sale.event("released", "u1")
    assert (await sale.click("u2", "r2")).outcome == Outcome.RESERVED


# Reminders ----------------------------------------------------------------------------------------


async def notices(sale: Sale) -> list[tuple[str, str, int]]:
    """(user, topic, due ms) of everything that was promised."""
    return [(user, topic, due) for payload in await sale.intents() for *_, user, topic, due in payload[7]]


async def test_a_reminder_comes_before_the_opening(sale: Sale) -> None:
    """Asked for before the config is on sale; nothing is held, and the session counts who asked."""
    await publish(sale, opens_in_ms=3_600_000, starts_in_s=3600, ends_in_s=7200)

    assert (await sale.click("u1")).outcome == Outcome.NOT_STARTED
    assert (await sale.click("u1", "r2", verb="remind")).outcome == Outcome.DONE
    assert (await sale.click("u2", verb="remind")).outcome == Outcome.DONE
    cells = await sale.cells()
    due = cells["opensAt"] - 5 * 60_000
    assert await notices(sale) == [("u1", "SALE_OPENS", due), ("u2", "SALE_OPENS", due)]
    assert (cells["reminders"], cells["status"], await sale.left()) == (2, Status.PENDING, 10)


async def test_a_sale_published_before_there_were_reminders(sale: Sale) -> None:
    """Rules of version 1.0 say nothing of when to remind: as a new sale's do by default."""
    cells = {"opensAt": now_ms() + 3_600_000, "endsAt": now_ms() + 7_200_000}
    await sale.publish("FLASH_SALE", cells=cells, starts_in_s=3600, ends_in_s=7200)

    assert (await sale.click("u1", verb="remind")).outcome == Outcome.DONE
    assert await notices(sale) == [("u1", "SALE_OPENS", cells["opensAt"] - 5 * 60_000)]


async def test_who_asks_in_the_last_minutes_is_reminded_at_once(sale: Sale) -> None:
    await publish(sale, opens_in_ms=60_000)
    await sale.click("u1", verb="remind")

    asked_at_ms = (await sale.intents())[-1][0]
    assert await notices(sale) == [("u1", "SALE_OPENS", asked_at_ms)]


async def test_nobody_is_reminded_twice_of_one_session(sale: Sale) -> None:
    """The same click again has the same answer; another click is refused."""
    await publish(sale, opens_in_ms=60_000)
    clicks = [await sale.click("u1", verb="remind") for _ in range(2)]

    assert [(reply.outcome, reply.replayed) for reply in clicks] == [(Outcome.DONE, False), (Outcome.DONE, True)]
    assert (await sale.click("u1", "r2", verb="remind")).outcome == Outcome.CONFLICT
    assert len(await notices(sale)) == 1


@pytest.mark.parametrize("ends_in_ms", [60_000, -500])
async def test_nobody_is_reminded_of_what_has_begun(sale: Sale, ends_in_ms: int) -> None:
    """Whether it still sells or is over."""
    await publish(sale, ends_in_ms=ends_in_ms)

    assert (await sale.click("u1", verb="remind")).outcome == Outcome.ENDED
    assert await notices(sale) == []


async def test_who_was_reminded_may_buy(sale: Sale) -> None:
    """A reminder is no purchase: it takes nothing of the limit."""
    await publish(sale, opens_in_ms=60_000, limit=1)
    await sale.click("u1", verb="remind")
    await begin(sale)

    assert (await sale.click("u1", "r2")).outcome == Outcome.RESERVED
