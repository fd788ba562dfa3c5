"""Groups: joiners race for the seats of many groups; some pay, some cancel, some go away."""

import random

import msgspec
from rich.console import Console
from rich.progress import Progress

from loadtests.auditor.evidence import Evidence
from loadtests.campaigns import shop
from loadtests.campaigns.claims import Claims
from loadtests.campaigns.crowd import Counts, at_most, cancel, click_until_known, pay
from loadtests.campaigns.settle import settle_and_audit
from loadtests.campaigns.stack import Stack
from loadtests.client import Click, Client, Journal, Person

TARGET = 3
TRIES = 8  # groups one joiner knocks at
PAYS, CANCELS = 0.85, 0.95  # of those who got a seat, in a row; the rest leaves it to the deadline


class Size(msgspec.Struct, frozen=True):
    """How many groups, and how many people want into each."""

    groups: int
    joiners_a_group: int
    connections: int


FULL = Size(500, 6, 256)
SHORT = Size(30, 6, 32)


class Fair:
    """One config, its groups, and the people around them."""

    def __init__(self, client: Client, journal: Journal, config_id: str) -> None:
        self.client = client
        self.journal = journal
        self.config_id = config_id
        self.instances: list[str] = []
        self.counts = Counts()
        self.chance = random.Random(2)

    async def open(self, person: Person) -> None:
        """A leader opens a group; most pay at once."""
        click = Click(person, self.config_id, "", "open", f"open-{person.user}")
        seen = await click_until_known(self.client, self.journal, click, self.counts)
        if seen.outcome == "RESERVED" and seen.instance:
            self.instances.append(seen.instance)
            await self._afterwards(person, seen.order_id or "")

    async def join(self, person: Person) -> None:
        """A joiner knocks at one group after another until a seat is free."""
        for number in range(TRIES):
            instance = self.chance.choice(self.instances)
            click = Click(person, self.config_id, instance, "join", f"join-{person.user}-{number}")
            seen = await click_until_known(self.client, self.journal, click, self.counts)
            if seen.outcome == "RESERVED":
                await self._afterwards(person, seen.order_id or "")
                return

    async def _afterwards(self, person: Person, order_id: str) -> None:
        mood = self.chance.random()
        if mood < PAYS:
            await pay(self.client, self.journal, person, self.config_id, order_id)
        elif mood < CANCELS:
            await cancel(self.client, self.journal, person, self.config_id, order_id)


async def run(size: Size, console: Console) -> bool:
    """Drive it on a stack of its own; True when every claim holds."""
    async with Stack() as stack, Client(stack.url, size.connections) as client:
        token = await shop.staff_token(client, stack.password)
        rules = {"limitPerPerson": 1, "target": TARGET, "durationMinutes": 60}
        config_id = await shop.publish(client, token, "GROUP_BUY", size.groups * TARGET, rules)
        leaders = await shop.log_in_all(client, "leader-", size.groups)
        joiners = await shop.log_in_all(client, "joiner-", size.groups * size.joiners_a_group)
        with Journal(stack.journals / "groups.jsonl") as journal, Progress(console=console, transient=True) as bar:
            fair = Fair(client, journal, config_id)
            task = bar.add_task("people", total=len(leaders) + len(joiners))

            async def lead(person: Person) -> None:
                await fair.open(person)
                bar.advance(task)

            async def follow(person: Person) -> None:
                await fair.join(person)
                bar.advance(task)

            await at_most(size.connections, leaders, lead)
            await at_most(size.connections, joiners, follow)
        clean, evidence = await settle_and_audit(stack, console)
        return judge(size, fair, clean, evidence, console)


def judge(size: Size, fair: Fair, clean: bool, evidence: Evidence, console: Console) -> bool:
    """The claims of issue and README."""
    claims = Claims(console)
    claims.expect("the auditor found nothing", clean)
    claims.expect(f"{size.groups} groups opened", len(fair.instances) == size.groups, len(fair.instances))
    over = whole = wrong = 0
    for instance in fair.instances:
        orders = evidence.orders_of_instance[instance]
        paid = sum(1 for order in orders if order.status == "PAID")
        over += sum(1 for order in orders if order.live) > TARGET
        whole += paid == TARGET
        wrong += (evidence.instances[instance].status == "SUCCESS") != (paid == TARGET)
    claims.expect("no group over its target", over == 0, over)
    claims.expect("SUCCESS exactly when three have paid", wrong == 0 and whole > 0, f"{whole} groups whole")
    claims.expect(
        "joiners were refused full groups", fair.counts.outcomes["INSTANCE_FULL"] > 0, dict(fair.counts.outcomes)
    )
    return claims.all_hold
