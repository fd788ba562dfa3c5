"""What a click costs in Valkey: a crowd goes through every step, beside a playbook that does nothing.

Time is what Valkey measures itself for a script call (INFO commandstats). Of several rounds the quickest counts,
because whatever else a machine does only adds.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from engine.gate.bounds import TICKS_MAX
from engine.gate.gate import Reply
from engine.gate.outcome import Outcome
from engine.gate.records import EntryState
from engine.kit.acts import Click, Event, OrderEvent
from engine.kit.crew import Member, member
from engine.kit.manifests import largest
from engine.kit.sale import can_be_published
from engine.kit.stage import OPEN, Stage
from engine.kit.tally import TallyStage
from engine.sdk import Example, Playbook, Rules, States, Status, View

CROWD = 256
ROUNDS = 5
MEASURED_MIN = 64  # clicks in a batch whose own cost, shared by so few, would hide theirs
STOCK = 1_000_000
CLICK_US_MAX = 100.0
TIMES_TRIVIAL_MAX = 20.0
TICKS_USED_MAX = TICKS_MAX // 2  # the other half is for rules and crowds nobody thought of

TRIVIAL = Playbook(
    code="TRIVIAL",
    name="空",
    version="1",
    unit_name="份",
    rules=Rules,
    states=States(moves={Status.PENDING: (Status.ACTIVE,), Status.ACTIVE: (Status.SUCCESS,)}),
    step="local function no() end return { open = no, join = no, act = no, paid = no, released = no, deadline = no }",
    view=View(open="开", join="参加", actions={"act": "做"}),
    actions=("act",),
    examples=(Example(),),
)


class Cost(NamedTuple):
    """Of one kind of click, in µs; `trivial_us` is what it costs where its step does nothing."""

    kind: str
    click_us: float
    trivial_us: float

    @property
    def times(self) -> float:
        """How many times as much as where nothing is done."""
        return self.click_us / self.trivial_us


class Spent(NamedTuple):
    """The dearest kind of click, and the crowd whose steps used most of their budget."""

    cost: Cost
    crowd: "Found"


class Sent(NamedTuple):
    """A batch of a crowd: what kind of click, what each cost, and the replies."""

    kind: str
    click_us: float
    replies: list[Reply]


class Found(NamedTuple):
    """What came of a crowd in one instance: the size of its cells, the dearest step, and steps that failed."""

    rules: dict[str, Any]
    cells_bytes: int
    kind: str
    ticks: int
    failures: list[str]


def crowds(stage: TallyStage, playbook: Playbook, complaints: Callable[[], list[str]]) -> list[Found]:
    """A crowd in one instance of each example, and of those that a crowd fills most."""
    return [_crowded(stage, playbook, example, complaints) for example in largest(playbook)]


def _crowded(stage: TallyStage, playbook: Playbook, example: Example, complaints: Callable[[], list[str]]) -> Found:
    used: dict[str, int] = {"": 0}
    failures: list[str] = []
    for sent in crowd(stage, playbook, example, spread=False):
        used[sent.kind] = max(used.get(sent.kind, 0), stage.ticks_used())
        failed = any(reply.outcome == Outcome.PLAYBOOK_FAILED for reply in sent.replies)
        if (complained := complaints()) or failed:
            why = complained[0] if complained else f"{sent.kind} failed"
            failures.append(f"{why}\nwhen {len(sent.replies)} did it in one instance; rules {dict(example.rules)}")
    kind = max(used, key=lambda one: used[one])
    return Found(dict(example.rules), max(stage.sizes().values(), default=0), kind, used[kind], failures)


def costs(stage: Stage, playbook: Playbook, beside: Stage) -> list[Cost]:
    """The cost of every kind of click, dearest first; `beside` is a stage of TRIVIAL."""
    nothing = _quickest(beside, TRIVIAL)
    nothing |= dict.fromkeys(playbook.actions, nothing["act"])
    rows = [Cost(kind, us, nothing[kind]) for kind, us in _quickest(stage, playbook).items()]
    return sorted(rows, key=lambda row: row.click_us, reverse=True)


def faults(rows: list[Cost], dearest: Found) -> Iterator[str]:
    """What is above the budget."""
    for row in rows:
        if row.click_us > CLICK_US_MAX or row.times > TIMES_TRIVIAL_MAX:
            said = f"{row.kind} costs {row.click_us:.0f} µs, {row.times:.0f} times one that does nothing"
            yield f"{said}; at most {CLICK_US_MAX:.0f} µs and {TIMES_TRIVIAL_MAX:.0f} times"
    if dearest.ticks > TICKS_USED_MAX:
        said = f"{dearest.kind} uses {dearest.ticks:,} of its {TICKS_MAX:,} loops and calls"
        yield f"{said}, at most {TICKS_USED_MAX:,}; rules {dearest.rules}"


def _quickest(stage: Stage, playbook: Playbook) -> dict[str, float]:
    quickest: dict[str, float] = {}
    for _round in range(ROUNDS):
        dearest: dict[str, float] = {}
        for sent in crowd(stage, playbook, playbook.examples[0], spread=True):
            if len(sent.replies) < MEASURED_MIN:
                continue
            dearest[sent.kind] = max(dearest.get(sent.kind, 0.0), sent.click_us)
        for kind, us in dearest.items():
            quickest[kind] = min(quickest.get(kind, us), us)
        if max(quickest.values(), default=0.0) < CLICK_US_MAX / 3:  # no further round could say anything else
            break
    return quickest


def crowd(stage: Stage, playbook: Playbook, example: Example, *, spread: bool) -> Iterator[Sent]:
    """CROWD people do all that there is to do: each in another's instance (`spread`), or all in the same one."""
    stage.publish(playbook, roomy(playbook, example))
    people = [member(number) for number in range(CROWD)]
    sessions = [session.suffix for session in stage.sale.sessions]
    wakes = [cells["wakeAt"] for cells in stage.instances().values() if cells["wakeAt"]]
    _advance_to(stage, min(wakes, default=0))
    if wakes:
        yield _sent(stage, "deadline", [Event("deadline", suffix) for suffix in sessions])
    opened = _sent(stage, "open", _clicks("open", people if spread else people[:1], [""], 0))
    yield opened
    places = [reply.suffix for reply in opened.replies if reply.suffix] or sessions or ["nowhere"]
    places = places if spread else places[:1]
    for verb in (*playbook.actions, "join"):
        for neighbour in (1, 0) if spread else (0,):
            yield _sent(stage, verb, _clicks(verb, people, places, neighbour))
    yield _sent(stage, "paid", _orders(stage, EntryState.HELD))
    yield _sent(stage, "released", _orders(stage, EntryState.PAID)[::2])
    wakes = [cells["wakeAt"] for cells in stage.instances().values() if cells["status"] in OPEN and cells["wakeAt"]]
    _advance_to(stage, max(wakes, default=0))
    yield _sent(stage, "deadline", [Event("deadline", suffix) for suffix in stage.instances()])
    for verb in playbook.actions:
        yield _sent(stage, verb, _clicks(verb, people, places, 2))


