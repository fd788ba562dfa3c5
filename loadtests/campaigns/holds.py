"""Short holds: nobody pays in time, everything comes back exactly once and is sold again, to the last unit."""

import asyncio
import itertools

import msgspec
from rich.console import Console
from rich.progress import Progress

from loadtests.auditor.evidence import Evidence
from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import Counts, at_most, click_until_known, pay
from loadtests.campaigns.settle import settle_and_audit, until_quiet
from loadtests.campaigns.stack import Stack
from loadtests.client import Click, Client, Journal, Person

HOLD_TTL_MS = 1500
REOPEN_S = 0.6  # units that come back to a sold-out sale wait gate.reopen_ms
PAYERS = 10  # one buyer in so many pays


class Size(msgspec.Struct, frozen=True):
    """How often the stock is sold out and comes back."""

    stock: int
    rounds: int
    connections: int


FULL = Size(1000, 5, 256)
SHORT = Size(60, 2, 32)


class Sale:
    """One flash sale whose buyers mostly go away."""

    def __init__(self, client: Client, journal: Journal, config_id: str, people: list[Person]) -> None:
        self.client = client
        self.journal = journal
        self.config_id = config_id
        self.people = people
        self.counts = Counts()
        self.paid = 0

    async def sell_out(self, number: int, connections: int) -> None:
        """Everybody clicks once; one in PAYERS of those who got a unit pays."""
        before = len(self.counts.orders)

        async def buy(person: Person) -> None:
            click = Click(person, self.config_id, f"{self.config_id}.s1", "join", f"round-{number}")
            seen = await click_until_known(self.client, self.journal, click, self.counts)
            if seen.outcome == "RESERVED" and len(self.counts.orders) % PAYERS == before % PAYERS:
                status = await pay(self.client, self.journal, person, self.config_id, seen.order_id or "")
                self.paid += 200 <= status < 300

        await at_most(connections, self.people, buy)


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    async with Stack(gate_hold_ttl_ms=HOLD_TTL_MS) as stack, Client(stack.url, size.connections) as client:
        token = await shop.staff_token(client, stack.password)
        config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": 0})
        people = await shop.log_in_all(client, "holder-", size.stock + size.stock // 2)
        with Journal(stack.journals / "holds.jsonl") as journal, Progress(console=console, transient=True) as bar:
            sale = Sale(client, journal, config_id, people)
            task = bar.add_task("rounds", total=size.rounds)
            for number in itertools.count():
                # On a machine so busy that nobody has paid in time yet, it is sold once more.
                if number >= size.rounds and sale.paid:
                    break
                await sale.sell_out(number, size.connections)
                bar.advance(task)
                await asyncio.sleep(HOLD_TTL_MS / 1000)
                await until_quiet(stack)
                await asyncio.sleep(REOPEN_S)
        clean, evidence = await settle_and_audit(stack, console)
        return judge(size, sale, clean, evidence, console)


def judge(size: Size, sale: Sale, clean: bool, evidence: Evidence, console: Console) -> bool:
    """What was not paid for is back, and had been sold again in the meantime."""
    claims = Claims(console)
    claims.expect("the auditor found nothing", clean)
    stock = evidence.stock[sale.config_id]
    # Not what the payers were told: whoever paid too late has another seat, or the money back.
    paid = sum(1 for order in evidence.orders if order.status == "PAID")
    late = sum(1 for order in evidence.orders if order.status in ("REFUNDING", "REFUNDED"))
    expired = sum(1 for order in evidence.orders if order.status == "EXPIRED")
    claims.expect("somebody has paid", sale.paid > 0, f"{paid} units sold, {late} paid too late")
    claims.expect("only paid units are still reserved", stock.reserved == paid, stock.reserved)
    claims.expect("more was sold than there is in stock, one after another", len(evidence.orders) > size.stock)
    claims.expect("every other hold expired", expired + late == len(evidence.orders) - paid, f"{expired} expired")
    left = evidence.warmed[sale.config_id].left
    claims.expect("all of it is back in Redis", left == size.stock - paid, f"{left} left")
    return claims.all_hold
