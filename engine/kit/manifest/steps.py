"""What is wrong between the steps of step.lua and what the manifest says of them."""

from collections.abc import Iterable, Iterator

from engine.kit.stage.sale import START_MS, Sale, can_be_published
from engine.sdk import Example, Playbook

EVENTS = ("paid", "released", "late", "deadline")


def step_faults(playbook: Playbook, steps: Iterable[str]) -> Iterator[str]:
    """Steps that nobody calls, verbs that have no step, and an instance nobody can get."""
    names = frozenset(steps)
    for name in sorted(names - {"open", "join", *playbook.actions, *EVENTS}):
        yield f"step.{name} is never called: it is no event and not among the actions"
    for verb in playbook.actions:
        if verb not in names:
            yield f"the action {verb} has no step.{verb}"
    if ("open" in names) != (playbook.view.open is not None):
        yield "consumers open instances with both: step.open and words in view.open"
    if "open" not in names and not any(_has_sessions(playbook, example) for example in playbook.examples):
        yield "there is never an instance: neither step.open nor sessions makes one"
    if ("late" in names) != playbook.reseats:
        yield "late payments are seated with both: step.late and reseats=True"
    if not names & {"open", "join", *playbook.actions}:
        yield "there is nothing a consumer can do: neither step.open, step.join nor an action"


def _has_sessions(playbook: Playbook, example: Example) -> bool:
    return can_be_published(playbook, example) and bool(Sale.of(playbook, example, START_MS).sessions)