def roomy(playbook: Playbook, example: Example) -> Example:
    """The example with units for everybody, as far as its rules allow that."""
    many = msgspec.structs.replace(example, stock=STOCK)
    unlimited = msgspec.structs.replace(many, rules={**example.rules, "limitPerPerson": 0})
    return next((one for one in (unlimited, many) if can_be_published(playbook, one)), example)


def _clicks(verb: str, people: list[Member], places: list[str], neighbour: int) -> list[Click | Event]:
    """Everybody clicks on their own instance, or on that of the `neighbour` next."""
    return [
        Click(verb, one.user, f"{verb}{number}-{neighbour}", places[(number + neighbour) % len(places)], 1, one.facts)
        for number, one in enumerate(people)
    ]


def _orders(stage: Stage, state: EntryState) -> list[Click | Event]:
    kind: OrderEvent = "paid" if state == EntryState.HELD else "released"
    return [Event(kind, order.suffix, order.id) for order in stage.orders.values() if order.state == state]


def _sent(stage: Stage, kind: str, asked: list[Click | Event]) -> Sent:
    spent_us = stage.script_us()
    replies = stage.batch(asked)
    return Sent(kind, (stage.script_us() - spent_us) / max(1, len(asked)), replies)


def _advance_to(stage: Stage, moment_ms: int) -> None:
    if moment_ms > stage.now_ms:
        stage.advance(moment_ms - stage.now_ms)
