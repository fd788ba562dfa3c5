"""Kill: SIGKILL of APIs, workers, Valkey and Postgres in turn, under load. The service comes back by itself.

Two APIs and two workers run on the same servers. Who asks an API that is down asks the other one next.
"""

import asyncio
import itertools
import random
import time
from collections import defaultdict
from statistics import median

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import CLICK_TIMEOUT_S, Counts, Crowd, going_on
from loadtests.campaigns.settle import settle_and_audit, until_quiet
from loadtests.campaigns.stack import PARTS, SECOND, Stack
from loadtests.client import Client, Journal, Spread

VICTIMS = (*PARTS, *SECOND)
BOTH = (("api", "api-2"), ("worker", "worker-2"))
RECOVERY_MAX_S = 120.0  # it takes a second or two; a machine may be busy with something else
NEWEST = "SELECT count(*) FROM orders WHERE created_at > to_timestamp($1)"
STILL_HELD = "SELECT count(*) FROM orders WHERE status = 'HELD'"
FIVE_MINUTES_MS = 300_000  # as in config/default.toml: longer than a campaign that counts rounds
ONE_MINUTE_MS = 60_000


class Size(msgspec.Struct, frozen=True):
    """How often everything dies, under how many clicking connections. With `minutes`, rounds go on for so long."""

    rounds: int
    connections: int
    people: int
    stock: int
    calm_s: float  # load between two kills
    pause_s: float  # between two clicks on one connection
    minutes: float = 0
    hold_ttl_ms: int = FIVE_MINUTES_MS


# The stock is more than the connections can take while the kills go on: what is sold out says nothing of a recovery.
FULL = Size(3, 256, 8000, 100_000, 3.0, 0.3)
SHORT = Size(1, 24, 300, 5000, 0.5, 0.2)


def lasting(minutes: float) -> Size:
    """For so many minutes, at a pace whose evidence fits into memory; holds end while it goes on.

    A hundred clicks a second, of which one in seven is paid: the stock must be more than is ever taken at once,
    and each person must stay under gate.person_effects_max.
    """
    taken = 1000 * minutes
    return Size(0, 32, round(4000 + 400 * minutes), round(12_000 + taken), 3.0, 0.3, minutes, ONE_MINUTE_MS)


class Recovery(msgspec.Struct, frozen=True):
    """Seconds after a kill until: all victims were there again, a click sent after it was accepted, one was a row."""

    victims: tuple[str, ...]
    back_s: float
    accepted_s: float
    persisted_s: float


async def watch_recovery(stack: Stack, crowd: Crowd, victims: tuple[str, ...]) -> Recovery:
    """Kill `victims`, then wait until they run again and clicks are accepted and persisted again."""
    pids_before = {victim: stack.pid_of(victim) for victim in victims}
    killed_wall = time.time()
    killed = [stack.kill(victim) for victim in victims][-1]
    back_s = accepted_s = persisted_s = 0.0
    while not (back_s and accepted_s and persisted_s):
        await asyncio.sleep(0.02)
        now_s = time.monotonic() - killed
        if not back_s and await _are_back(stack, pids_before):
            back_s = now_s
        if not accepted_s and crowd.counts.accepted_sent_at and crowd.counts.accepted_sent_at[-1] > killed:
            accepted_s = now_s
        if not persisted_s and accepted_s and await _persisted(stack, killed_wall):
            persisted_s = now_s
        if now_s > RECOVERY_MAX_S:
            raise RuntimeError(
                f"no recovery within {RECOVERY_MAX_S:.0f} s of killing {' and '.join(victims)}:\n{stack.log_tail()}"
            )
    return Recovery(victims, back_s, accepted_s, persisted_s)


async def _are_back(stack: Stack, pids_before: dict[str, int | None]) -> bool:
    """Every victim is another process by now, and takes connections."""
    for victim, pid_before in pids_before.items():
        if stack.pid_of(victim) in (None, pid_before) or not await stack.listens(victim):
            return False
    return True


