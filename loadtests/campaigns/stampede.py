"""Stampede: far more clicks than units, a third of them repeats; every unit goes to exactly one click."""

import random

import msgspec
from rich.console import Console
from rich.progress import Progress

from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import Counts, at_most, click_until_known
from loadtests.campaigns.settle import settle_and_audit
from loadtests.campaigns.stack import Stack
from loadtests.client import Click, Client, Journal, Person

REFUSALS = frozenset({"SOLD_OUT", "LIMIT_REACHED", "REQUEST_ID_REUSED"})
LIMIT = 2  # units a person


class Size(msgspec.Struct, frozen=True):
    """How big a stampede is."""

    clicks: int
    stock: int
    people: int
    connections: int


FULL = Size(20_000, 1000, 4000, 256)
SHORT = Size(2000, 100, 300, 64)


def plan(size: Size, people: list[Person], config_id: str, seed: int = 1) -> list[Click]:
    """Clicks in the order of sending: a third repeats an earlier request, of these 2 % ask for more than anyone may."""
    chance = random.Random(seed)
    repeats = size.clicks // 3
    instance = f"{config_id}.s1"
    fresh = [
        Click(chance.choice(people), config_id, instance, "join", f"r{number}")
        for number in range(size.clicks - repeats)
    ]
    again = [chance.choice(fresh) for _ in range(repeats)]
    again = [click._replace(quantity=LIMIT + 1) if chance.random() < 0.02 else click for click in again]
    clicks = fresh + again
    chance.shuffle(clicks)
    return clicks


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    async with Stack() as stack, Client(stack.url, size.connections) as client:
        token = await shop.staff_token(client, stack.password)
        config_id = await shop.publish(client, token, "FLASH_SALE", size.stock, {"limitPerPerson": LIMIT})
        people = await shop.log_in_all(client, "stampede-", size.people)
        counts = Counts()
        with Journal(stack.journals / "stampede.jsonl") as journal, Progress(console=console, transient=True) as bar:
            clicks = plan(size, people, config_id)
            task = bar.add_task("clicks", total=len(clicks))

            async def send(click: Click) -> None:
                await click_until_known(client, journal, click, counts)
                bar.advance(task)

            await at_most(size.connections, clicks, send)
        clean, evidence = await settle_and_audit(stack, console)
        return judge(
            size, counts, clean, units=evidence.stock[config_id].reserved, rows=len(evidence.orders), console=console
        )


def judge(size: Size, counts: Counts, clean: bool, *, units: int, rows: int, console: Console) -> bool:
    """The claims of issue and README."""
    claims = Claims(console)
    claims.expect("the auditor found nothing", clean)
    claims.expect(f"exactly {size.stock:,} units reserved", units == size.stock, units)
    claims.expect(f"{size.stock:,} order rows", rows == len(counts.orders) == size.stock, rows)
    odd = set(counts.outcomes) - REFUSALS - {"RESERVED"}
    claims.expect("every refusal with its code", not odd and counts.outcomes["SOLD_OUT"] > 0, dict(counts.outcomes))
    return claims.all_hold
