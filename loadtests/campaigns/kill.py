"""Kill: SIGKILL of API, worker, Valkey and Postgres in turn, under load. The service comes back by itself."""

import asyncio
import itertools
import random
import time

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import Counts, at_most, cancel, click_until_known, going_on, pay
from loadtests.campaigns.settle import settle_and_audit, until_quiet
from loadtests.campaigns.stack import PARTS, Stack
from loadtests.client import Click, Client, Journal, Person

VICTIMS = ("api", "worker", "valkey", "postgres")
RECOVERY_MAX_S = 30.0
CLICK_TIMEOUT_S = 3.0
NEWEST = "SELECT count(*) FROM orders WHERE created_at > to_timestamp($1)"


class Size(msgspec.Struct, frozen=True):
    """How often everything dies, under how many clicking connections."""

    rounds: int
    connections: int
    people: int
    stock: int
    calm_s: float  # load between two kills
    pause_s: float  # between two clicks on one connection


FULL = Size(3, 256, 4000, 40_000, 3.0, 0.1)
SHORT = Size(1, 24, 100, 2000, 0.5, 0.05)


class Crowd:
    """People who click for ever on one flash sale; some pay, some cancel."""

    def __init__(self, client: Client, journal: Journal, config_id: str, people: list[Person], pause_s: float) -> None:
        self.client = client
        self.journal = journal
        self.config_id = config_id
        self.people = people
        self.pause_s = pause_s
        self.counts = Counts()
        self._numbers = itertools.count()
        self._chance = random.Random(3)

    async def once(self) -> None:
        """One click until its outcome is known, and what follows; one in ten asks twice."""
        person = self._chance.choice(self.people)
        request = f"r{next(self._numbers)}"
        click = Click(person, self.config_id, f"{self.config_id}.s1", "join", request)
        seen = await click_until_known(self.client, self.journal, click, self.counts)
        mood = self._chance.random()
        if seen.outcome == "RESERVED" and seen.order_id:
            if mood < 0.15:
                await pay(self.client, self.journal, person, self.config_id, seen.order_id)
            elif mood < 0.3:
                await cancel(self.client, self.journal, person, self.config_id, seen.order_id)
            elif mood < 0.4:
                await click_until_known(self.client, self.journal, click, self.counts)
        await asyncio.sleep(self.pause_s)

    async def sell_the_rest(self, connections: int, clicks_max: int) -> None:
        """Click until it is sold out, so that one unit too many would show."""
        over = asyncio.Event()

        async def buy(number: int) -> None:
            if over.is_set():
                return
            person = self.people[number % len(self.people)]
            click = Click(person, self.config_id, f"{self.config_id}.s1", "join", f"rest-{number}")
            seen = await click_until_known(self.client, self.journal, click, self.counts)
            if seen.outcome == "SOLD_OUT":
                over.set()

        await at_most(connections, range(clicks_max), buy)
        if not over.is_set():
            raise RuntimeError("it never sold out")


class Recovery(msgspec.Struct, frozen=True):
    """Seconds after a kill until a click sent after it was accepted, and until one was an order row."""

    victim: str
    accepted_s: float
    persisted_s: float


async def watch_recovery(stack: Stack, crowd: Crowd, victim: str) -> Recovery:
    """Kill `victim`, then wait until it runs again and clicks are accepted and persisted again."""
    pid_before = stack.pid_of(victim)
    killed_wall = time.time()
    killed = stack.kill(victim)
    accepted_s = persisted_s = 0.0
    back = False
    while not (back and accepted_s and persisted_s):
        await asyncio.sleep(0.02)
        now_s = time.monotonic() - killed
        back = back or stack.pid_of(victim) not in (None, pid_before)
        if not accepted_s and crowd.counts.accepted_sent_at and crowd.counts.accepted_sent_at[-1] > killed:
            accepted_s = now_s
        if not persisted_s and accepted_s and await _persisted(stack, killed_wall):
            persisted_s = now_s
        if now_s > RECOVERY_MAX_S:
            raise RuntimeError(f"no recovery within {RECOVERY_MAX_S:.0f} s of killing {victim}:\n{stack.log_tail()}")
    return Recovery(victim, accepted_s, persisted_s)


async def _persisted(stack: Stack, since: float) -> bool:
    try:
        connection = await asyncpg.connect(stack.servers.postgres_url, timeout=1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return bool(await connection.fetchval(NEWEST, since))
    finally:
        await connection.close()


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    async with Stack() as stack, Client(stack.url, size.connections, CLICK_TIMEOUT_S) as client:
        token = await shop.staff_token(client, stack.password)
        config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": 0})
        people = await shop.log_in_all(client, "survivor-", size.people)
        recoveries: list[Recovery] = []
        with Journal(stack.journals / "kill.jsonl") as journal, Progress(console=console, transient=True) as bar:
            crowd = Crowd(client, journal, config_id, people, size.pause_s)
            async with going_on([crowd.once] * size.connections):
                for victim in bar.track(VICTIMS * size.rounds, description="kills"):
                    await asyncio.sleep(size.calm_s)
                    recoveries.append(await watch_recovery(stack, crowd, victim))
                await asyncio.sleep(size.calm_s)
            await until_quiet(stack)  # what was cancelled is back
            await crowd.sell_the_rest(size.connections, 2 * size.stock)
        clean, evidence = await settle_and_audit(stack, console)
        claims = judge(crowd.counts, recoveries, clean, len(evidence.orders), console)
        reserved = evidence.stock[config_id].reserved
        claims.expect(f"all {size.stock:,} units sold, none twice", reserved == size.stock, reserved)
        return claims.all_hold


def judge(counts: Counts, recoveries: list[Recovery], clean: bool, rows: int, console: Console) -> Claims:
    """The claims about the service, and how long each recovery took."""
    table = Table(title="back by itself after SIGKILL", title_justify="left")
    for column in ("killed", "first accepted click, s", "first order row, s"):
        table.add_column(column)
    for recovery in recoveries:
        table.add_row(recovery.victim, f"{recovery.accepted_s:.2f}", f"{recovery.persisted_s:.2f}")
    console.print(table)
    claims = Claims(console)
    claims.expect("the auditor found nothing", clean)
    claims.expect("every part was killed and came back", {r.victim for r in recoveries} == set(PARTS))
    unknown = counts.outcomes["UNKNOWN"] + counts.outcomes["PAUSED"]
    claims.expect(
        "in the end everybody knew", unknown == 0, f"{sum(counts.outcomes.values())} clicks, {unknown} unknown"
    )
    odd = {name: count for name, count in counts.outcomes.items() if name not in ("RESERVED", "SOLD_OUT")}
    claims.expect("and nobody was turned away for nothing", not odd, odd or dict(counts.outcomes))
    claims.expect("every acknowledged order has its row", rows >= len(counts.orders), f"{rows} rows")
    return claims
