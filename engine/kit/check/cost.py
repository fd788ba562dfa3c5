"""What a click costs in Valkey: a crowd goes through every step, beside a playbook that does nothing.

Time is what Valkey measures itself for a script call (INFO commandstats). Of several rounds the quickest counts,
because whatever else a machine does only adds.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from engine.gate.outcome import Outcome
from engine.gate.records import EffectState
from engine.gate.wire import Reply
from engine.kit.check.budget import BudgetStage, LongestRun
from engine.kit.manifest.examples import largest
from engine.kit.personas import Persona, persona
from engine.kit.stage.harness import OPEN, Stage
from engine.kit.stage.model import Click, Event, OrderEvent
from engine.kit.stage.sale import can_be_published
from engine.playbooks.bounds import TICKS_MAX
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


class DearestCosts(NamedTuple):
    """The dearest kind of click, and the run of a step that used most of its budget."""

    cost: Cost
    longest: LongestRun


class SentBatch(NamedTuple):
    """A batch of a crowd: what kind of click, what each cost, and the replies."""

    kind: str
    click_us: float
    replies: list[Reply]


class CrowdResult(NamedTuple):
    """What came of a crowd in one instance: the size of its cells, the longest run of a step, and steps that failed."""

    rules: dict[str, Any]
    cells_bytes: int
    longest: LongestRun
    failures: list[str]


def crowds(stage: BudgetStage, playbook: Playbook, step_errors: Callable[[], list[str]]) -> list[CrowdResult]:
    """A crowd in one instance of each example, and of those that a crowd fills most."""
    return [_crowded(stage, playbook, example, step_errors) for example in largest(playbook)]


def _crowded(
    stage: BudgetStage, playbook: Playbook, example: Example, step_errors: Callable[[], list[str]]
) -> CrowdResult:
    failures: list[str] = []
    for sent in crowd(stage, playbook, example, spread=False):
        failed = any(reply.outcome == Outcome.PLAYBOOK_FAILED for reply in sent.replies)
        if (errors := step_errors()) or failed:
            why = errors[0] if errors else f"{sent.kind} failed"
            sale = f"price {example.price_fen} fen, rules {dict(example.rules)}"
            failures.append(f"{playbook.code}: {why}\nwhen {len(sent.replies)} did it in one instance; {sale}")
    return CrowdResult(dict(example.rules), max(stage.sizes().values(), default=0), stage.longest(), failures)


def costs(stage: Stage, playbook: Playbook, beside: Stage) -> list[Cost]:
    """The cost of every kind of click, dearest first; `beside` is a stage of TRIVIAL."""
    nothing = _quickest(beside, TRIVIAL)
    nothing |= dict.fromkeys(playbook.actions, nothing["act"])
    rows = [Cost(kind, us, nothing[kind]) for kind, us in _quickest(stage, playbook).items()]
    return sorted(rows, key=lambda row: row.click_us, reverse=True)


def faults(rows: list[Cost], longest: LongestRun) -> Iterator[str]:
    """What is above the budget."""
    for row in rows:
        if row.click_us > CLICK_US_MAX or row.times > TIMES_TRIVIAL_MAX:
            said = f"{row.kind} costs {row.click_us:.0f} µs, {row.times:.0f} times one that does nothing"
            yield f"{said}; at most {CLICK_US_MAX:.0f} µs and {TIMES_TRIVIAL_MAX:.0f} times"
    if longest.ticks > TICKS_USED_MAX:
        said = f"{longest.kind} uses {longest.ticks:,} of its {TICKS_MAX:,} loops and calls"
        allowed = f"check allows half of that, {TICKS_USED_MAX:,}, so that a bigger sale fits"
        yield f"{said}; {allowed}; a pattern counts by the length of its text; rules {dict(longest.rules)}"


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


def crowd(
    stage: Stage, playbook: Playbook, example: Example, *, spread: bool, size: int = CROWD
) -> Iterator[SentBatch]:
    """`size` people do all that there is to do: each in another's instance (`spread`), or all in the same one.

    Where nobody gets an order at once, they come again when the first instance has been woken.
    """
    stage.publish(playbook, roomy(playbook, example))
    people = [persona(number) for number in range(size)]
    sessions = [session.suffix for session in stage.sale.sessions]
    opened = _sent(stage, "open", _clicks(stage, "open", people if spread else people[:1], [""]))
    yield opened
    places = [reply.suffix for reply in opened.replies if reply.suffix] or sessions or ["nowhere"]
    places = places if spread else places[:1]
    yield from _coming(stage, people, places, spread=spread)
    if not stage.orders:
        yield _woken(stage, min)
        yield from _coming(stage, people, places, spread=spread)
    yield _sent(stage, "paid", _orders(stage, EffectState.HELD))
    yield _sent(stage, "released", _orders(stage, EffectState.PAID)[::2])
    for which in (min, max):
        yield _woken(stage, which)
        for verb in playbook.actions:
            yield _sent(stage, verb, _clicks(stage, verb, people, places))


def _coming(stage: Stage, people: list[Persona], places: list[str], *, spread: bool) -> Iterator[SentBatch]:
    """Everybody uses every action and joins."""
    for verb in (*stage.sale.playbook.actions, "join"):
        for neighbour in (1, 0) if spread else (0,):
            yield _sent(stage, verb, _clicks(stage, verb, people, places, neighbour))


def _woken(stage: Stage, which: Callable[..., int]) -> SentBatch:
    """The deadlines of all, when the first or the last of them is due."""
    wakes = [cells["wakeAt"] for cells in stage.instances().values() if cells["status"] in OPEN and cells["wakeAt"]]
    _advance_to(stage, which(wakes, default=0))
    return _sent(stage, "deadline", [Event("deadline", suffix) for suffix in stage.instances()])


def roomy(playbook: Playbook, example: Example) -> Example:
    """The example with units for everybody, as far as its rules allow that."""
    many = msgspec.structs.replace(example, stock=STOCK)
    unlimited = msgspec.structs.replace(many, rules={**example.rules, "limitPerPerson": 0})
    return next((one for one in (unlimited, many) if can_be_published(playbook, one)), example)


def _clicks(
    stage: Stage, verb: str, people: list[Persona], places: list[str], neighbour: int = 0
) -> list[Click | Event]:
    """Everybody clicks on their own instance, or on that of the `neighbour` next; later, it is another request."""
    request = f"{verb}-{stage.now_ms}-{neighbour}"
    return [
        Click(verb, one.user, request, places[(number + neighbour) % len(places)], 1, one.facts)
        for number, one in enumerate(people)
    ]


def _orders(stage: Stage, state: EffectState) -> list[Click | Event]:
    kind: OrderEvent = "paid" if state == EffectState.HELD else "released"
    return [Event(kind, order.suffix, order.id) for order in stage.orders.values() if order.state == state]


def _sent(stage: Stage, kind: str, asked: list[Click | Event]) -> SentBatch:
    spent_us = stage.script_us()
    replies = stage.batch(asked)
    return SentBatch(kind, (stage.script_us() - spent_us) / max(1, len(asked)), replies)


def _advance_to(stage: Stage, moment_ms: int) -> None:
    if moment_ms > stage.now_ms:
        stage.advance(moment_ms - stage.now_ms)
