"""What simulated people may do next on a stage, and how likely each of it is."""

from collections.abc import Container, Iterator, Sequence
from random import Random
from typing import Literal, NamedTuple

from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, ms
from engine.kit.personas import Persona
from engine.kit.stage.harness import OPEN, Stage
from engine.kit.stage.model import Order
from engine.sdk import Playbook, Status

PERSONAL = frozenset({Outcome.LIMIT_REACHED, Outcome.NOT_ELIGIBLE, Outcome.CONFLICT})  # others might be let in
SOON_MS = 900_000
INSTANCES_MAX = 4  # clicked on at a time, so that they fill up rather than multiply


class Turn(NamedTuple):
    """One thing that may happen. `weight` is how likely it is beside the others."""

    kind: Literal["click", "pay", "leave", "refund", "late", "wait"]
    weight: float
    who: str = ""
    verb: str = ""
    suffix: str = ""
    order_id: str = ""
    quantity: int = 1


class RefusalMemory:
    """What people know, so that they don't click in vain again and again. `steps` are the playbook's."""

    def __init__(self, steps: Container[str]) -> None:
        self.closed: set[str] = set()  # orders whose money was paid back: no payment can be under way
        self._refused: set[tuple[str, str, str]] = set()  # who ("" for everyone), verb, suffix
        self._steps = steps

    def refused(self, outcome: Outcome, who: str, verb: str, suffix: str) -> None:
        """Remember a refusal, until `forget`."""
        self._refused.add((who if outcome in PERSONAL else "", verb, suffix))

    def forget(self) -> None:
        """Time has passed or something came back: everything may be tried again."""
        self._refused.clear()

    def willing(self, people: Sequence[Persona], verb: str, suffix: str) -> list[Persona]:
        """Who would still click there."""
        if verb not in self._steps or ("", verb, suffix) in self._refused:
            return []
        return [persona for persona in people if (persona.name, verb, suffix) not in self._refused]


def possible(stage: Stage, people: Sequence[Persona], memory: RefusalMemory, chance: Random) -> list[Turn]:
    """Every sort of turn that makes sense now, each with somebody to make it."""
    selling = stage.now_ms < stage.sale.ends_ms
    turns = list(_payments(stage, chance))
    turns += _clicks(stage, people, memory, chance) if selling else ()
    due_ms = next_due_ms(stage)
    # Holds that run out are part of the game; further ahead nobody looks while there is something to do.
    if due_ms is not None and (due_ms - stage.now_ms <= SOON_MS or not turns):
        turns.append(Turn("wait", 0.8))
    return turns + list(_extras(stage, people, memory, chance)) if selling else turns


def next_due_ms(stage: Stage) -> int | None:
    """When time itself next changes something: the sale begins or ends, a hold runs out, an instance wakes."""
    moments = [ms(stage.sale.window.starts_at), stage.sale.ends_ms]
    moments += [order.pay_before_ms for order in stage.orders.values() if order.state == EffectState.HELD]
    moments += [cells["wakeAt"] for cells in stage.instances().values() if cells["status"] in OPEN]
    return min((moment for moment in moments if moment > stage.now_ms), default=None)


def takers(stage: Stage, suffix: str) -> list[str]:
    """Who has taken part in an instance: those who have paid first, then others who have clicked there."""
    orders = [order for order in stage.orders.values() if order.suffix == suffix]
    paid = [order.user for order in orders if order.state == EffectState.PAID]
    acted = [action[3] for intents in stage.intents() for action in intents.actions if action[2] == suffix]
    return list(dict.fromkeys([*paid, *(order.user for order in orders), *acted]))


def _clicks(stage: Stage, people: Sequence[Persona], memory: RefusalMemory, chance: Random) -> Iterator[Turn]:
    playbook = stage.sale.playbook
    opened = _near(stage)
    wanted: list[tuple[float, str, str]] = []
    if playbook.view.open is not None:
        wanted.append((4 / (1 + 2 * len(opened)), "open", ""))
    near = [suffix for suffix in opened if any(memory.willing(people, verb, suffix) for verb in _verbs(playbook))]
    for suffix in near[:INSTANCES_MAX]:
        share = 6 / min(len(near), INSTANCES_MAX)
        wanted.append((share, "join", suffix))
        wanted += [(share / len(playbook.actions), verb, suffix) for verb in playbook.actions]
    for weight, verb, suffix in wanted:
        if willing := memory.willing(people, verb, suffix):
            several = verb in playbook.reserves and stage.sale.rules.limit_per_person != 1 and chance.random() < 0.15
            yield Turn("click", weight, chance.choice(willing).name, verb, suffix, quantity=2 if several else 1)


def _near(stage: Stage) -> list[str]:
    """The open instances people think of; of sessions that have not begun only the next."""
    sessions = {session.suffix for session in stage.sale.sessions}
    opened = {suffix: cells for suffix, cells in stage.instances().items() if cells["status"] in OPEN}
    waiting = [suffix for suffix, cells in opened.items() if suffix in sessions and cells["status"] == Status.PENDING]
    return [suffix for suffix in opened if suffix not in waiting[1:]]


def _verbs(playbook: Playbook) -> tuple[str, ...]:
    return "join", *playbook.actions


def _payments(stage: Stage, chance: Random) -> Iterator[Turn]:
    held = _orders(stage, EffectState.HELD)
    for order in held:
        yield Turn("pay", 8 / len(held), order.user, suffix=order.suffix, order_id=order.id)
    if held:
        order = chance.choice(held)
        yield Turn("leave", 0.8, order.user, suffix=order.suffix, order_id=order.id)


def _extras(stage: Stage, people: Sequence[Persona], memory: RefusalMemory, chance: Random) -> Iterator[Turn]:
    """What happens now and then, whatever else there is to do."""
    closed = [suffix for suffix, cells in stage.instances().items() if cells["status"] not in OPEN]
    if closed and (willing := memory.willing(people, "join", suffix := chance.choice(closed))):
        yield Turn("click", 0.3, chance.choice(willing).name, "join", suffix)
    for suffix in closed[-INSTANCES_MAX:] if stage.sale.playbook.view.final else ():
        took_part = [persona for persona in people if persona.name in takers(stage, suffix)]
        for verb in stage.sale.playbook.view.final:
            if willing := memory.willing(took_part, verb, suffix):
                yield Turn("click", 1, chance.choice(willing).name, verb, suffix)
    if paid := _orders(stage, EffectState.PAID):
        order = chance.choice(paid)
        yield Turn("refund", 0.3, order.user, suffix=order.suffix, order_id=order.id)
    over = [one for one in _orders(stage, EffectState.RELEASED) if one.id not in memory.closed]
    if over and stage.sale.playbook.reseats:
        order = chance.choice(over)
        yield Turn("late", 0.8, order.user, suffix=order.suffix, order_id=order.id)


def _orders(stage: Stage, state: EffectState) -> list[Order]:
    return [order for order in stage.orders.values() if order.state == state and not order.owed]
