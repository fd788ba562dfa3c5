"""The first second of a sale: N clicks fire at their intended times, whether or not earlier ones were answered.

    python -m loadtests.burst --url http://127.0.0.1:8000 --clicks 5000 --rate 5000
    python -m loadtests.burst --url http://127.0.0.1:8000 --clicks 20000 --rate 0 --repeats 0.34 --journal burst.jsonl

Latency counts from the intended time, so a server that stalls cannot hide the queue it caused. With `--rate 0` the
clicks run as fast as the connections are answered; latency then counts from the sending.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from loadtests.client import Click, Client, Journal, Person, Unknown, log_in, send_click

PERCENTILES = (50, 90, 99, 99.9, 100)


@dataclass
class Result:
    """What a burst saw."""

    outcomes: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    replayed: int = 0
    orders: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def percentiles(self) -> dict[str, float]:
        """Latency by percentile, in ms, over the clicks that were answered."""
        ordered = sorted(self.latencies_ms)
        if not ordered:
            return {}
        last = len(ordered) - 1
        return {f"p{p:g}": round(ordered[min(last, int(len(ordered) * p / 100))], 2) for p in PERCENTILES}

    def as_dict(self) -> dict[str, object]:
        """For --json and for other programs."""
        return {
            "outcomes": dict(self.outcomes),
            "orders": len(self.orders),
            "replayed": self.replayed,
            "seconds": round(self.seconds, 3),
            "latencyMs": self.percentiles(),
        }


def plan_clicks(
    people: list[Person], instance: str, *, clicks: int, repeats: float = 0.0, seed: int = 1, label: str = "burst"
) -> list[Click]:
    """`clicks` clicks, of which the share `repeats` sends the same request of the same person once more."""
    order = random.Random(seed)
    config = instance.partition(".")[0]
    again = int(clicks * repeats)
    first = [
        Click(people[i % len(people)], config, instance, "join", f"{label}-{seed}-{i}") for i in range(clicks - again)
    ]
    planned = first + [order.choice(first) for _ in range(again)] if first else []
    order.shuffle(planned)
    return planned


async def fire(client: Client, journal: Journal, clicks: list[Click], rate: float) -> Result:
    """Send every click: `rate` a second at their intended times, or with 0 as fast as the connections allow."""
    result = Result()
    start = time.perf_counter()

    async def one(click: Click, intended: float) -> None:
        if rate:
            await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        seen = await send_click(client, journal, click)
        if seen.status is not None:
            result.latencies_ms.append((time.perf_counter() - intended) * 1000)
        result.outcomes[f"{seen.status or '-'} {seen.outcome or 'UNKNOWN'}"] += 1
        result.replayed += seen.replayed
        if seen.order_id and seen.outcome == "RESERVED":
            result.orders.add(seen.order_id)

    if rate:
        await asyncio.gather(*(one(click, start + i / rate) for i, click in enumerate(clicks)))
    else:
        await _closed_loop(clicks, one, client.connections)
    result.seconds = time.perf_counter() - start
    return result


async def _closed_loop(clicks: list[Click], one: Callable[[Click, float], Awaitable[None]], connections: int) -> None:
    waiting = iter(clicks)

    async def lane() -> None:
        for click in waiting:
            await one(click, time.perf_counter())

    await asyncio.gather(*(lane() for _ in range(connections)))


async def log_in_all(client: Client, users: int, label: str) -> list[Person]:
    """Demo consumers `<label>-0` to `<label>-<users - 1>`, a few at a time."""
    people: list[Person] = []
    for start in range(0, users, 32):
        names = [f"{label}-{i}" for i in range(start, min(users, start + 32))]
        people += await asyncio.gather(*(log_in(client, name) for name in names))
    return people


async def find_instance(client: Client, play_code: str) -> str:
    """The first ACTIVE instance of a playbook that the list shows; any other state is taken when there is none."""
    answer = await client.request("GET", f"/v1/instances?playCode={play_code}")
    items = (answer.json() or {}).get("items", [])
    items.sort(key=lambda item: item["status"] != "ACTIVE")
    if not items:
        raise SystemExit(f"no instance of {play_code} is on sale; name one with --instance")
    return str(items[0]["id"])


def read_people(path: Path) -> list[Person]:
    """One `user token` a line."""
    return [Person(*line.split()) for line in path.read_text().splitlines() if line]


async def burst(options: argparse.Namespace) -> Result:
    """Log in, choose the instance, fire."""
    async with Client(options.url, options.connections, options.timeout) as client:
        try:
            instance = options.instance or await find_instance(client, options.play_code)
            users = options.users or options.clicks
            people = read_people(options.people) if options.people else await log_in_all(client, users, options.label)
        except Unknown as error:
            raise SystemExit(f"{options.url} does not answer: {error}") from None
        await client.connect_all()
        plan = {"clicks": options.clicks, "repeats": options.repeats, "seed": options.seed, "label": options.label}
        clicks = plan_clicks(people, instance, **plan)
        with Journal(options.journal) as journal:
            return await fire(client, journal, clicks, options.rate)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m loadtests.burst", description="An open-loop burst of joins.")
    line.add_argument("--url", default="http://127.0.0.1:8000")
    line.add_argument("--clicks", type=int, default=5000)
    line.add_argument("--rate", type=float, default=5000, help="clicks a second; 0: as fast as answered")
    line.add_argument("--connections", type=int, default=256)
    line.add_argument("--repeats", type=float, default=0.0, help="share of clicks that repeat an earlier request")
    line.add_argument("--users", type=int, default=0, help="distinct people (default: one a click)")
    line.add_argument("--people", type=Path, help="file of `user token` lines, instead of demo logins")
    line.add_argument("--instance", default="", help="instance id (default: the first on sale)")
    line.add_argument("--play-code", default="FLASH_SALE")
    line.add_argument("--label", default="burst", help="prefix of the demo people and request ids")
    line.add_argument("--seed", type=int, default=1)
    line.add_argument("--timeout", type=float, default=10.0, help="seconds until an answer counts as unknown")
    line.add_argument("--journal", type=Path, help="append the client's journal here (JSON lines)")
    line.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return line


def main() -> int:
    """Print what happened; 1 when an answer was unknown or a 5xx."""
    options = parser().parse_args()
    result = uvloop.run(burst(options))
    if options.json:
        print(json.dumps(result.as_dict()))
    else:
        for name, count in result.outcomes.most_common():
            print(f"{count:>8}  {name}")
        print(f"{len(result.orders):>8}  orders, {result.replayed} replayed answers, {result.seconds:.2f} s")
        print("latency ms  " + "  ".join(f"{name} {value}" for name, value in result.percentiles().items()))
    bad = sum(n for name, n in result.outcomes.items() if name[0] in "-5")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
