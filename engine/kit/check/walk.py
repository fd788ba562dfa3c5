"""A small crowd through every example, and through each with one thing changed: a price, a rule at its bounds.

The random schedules choose among those as well, but with thousands to choose from they may miss the one that fails.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from engine.gate.outcome import Outcome
from engine.kit.check.cost import crowd, roomy
from engine.kit.check.invariants import Invariant, rebate_fault
from engine.kit.manifest.variations import Variation, variations
from engine.kit.stage.harness import Stage
from engine.kit.stage.sale import can_be_published
from engine.sdk import Example, Playbook

PEOPLE = 6


class WalkFault(NamedTuple):
    """What is broken; `text` names the playbook, what was changed in which example, and what failed in which line."""

    invariant: Invariant
    text: str


def faults(stage: Stage, playbook: Playbook, step_errors: Callable[[], list[str]]) -> Iterator[WalkFault]:
    """Steps that fail and rebates that nobody has paid for: one a change."""
    for number, example in enumerate(playbook.examples, 1):
        for varied, what in (Variation(example, ""), *variations(playbook, example)):
            other = roomy(playbook, varied)  # a rule at its upper bound may want more units than the example has
            if not can_be_published(playbook, other):
                continue
            changed = f"{what}, else as in example {number}" if what else f"example {number}"
            for spread in (True, False):
                if found := _fault(stage, playbook, other, step_errors, spread=spread):
                    yield found._replace(text=f"{playbook.code} with {changed}: {found.text}")
                    break


def _fault(
    stage: Stage, playbook: Playbook, example: Example, step_errors: Callable[[], list[str]], *, spread: bool
) -> WalkFault | None:
    for sent in crowd(stage, playbook, example, spread=spread, size=PEOPLE):
        if errors := step_errors():
            return WalkFault(Invariant.NO_FAILURE, errors[0])
        if any(reply.outcome == Outcome.PLAYBOOK_FAILED for reply in sent.replies):
            return WalkFault(Invariant.NO_FAILURE, f"{sent.kind} was told PLAYBOOK_FAILED")
        if rebate := rebate_fault(stage):
            return WalkFault(Invariant.REBATES, rebate)
    return None
