"""How people behave: they click again until they know, pay, cancel, or wander to the next group."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from loadtests.client import Answer, Click, Journal, Person, Seen, Sender, Unknown, send_click

T = TypeVar("T")

UNDECIDED = frozenset({"PAUSED", "UNAVAILABLE", "INTERNAL", "OVERLOADED", "ORDER_NOT_READY"})
RETRY_S = (0.05, 0.1, 0.2, 0.4)  # then every 0.4 s
GIVE_UP_S = 90.0
CLICK_TIMEOUT_S = 3.0  # of clients whose servers are killed


class Counts:
    """What a crowd was told, by outcome, and when it was last told yes."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.attempts = 0
        self.orders: set[str] = set()
        self.accepted_sent_at: list[float] = []  # monotonic; when accepted clicks were sent
        self.last_accepted_sent_at = 0.0

    def take(self, seen: Seen, sent_at: float) -> None:
        """Count the last answer to a click."""
        self.outcomes[seen.outcome or "UNKNOWN"] += 1
        if seen.outcome == "RESERVED":
            self.accepted_sent_at.append(sent_at)
            self.last_accepted_sent_at = max(self.last_accepted_sent_at, sent_at)
            if seen.order_id:
                self.orders.add(seen.order_id)


async def click_until_known(client: Sender, journal: Journal, click: Click, counts: Counts) -> Seen:
    """The decided answer to `click`; the same requestId is sent again while nobody knows."""
    deadline = time.monotonic() + GIVE_UP_S
    attempt = 0
    while True:
        sent_at = time.monotonic()
        seen = await send_click(client, journal, click)
        counts.attempts += 1
        known = seen.status is not None and seen.status < 500 and seen.outcome not in UNDECIDED
        if known or time.monotonic() > deadline:
            counts.take(seen, sent_at)
            return seen
        await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
        attempt += 1


async def pay(client: Sender, journal: Journal, person: Person, config_id: str, order_id: str) -> int:
    """Begin a payment and play the payer; the last status (0: never known)."""
    begun = await _order_verb(client, person, f"/v1/orders/{order_id}/payment")
    if begun is None or begun.status >= 300:
        return begun.status if begun else 0
    sent = _line(person, config_id, "pay", order_id)
    paid = await _order_verb(client, person, f"/v1/payments/sandbox/{order_id}/pay")
    return _note(journal, sent, paid)


async def cancel(client: Sender, journal: Journal, person: Person, config_id: str, order_id: str) -> int:
    """Give the hold back; the last status (0: never known)."""
    sent = _line(person, config_id, "cancel", order_id)
    return _note(journal, sent, await _order_verb(client, person, f"/v1/orders/{order_id}/cancel"))


async def _order_verb(client: Sender, person: Person, path: str) -> Answer | None:
    deadline = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline:
        try:
            answer = await client.request("POST", path, {}, person.token)
        except Unknown:
            await asyncio.sleep(RETRY_S[-1])
            continue
        if answer.status < 500:
            return answer
        await asyncio.sleep(RETRY_S[1])
    return None


def _line(person: Person, config_id: str, verb: str, order_id: str) -> dict[str, object]:
    line = {"user": person.user, "configId": config_id, "verb": verb, "orderId": order_id}
    return line | {"sentAt": int(time.time() * 1000)}


def _note(journal: Journal, sent: dict[str, object], answer: Answer | None) -> int:
    status = answer.status if answer else 0
    outcome = "DONE" if 200 <= status < 300 else (answer.json() or {}).get("code") if answer else None
    journal.write(sent | {"status": status or None, "outcome": outcome, "receivedAt": int(time.time() * 1000)})
    return status


async def at_most(count: int, work: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    """`do` each piece of `work`, `count` at a time."""
    pieces = iter(work)

    async def hand() -> None:
        for piece in pieces:
            await do(piece)

    async with asyncio.TaskGroup() as hands:
        for _ in range(count):
            hands.create_task(hand())


@asynccontextmanager
async def going_on(loops: Iterable[Callable[[], Awaitable[object]]]) -> AsyncIterator[None]:
    """Every loop repeats until the block ends; what it is doing then it finishes."""
    over = asyncio.Event()

    async def again(once: Callable[[], Awaitable[object]]) -> None:
        while not over.is_set():
            await once()

    async with asyncio.TaskGroup() as group:
        for once in loops:
            group.create_task(again(once))
        try:
            yield
        finally:
            over.set()


class Crowd:
    """People who click for ever on one flash sale; some pay, some cancel."""

    def __init__(self, client: Sender, journal: Journal, config_id: str, people: list[Person], pause_s: float) -> None:
        self.client = client
        self.journal = journal
        self.config_id = config_id
        self.people = people
        self.pause_s = pause_s
        self.counts = Counts()
        self._numbers = itertools.count()
        self._chance = random.Random(3)

    def hands(self, count: int) -> list[Callable[[], Awaitable[object]]]:
        """Who pays or cancels waits for a row, and so for a worker that may stand still: half of them do neither."""
        return [self.once, self.only_click] * (count // 2)

    async def only_click(self) -> None:
        """One click until its outcome is known. It needs no worker."""
        await click_until_known(self.client, self.journal, self._next_click(), self.counts)
        await asyncio.sleep(self.pause_s)

    async def once(self) -> None:
        """One click until its outcome is known, and what follows; one in ten asks twice."""
        click = self._next_click()
        person = click.person
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

    def _next_click(self) -> Click:
        person = self._chance.choice(self.people)
        return Click(person, self.config_id, f"{self.config_id}.s1", "join", f"r{next(self._numbers)}")

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
