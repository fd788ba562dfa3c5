"""A playbook's states as a drawing: for the terminal, and as Mermaid for pages that render it."""

from rich.cells import cell_len

from engine.kit.manifest.states import starts
from engine.sdk import Playbook, Status

WORDS = {Status.PENDING: "等待", Status.ACTIVE: "进行中", Status.SUCCESS: "成功", Status.FAILED: "失败"}
ORDERS = {"keep": "订单保留", "refund": "订单全额退款，库存归还"}


def shown(playbook: Playbook) -> tuple[Status, ...]:
    """The statuses its instances can have, in their natural order."""
    reached, edge = set(starts(playbook)), list(starts(playbook))
    while edge:
        fresh = set(playbook.states.moves.get(edge.pop(), ())) - reached
        reached |= fresh
        edge += fresh
    return tuple(sorted(reached))


def ending(playbook: Playbook, status: Status) -> str:
    """What becomes of the paid orders of an instance in `status`; "" while that is open."""
    policy = playbook.states.orders.get(status)
    if policy is None and status in (Status.PENDING, Status.ACTIVE):
        return ""
    return ORDERS[policy or "keep"]


def mermaid(playbook: Playbook) -> str:
    """The states as the source of a Mermaid stateDiagram-v2."""
    lines = ["stateDiagram-v2"]
    statuses = shown(playbook)
    lines += [f'    state "{WORDS[status]} {status.name}" as {status.name}' for status in statuses]
    lines += [f"    [*] --> {status.name}" for status in starts(playbook)]
    for status in statuses:
        lines += [f"    {status.name} --> {after.name}" for after in playbook.states.moves.get(status, ())]
    lines += [f"    {status.name} --> [*]" for status in playbook.states.final() if status in statuses]
    lines += [f"    note right of {status.name} : {text}" for status in statuses if (text := ending(playbook, status))]
    return "\n".join(lines) + "\n"


def drawing(playbook: Playbook) -> str:
    """The states for a terminal: each with those that may follow it."""
    statuses = shown(playbook)
    width = max(cell_len(_label(status)) for status in statuses)
    lines = []
    for status in statuses:
        begun = "●" if status in starts(playbook) else " "
        head = f"{begun} {_label(status)}{' ' * (width - cell_len(_label(status)))} "
        following = playbook.states.moves.get(status, ())
        text = ending(playbook, status)
        rest = [f"{_arrow(place, len(following))} {after.name}" for place, after in enumerate(following)] or ["■"]
        rest[0] += f"  {text}" if text else ""
        lines += [head + rest[0], *(" " * cell_len(head) + line for line in rest[1:])]
    return "\n".join([*lines, "", "● begins here   ■ nothing follows"]) + "\n"


def _label(status: Status) -> str:
    return f"{status.name} {WORDS[status]}"


def _arrow(place: int, count: int) -> str:
    if count == 1:
        return "───▶"
    return "─┬─▶" if place == 0 else (" └─▶" if place == count - 1 else " ├─▶")
