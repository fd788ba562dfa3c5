"""Torn tail: Valkey is killed and its disk turns out to have lied about the last writes. Nothing may be oversold."""

import asyncio
import random
import time

import msgspec
from rich.console import Console
from rich.progress import Progress

from loadtests.auditor.evidence import Evidence
from loadtests.campaigns import shop
from loadtests.campaigns.aof import Cut, cut_tail
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import going_on
from loadtests.campaigns.kill import CLICK_TIMEOUT_S, Crowd
from loadtests.campaigns.settle import settle_and_audit, until_quiet
from loadtests.campaigns.stack import Stack
from loadtests.client import Client, Journal

BACK_TIMEOUT_S = 30.0


class Size(msgspec.Struct, frozen=True):
    """How often the tail is torn, under what load. The stock is less than what is clicked for."""

    rounds: int
    connections: int
    people: int
    stock: int
    load_s: float
    stalled_s: float  # load while the worker stands still, so that intents are only in the stream
    transactions_max: int  # torn off


FULL = Size(8, 128, 2000, 20_000, 1.5, 0.5, 400)
SHORT = Size(2, 16, 100, 400, 0.4, 0.3, 40)


async def tear(stack: Stack, size: Size, chance: random.Random, *, stalled: bool) -> Cut:
    """Kill Valkey, cut its file, let it come back.

    Clicks that are lost while the worker runs have mostly reached Postgres; with `stalled` they have not.
    """
    if stalled:
        stack.stop_part("worker")
        await asyncio.sleep(size.stalled_s)
    stack.hold_supervisor()
    stack.kill("valkey")
    await asyncio.sleep(0.1)  # answers that were on their way have arrived
    transactions = chance.randint(1, size.transactions_max)
    cut = cut_tail(stack.home / "valkey", transactions, half=chance.random() < 0.5)
    stack.release_supervisor()
    if stalled:
        stack.continue_part("worker")
    return cut


async def until_back(stack: Stack, client: Client) -> None:
    """Valkey runs again and every shard is open."""
    deadline = time.monotonic() + BACK_TIMEOUT_S
    while stack.pid_of("valkey") is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Valkey did not come back within {BACK_TIMEOUT_S:.0f} s:\n{stack.log_tail()}")
        await asyncio.sleep(0.02)
    await shop.until_ready(client)


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    chance = random.Random(4)
    async with Stack() as stack, Client(stack.url, size.connections, CLICK_TIMEOUT_S) as client:
        token = await shop.staff_token(client, stack.password)
        config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": 0})
        people = await shop.log_in_all(client, "torn-", size.people)
        cuts: list[Cut] = []
        with Journal(stack.journals / "torn.jsonl") as journal, Progress(console=console, transient=True) as bar:
            crowd = Crowd(client, journal, config_id, people, 0.02)
            async with going_on([crowd.once] * size.connections):
                for number in bar.track(range(size.rounds), description="tears"):
                    await asyncio.sleep(size.load_s)
                    cuts.append(await tear(stack, size, chance, stalled=number % 2 == 1))
                    await until_back(stack, client)
            await until_quiet(stack)  # what was cancelled is back
            await crowd.sell_the_rest(size.connections, 2 * size.stock)
        clean, evidence = await settle_and_audit(
            stack, console, torn=tuple((cut.since_ms, cut.until_ms) for cut in cuts)
        )
        return judge(size, evidence, config_id, clean, cuts, console)


def judge(size: Size, evidence: Evidence, config_id: str, clean: bool, cuts: list[Cut], console: Console) -> bool:
    """No unit was sold twice, though some clicks went with the tail."""
    claims = Claims(console)
    batches = sum(cut.batches for cut in cuts)
    claims.expect("acknowledged clicks were cut off", batches > 0, f"{batches} batches in {size.rounds} tears")
    kept = sum(1 for order in evidence.orders if any(cut.covers(order.created_at) for cut in cuts))
    claims.expect("of them Postgres had some already", kept > 0, f"{kept} orders")
    claims.expect("the auditor found nothing but what went with the tail", clean)
    stock = evidence.stock[config_id]
    claims.expect(f"all {size.stock:,} units sold, none twice", stock.reserved == size.stock, stock.reserved)
    broken = [order.id for order in evidence.orders if order.reason == "OVERSOLD"]
    claims.expect("the CHECK in Postgres was never needed", not broken, f"{len(broken)} orders")
    return claims.all_hold
