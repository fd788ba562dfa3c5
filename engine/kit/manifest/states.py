"""What is wrong with a table of states."""

from collections.abc import Iterator

from engine.sdk import States, Status


def move_faults(states: States) -> Iterator[str]:
    """States that cannot be reached from PENDING, and those from which no end can be."""
    named = {Status.PENDING, *states.moves, *states.orders}
    named |= {status for following in states.moves.values() for status in following}
    reached = _from(states, Status.PENDING)
    for status in sorted(named - reached):
        yield f"{status.name} cannot be reached from PENDING"
    ends = {status for status in named if not states.moves.get(status)}
    if not ends:
        yield "no state is an end: something follows each"
        return
    for status in sorted(named & reached):
        if not ends & _from(states, status):
            yield f"{status.name} is a dead end: no state that nothing follows can be reached from it"


def refund_faults(states: States) -> Iterator[str]:
    """States that pay everybody back and go on."""
    for status in states.refunds():
        if following := states.moves.get(status):
            names = ", ".join(one.name for one in following)
            yield f"{status.name} pays everybody back, but {names} may follow it"


def _from(states: States, start: Status) -> set[Status]:
    reached, edge = {start}, [start]
    while edge:
        fresh = set(states.moves.get(edge.pop(), ())) - reached
        reached |= fresh
        edge += fresh
    return reached
