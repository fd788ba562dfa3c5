"""Where instances begin, and what is wrong with a table of states."""

from collections.abc import Collection, Iterator

import msgspec

from engine.core.errors import PlaybookFailed, RulesInvalid
from engine.kit.stage.sale import START_MS, Sale
from engine.sdk import Example, Playbook, States, Status


def starts(playbook: Playbook) -> tuple[Status, ...]:
    """The statuses instances begin in: PENDING where consumers open them, and those of its examples' sessions."""
    found = {Status.PENDING} if playbook.view.open else set()
    for example in playbook.examples or (Example(),):
        try:
            found |= {session.status for session in Sale.of(playbook, example, START_MS).sessions}
        except (msgspec.ValidationError, RulesInvalid, PlaybookFailed):
            continue  # without an example there may be no rules to begin with; of one that is wrong others tell
    return tuple(sorted(found)) or (Status.PENDING,)


def move_faults(states: States, begin: Collection[Status] = (Status.PENDING,)) -> Iterator[str]:
    """States that cannot be reached from those that instances `begin` in, and those from which no end can be."""
    named = {*begin, *states.moves, *states.orders}
    named |= {status for following in states.moves.values() for status in following}
    reached = _from(states, begin)
    for status in sorted(named - reached):
        where = " or ".join(one.name for one in begin)
        yield f"{status.name} cannot be reached from {where}, where its instances begin"
    ends = {status for status in named if not states.moves.get(status)}
    if not ends:
        yield "no state is an end: something follows each"
        return
    for status in sorted(named & reached):
        if not ends & _from(states, [status]):
            yield f"{status.name} is a dead end: no state that nothing follows can be reached from it"


def refund_faults(states: States) -> Iterator[str]:
    """States that pay everybody back and go on."""
    for status in states.refunds():
        if following := states.moves.get(status):
            names = ", ".join(one.name for one in following)
            yield f"{status.name} pays everybody back, but {names} may follow it"


def _from(states: States, begin: Collection[Status]) -> set[Status]:
    reached, edge = {*begin}, [*begin]
    while edge:
        fresh = set(states.moves.get(edge.pop(), ())) - reached
        reached |= fresh
        edge += fresh
    return reached
