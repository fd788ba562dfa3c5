"""Kill: everything that dies, is damaged or stands still in turn, under load. The service comes back by itself.

Two APIs and two workers run on the same servers. Who asks an API that is down asks the other one next.
"""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from loadtests.auditor.evidence import Evidence
from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import CLICK_TIMEOUT_S, Counts, Crowd, going_on
from loadtests.campaigns.faults.damaged import NAMES, OLDER, Damaged, copy_place, take_copy
from loadtests.campaigns.faults.frozen import Frozen
from loadtests.campaigns.faults.killed import Killed
from loadtests.campaigns.faults.recovery import RECOVERY_MAX_S, Recovery, recovery_table
from loadtests.campaigns.faults.scene import Scene
from loadtests.campaigns.settle import settle_and_audit, until_quiet
from loadtests.campaigns.stack import PARTS, SECOND, Stack
from loadtests.client import Client, Journal, Spread

Fault = Killed | Damaged | Frozen

ALWAYS: tuple[Fault, ...] = (
    *(Killed((part,)) for part in (*PARTS, *SECOND)),
    *(Damaged(how) for how in NAMES),
    Frozen(),
)
BOTH = (Killed(("api", "api-2")), Killed(("worker", "worker-2")))
STILL_HELD = "SELECT count(*) FROM orders WHERE status = 'HELD'"
FIVE_MINUTES_MS = 300_000  # as in config/default.toml: longer than a campaign that counts rounds
ONE_MINUTE_MS = 60_000


class Size(msgspec.Struct, frozen=True):
    """How often everything happens, under how many clicking connections. With `minutes`, rounds go on for so long."""

    rounds: int
    connections: int
    people: int
    stock: int
    calm_s: float  # load between two faults
    pause_s: float  # between two clicks on one connection
    minutes: float = 0
    hold_ttl_ms: int = FIVE_MINUTES_MS
    frozen_s: float = 30.0  # at least
    silent_ms: int = 5000  # what is silent for so long loses its transaction and its shards; as in config/default.toml


# The stock is more than the connections can take while the kills go on: what is sold out says nothing of a recovery.
FULL = Size(3, 256, 8000, 100_000, 3.0, 0.3)
SHORT = Size(1, 24, 200, 2500, 0.1, 0.2, frozen_s=2.0, silent_ms=2000)


def lasting(minutes: float) -> Size:
    """For so many minutes, at a pace whose evidence fits into memory; holds end while it goes on.

    A hundred clicks a second, of which one in seven is paid: the stock must be more than is ever taken at once,
    and each person must stay under gate.person_effects_max.
    """
    taken = 1000 * minutes
    return Size(0, 32, round(4000 + 400 * minutes), round(12_000 + taken), 3.0, 0.3, minutes, ONE_MINUTE_MS)


def round_of(number: int, chance: random.Random) -> list[Fault]:
    """Each fault once, and both of one kind killed at once, in any order. Rounds count from 1."""
    faults: list[Fault] = [*ALWAYS, BOTH[(number - 1) % len(BOTH)]]
    chance.shuffle(faults)
    return faults


async def rounds(scene: Scene, size: Size, console: Console) -> list[Recovery]:
    """Rounds of faults until there were enough, or the time is over."""
    recoveries: list[Recovery] = []
    started = time.monotonic()
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("faults", total=60 * size.minutes or size.rounds)
        for number in itertools.count(1):
            async for recovery in one_round(scene, number, size.calm_s):
                recoveries.append(recovery)
                bar.update(task, description=f"{len(recoveries)} faults")
            passed_s = time.monotonic() - started
            console.print(
                f"  round {number}, {passed_s / 60:.1f} min: {len(recoveries)} faults, "
                f"{len(scene.crowd.counts.orders):,} orders acknowledged"
            )
            bar.update(task, completed=passed_s if size.minutes else number)
            if passed_s >= 60 * size.minutes and number >= size.rounds:
                break
    await asyncio.sleep(size.calm_s)
    return recoveries


async def one_round(scene: Scene, number: int, calm_s: float) -> AsyncIterator[Recovery]:
    """What happens, one after another."""
    faults = round_of(number, scene.chance)
    copy_at = copy_place(scene.chance, faults.index(Damaged(OLDER)))
    for place, fault in enumerate(faults):
        if place == copy_at:
            scene.copy = await asyncio.to_thread(take_copy, scene.valkey_home, scene.stack.folder / "copy")
        await asyncio.sleep(calm_s)
        yield await fault.happen(scene)


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    silence = {"postgres_idle_transaction_ms": size.silent_ms, "orders_drain_idle_ms": size.silent_ms}
    async with Stack(second=True, gate_hold_ttl_ms=size.hold_ttl_ms, **silence) as stack:
        async with Client(stack.url, size.connections) as client:
            token = await shop.staff_token(client, stack.password)
            config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": 0})
            people = await shop.log_in_all(client, "survivor-", size.people)
        with Journal(stack.journals / "kill.jsonl") as journal:
            async with Spread(stack.urls, size.connections, CLICK_TIMEOUT_S) as spread:
                crowd = Crowd(spread, journal, config_id, people, size.pause_s)
                scene = Scene(stack, crowd, random.Random(5), size.frozen_s)
                async with going_on(crowd.hands(size.connections)):
                    recoveries = await rounds(scene, size, console)
                await until_quiet(stack)  # what was cancelled is back
                await crowd.sell_the_rest(size.connections, 2 * size.stock)
        if size.minutes:
            await until_no_hold(stack, size.hold_ttl_ms / 1000)
        clean, evidence = await settle_and_audit(stack, console, torn=tuple(scene.losses))
        console.print(recovery_table(recoveries))
        claims = judge(crowd.counts, recoveries, clean, evidence, console)
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


def judge(counts: Counts, recoveries: list[Recovery], clean: bool, evidence: Evidence, console: Console) -> Claims:
    """The claims about the service."""
    claims = Claims(console)
    lost = len(counts.orders - evidence.order_by_id.keys())
    claims.expect("the auditor found nothing but what went with a disk", clean, f"{lost} orders went")
    happened = {recovery.fault for recovery in recoveries}
    missing = {fault.name for fault in ALWAYS} - happened
    claims.expect("everything has happened, and it came back", not missing, f"{len(recoveries)} faults")
    unknown = counts.outcomes["UNKNOWN"] + counts.outcomes["PAUSED"]
    claims.expect(
        "in the end everybody knew", unknown == 0, f"{sum(counts.outcomes.values())} clicks, {unknown} unknown"
    )
    odd = {name: count for name, count in counts.outcomes.items() if name not in ("RESERVED", "SOLD_OUT")}
    claims.expect("and nobody was turned away for nothing", not odd, odd or dict(counts.outcomes))
    broken = sum(1 for order in evidence.orders if order.reason == "OVERSOLD")
    claims.expect("the CHECK in Postgres was never needed", not broken, f"{broken} orders")
    return claims
