"""Torn tail: Valkey is killed and its disk turns out to have lied about the last writes. Nothing may be oversold."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, cast

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import Progress

from loadtests.auditor.evidence import Evidence, millis
from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import CLICK_TIMEOUT_S, Crowd, going_on
from loadtests.campaigns.faults.aof import Cut, cut_tail
from loadtests.campaigns.settle import settle_and_audit, until_quiet
from loadtests.campaigns.stack import Stack
from loadtests.client import Client, Journal

PAUSE_S = 0.05  # between two clicks on one connection
TIMEOUT_S = 120.0  # for what happens within a second, however busy the machine is
NEWEST = "SELECT max(created_at) FROM orders WHERE created_at > $1"


class Size(msgspec.Struct, frozen=True):
    """How often the tail is torn, under what load. The stock is more than the crowd can take before the last tear."""

    rounds: int
    connections: int
    people: int
    stock: int
    orders: int  # acknowledged before each tear; with the worker stalled, so many more that are only in the stream
    transactions_max: int  # torn off, at least: what the claims are about goes, too


FULL = Size(8, 128, 2000, 60_000, 1000, 400)
SHORT = Size(2, 16, 100, 2000, 60, 40)


class Tear(NamedTuple):
    """A cut, and the orders that were acknowledged while the worker stood still before it; else none."""

    cut: Cut
    stalled: bool
    only_in_redis: frozenset[str]


async def tear(stack: Stack, crowd: Crowd, size: Size, chance: random.Random, *, stalled: bool) -> Tear:
    """Kill Valkey, cut its file, let it come back.

    The cut takes an order that Postgres has already; with `stalled`, orders that Postgres has never heard of.
    """
    began = datetime.now(UTC)
    await until_accepted(stack, crowd, size.orders)
    before = frozenset(crowd.counts.orders)
    if stalled:
        stack.stop_part("worker")
        since = datetime.now(UTC)
        await until_accepted(stack, crowd, size.orders)
    else:
        since = await newest_row(stack, began)
    stack.hold_supervisor()
    stack.kill("valkey")
    await asyncio.sleep(0.1)  # answers that were on their way have arrived
    only_in_redis = frozenset(crowd.counts.orders - before) if stalled else frozenset()
    transactions = chance.randint(1, size.transactions_max)
    cut = cut_tail(stack.home / "valkey", transactions, since_ms=millis(since), half=chance.random() < 0.5)
    stack.release_supervisor()
    if stalled:
        stack.continue_part("worker")
    return Tear(cut, stalled, only_in_redis)


async def until_accepted(stack: Stack, crowd: Crowd, orders: int) -> None:
    """So many orders were acknowledged whose clicks were sent from now on."""
    began, sent_at = time.monotonic(), crowd.counts.accepted_sent_at
    before = len(sent_at)
    await until(
        lambda: sum(1 for each in sent_at[before:] if each > began) >= orders, f"{orders} clicks are accepted", stack
    )


async def newest_row(stack: Stack, after: datetime) -> datetime:
    """When the newest order was decided that Postgres has; waits for one that is younger than `after`."""
    connection = await asyncpg.connect(stack.servers.postgres_url)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while (newest := await connection.fetchval(NEWEST, after)) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no order has become a row:\n{stack.log_tail()}")
            await asyncio.sleep(0.02)
        return cast("datetime", newest)
    finally:
        await connection.close()


async def until_back(stack: Stack, client: Client) -> None:
    """Valkey runs again and every shard is open."""
    await until(lambda: stack.pid_of("valkey") is not None, "Valkey is back", stack)
    await shop.until_ready(client)


async def until(holds: Callable[[], bool], what: str, stack: Stack) -> None:
    """Wait for it. RuntimeError when it does not come."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {TIMEOUT_S:.0f} s until {what}:\n{stack.log_tail()}")
        await asyncio.sleep(0.02)


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    chance = random.Random(4)
    async with Stack() as stack, Client(stack.url, size.connections, CLICK_TIMEOUT_S) as client:
        token = await shop.staff_token(client, stack.password)
        config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": 0})
        people = await shop.log_in_all(client, "torn-", size.people)
        tears: list[Tear] = []
        with Journal(stack.journals / "torn.jsonl") as journal, Progress(console=console, transient=True) as bar:
            crowd = Crowd(client, journal, config_id, people, PAUSE_S)
            async with going_on(crowd.hands(size.connections)):
                for number in bar.track(range(size.rounds), description="tears"):
                    tears.append(await tear(stack, crowd, size, chance, stalled=number % 2 == 1))
                    await until_back(stack, client)
            await until_quiet(stack)  # what was cancelled is back
            await crowd.sell_the_rest(size.connections, 2 * size.stock)
        torn = tuple((each.cut.since_ms, each.cut.until_ms) for each in tears)
        clean, evidence = await settle_and_audit(stack, console, torn=torn)
        return judge(size, evidence, config_id, clean, tears, console)


def judge(size: Size, evidence: Evidence, config_id: str, clean: bool, tears: list[Tear], console: Console) -> bool:
    """No unit was sold twice, though some clicks went with the tail."""
    claims = Claims(console)
    batches = [each.cut.batches for each in tears]
    claims.expect(
        "each tear cut off acknowledged clicks", all(batches), f"{sum(batches)} batches in {size.rounds} tears"
    )
    kept = [
        sum(1 for order in evidence.orders if each.cut.covers(order.created_at)) for each in tears if not each.stalled
    ]
    claims.expect("of these Postgres had some already", all(kept), f"{sum(kept)} orders")
    lost = [len(each.only_in_redis - evidence.order_by_id.keys()) for each in tears if each.stalled]
    claims.expect("and none of others, while the worker stood still", all(lost), f"{sum(lost)} orders")
    claims.expect("the auditor found nothing but what went with the tail", clean)
    stock = evidence.stock[config_id]
    claims.expect(f"all {size.stock:,} units sold, none twice", stock.reserved == size.stock, stock.reserved)
    broken = [order.id for order in evidence.orders if order.reason == "OVERSOLD"]
    claims.expect("the CHECK in Postgres was never needed", not broken, f"{len(broken)} orders")
    return claims.all_hold