async def _persisted(stack: Stack, since: float) -> bool:
    try:
        connection = await asyncpg.connect(stack.servers.postgres_url, timeout=1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return bool(await connection.fetchval(NEWEST, since))
    finally:
        await connection.close()


def victims_of_round(number: int, chance: random.Random) -> list[tuple[str, ...]]:
    """Everybody once, and both of one kind at once, in any order. Rounds count from 1."""
    round_of: list[tuple[str, ...]] = [(victim,) for victim in VICTIMS]
    round_of.append(BOTH[(number - 1) % len(BOTH)])
    chance.shuffle(round_of)
    return round_of


async def kill_in_turns(stack: Stack, crowd: Crowd, size: Size, console: Console) -> list[Recovery]:
    """Rounds of kills until there were enough, or the time is over."""
    chance = random.Random(5)
    recoveries: list[Recovery] = []
    started = time.monotonic()
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("kills", total=60 * size.minutes or size.rounds)
        for number in itertools.count(1):
            for victims in victims_of_round(number, chance):
                await asyncio.sleep(size.calm_s)
                recoveries.append(await watch_recovery(stack, crowd, victims))
                bar.update(task, description=f"{len(recoveries)} kills")
            passed_s = time.monotonic() - started
            console.print(
                f"  round {number}, {passed_s / 60:.1f} min: {len(recoveries)} kills, "
                f"{len(crowd.counts.orders):,} orders acknowledged"
            )
            bar.update(task, completed=passed_s if size.minutes else number)
            if passed_s >= 60 * size.minutes and number >= size.rounds:
                break
    await asyncio.sleep(size.calm_s)
    return recoveries


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    async with Stack(second=True, gate_hold_ttl_ms=size.hold_ttl_ms) as stack:
        async with Client(stack.url, size.connections) as client:
            token = await shop.staff_token(client, stack.password)
            config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": 0})
            people = await shop.log_in_all(client, "survivor-", size.people)
        with Journal(stack.journals / "kill.jsonl") as journal:
            async with Spread(stack.urls, size.connections, CLICK_TIMEOUT_S) as spread:
                crowd = Crowd(spread, journal, config_id, people, size.pause_s)
                async with going_on([crowd.once] * size.connections):
                    recoveries = await kill_in_turns(stack, crowd, size, console)
                await until_quiet(stack)  # what was cancelled is back
                await crowd.sell_the_rest(size.connections, 2 * size.stock)
        if size.minutes:
            await until_no_hold(stack, size.hold_ttl_ms / 1000)
        clean, evidence = await settle_and_audit(stack, console)
        claims = judge(crowd.counts, recoveries, clean, len(evidence.orders), console)
        reserved = evidence.stock[config_id].reserved
        if size.minutes:
            paid = sum(order.quantity for order in evidence.orders if order.status == "PAID")
            claims.expect("sold out, then all that nobody paid for is back", reserved == paid, f"{reserved:,} units")
        else:
            claims.expect(f"all {size.stock:,} units sold, none twice", reserved == size.stock, reserved)
        return claims.all_hold


async def until_no_hold(stack: Stack, ttl_s: float) -> None:
    """Every hold has ended, as it must a little after its time."""
    deadline = time.monotonic() + ttl_s + RECOVERY_MAX_S
    connection = await asyncpg.connect(stack.servers.postgres_url)
    try:
        while held := await connection.fetchval(STILL_HELD):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{held} holds have not ended {RECOVERY_MAX_S:.0f} s after their time")
            await asyncio.sleep(0.5)
    finally:
        await connection.close()


def judge(counts: Counts, recoveries: list[Recovery], clean: bool, rows: int, console: Console) -> Claims:
    """The claims about the service, and how long recoveries took."""
    console.print(recovery_table(recoveries))
    claims = Claims(console)
    claims.expect("the auditor found nothing", clean)
    killed = {victim for recovery in recoveries for victim in recovery.victims}
    claims.expect("every part was killed and came back", killed == set(VICTIMS), f"{len(recoveries)} kills")
    unknown = counts.outcomes["UNKNOWN"] + counts.outcomes["PAUSED"]
    claims.expect(
        "in the end everybody knew", unknown == 0, f"{sum(counts.outcomes.values())} clicks, {unknown} unknown"
    )
    odd = {name: count for name, count in counts.outcomes.items() if name not in ("RESERVED", "SOLD_OUT")}
    claims.expect("and nobody was turned away for nothing", not odd, odd or dict(counts.outcomes))
    claims.expect("every acknowledged order has its row", rows >= len(counts.orders), f"{rows} rows")
    return claims


def recovery_table(recoveries: list[Recovery]) -> Table:
    """Median and worst of each kind of kill."""
    table = Table(title="seconds after SIGKILL: median, worst", title_justify="left")
    for column in ("killed", "times", "back by itself", "first accepted click", "first order row"):
        table.add_column(column, justify="left" if column == "killed" else "right")
    kinds: dict[tuple[str, ...], list[Recovery]] = defaultdict(list)
    for recovery in recoveries:
        kinds[recovery.victims].append(recovery)
    for victims, some in sorted(kinds.items()):
        spans = ([r.back_s for r in some], [r.accepted_s for r in some], [r.persisted_s for r in some])
        cells = [f"{median(values):.2f}, {max(values):.2f}" for values in spans]
        table.add_row(" and ".join(victims), str(len(some)), *cells)
    return table
