"""What the gate's stream says: entries decoded, and a run of them merged into one. Pure.

One entry is one script call; its fields are `e`, the epoch it was written in, and `p`, msgpack of
[now_ms, orders, actions, events, instances, people, rewards, notices]. What stands at an end may be missing:
an earlier version wrote less, and its last entries are still read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.gate.outcome import STEP_REFUSALS, Outcome

Cells = dict[str, int | float | str | bool | None]


class OrderIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Stock was reserved. `status`, `current` and `target` are what the click was answered with."""

    id: str
    config_id: str
    suffix: str
    user: str
    request_id: str
    quantity: int
    amount_fen: int
    pay_before_ms: int
    fingerprint: int
    status: int
    current: int
    target: int


class ActionIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An instance was changed by a click that reserves nothing."""

    id: str
    config_id: str
    suffix: str
    user: str
    request_id: str
    verb: str
    fingerprint: int
    status: int
    current: int
    target: int


class EventIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Redis followed a decision of Postgres, or refused to. `state` -1: it does not know the order.

    `suffix` is where the order is now: a late payment may have taken it to another instance.
    """

    order_id: str
    config_id: str
    kind: str
    state: int
    outcome: int
    suffix: str = ""


class InstanceIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An instance after the call. Lua writes an empty map as an empty list."""

    config_id: str
    suffix: str
    rev: int
    status: int
    current: int
    target: int
    wake_at_ms: int
    cells: Cells | list[None]

    @property
    def id(self) -> str:
        """The instance's id."""
        return f"{self.config_id}.{self.suffix}"


class PersonIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A person's own cells on a config, after the call."""

    config_id: str
    user: str
    rev: int
    cells: Cells | list[None]


class RewardIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A step has promised somebody something; `source` and `number` are the promise. `order_id` may be empty."""

    source: str
    number: int
    config_id: str
    suffix: str
    order_id: str
    user: str
    kind: str
    amount: int
    unfreezes_ms: int


class NoticeIntent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A step has asked for a message to somebody."""

    source: str
    number: int
    config_id: str
    suffix: str
    user: str
    topic: str
    due_ms: int


class Payload(msgspec.Struct, array_like=True, frozen=True):
    """Field `p` of an entry."""

    now_ms: int
    orders: list[OrderIntent]
    actions: list[ActionIntent]
    events: list[EventIntent]
    instances: list[InstanceIntent]
    people: list[PersonIntent] = []
    rewards: list[RewardIntent] = []
    notices: list[NoticeIntent] = []


class Entry(msgspec.Struct, frozen=True):
    """One entry of a shard's stream."""

    id: str
    epoch: int
    payload: Payload


_decode = msgspec.msgpack.Decoder(Payload).decode


def decode(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """An entry as redis-py hands it over. Raises ValueError or KeyError when it is not one."""
    return Entry(entry_id.decode(), int(fields[b"e"]), _decode(fields[b"p"]))


class Seat(NamedTuple):
    """Where Redis has put an order whose payment came late."""

    suffix: str
    now_ms: int  # Redis' time: of two seats of an order the later one counts
    taken: bool  # by this very answer; else it had been before


class Followed(msgspec.Struct):
    """What the events of one order in a run come to."""

    config_id: str
    gate_state: int | None = None  # None: as it was
    now_ms: int = 0  # Redis' time of the last answer
    done: set[str] = msgspec.field(default_factory=set)  # kinds that need not be sent again
    refused: bool = False  # the playbook does not want the payment
    paid: bool = False  # a payment was counted
    seat: Seat | None = None
    turned_away: bool = False  # nobody takes the late payer in


class EntryRun(msgspec.Struct):
    """A run of entries as one transaction applies it; `*_ms` runs beside the list it is named after."""

    orders: list[OrderIntent] = msgspec.field(default_factory=list)
    orders_ms: list[int] = msgspec.field(default_factory=list)
    fenced: list[OrderIntent] = msgspec.field(default_factory=list)
    fenced_ms: list[int] = msgspec.field(default_factory=list)
    actions: list[ActionIntent] = msgspec.field(default_factory=list)
    actions_ms: list[int] = msgspec.field(default_factory=list)
    instances: dict[str, InstanceIntent] = msgspec.field(default_factory=dict)
    instances_ms: dict[str, int] = msgspec.field(default_factory=dict)
    events: dict[str, Followed] = msgspec.field(default_factory=dict)
    people: dict[tuple[str, str], PersonIntent] = msgspec.field(default_factory=dict)
    rewards: list[RewardIntent] = msgspec.field(default_factory=list)
    notices: list[NoticeIntent] = msgspec.field(default_factory=list)

    def config_ids(self) -> list[str]:
        """Every config whose rows the run touches, in the order in which they are locked."""
        ids = {order.config_id for order in self.orders}
        ids.update(action.config_id for action in self.actions)
        ids.update(instance.config_id for instance in self.instances.values())
        ids.update(followed.config_id for followed in self.events.values())
        ids.update(config_id for config_id, _user in self.people)
        ids.update(reward.config_id for reward in self.rewards)
        ids.update(notice.config_id for notice in self.notices)
        return sorted(ids)


def merge(entries: Iterable[Entry], epoch: int) -> EntryRun:
    """Entries in stream order, as one run. Of an entry older than `epoch` only the orders are looked
    at: whoever wrote it had been fenced off, so its effects are not in Redis any more.
    """
    run = EntryRun()
    for entry in entries:
        payload = entry.payload
        moments = [payload.now_ms] * len(payload.orders)
        if entry.epoch < epoch:
            run.fenced += payload.orders
            run.fenced_ms += moments
            continue
        run.orders += payload.orders
        run.orders_ms += moments
        run.actions += payload.actions
        run.actions_ms += [payload.now_ms] * len(payload.actions)
        for event in payload.events:
            follow(run.events.setdefault(event.order_id, Followed(event.config_id)), event, payload.now_ms)
        _keep_newest(run, payload)
        run.rewards += payload.rewards
        run.notices += payload.notices
    return run


def _keep_newest(run: EntryRun, payload: Payload) -> None:
    for instance in payload.instances:
        known = run.instances.get(instance.id)
        if known is None or instance.rev > known.rev:
            run.instances[instance.id] = instance
            run.instances_ms.setdefault(instance.id, payload.now_ms)
    for person in payload.people:
        key = person.config_id, person.user
        before = run.people.get(key)
        if before is None or person.rev > before.rev:
            run.people[key] = person


def follow(followed: Followed, event: EventIntent, now_ms: int) -> None:
    """Fold one event, answered at `now_ms`, into what is known of its order.

    Held becomes paid becomes released, never back; only a late payment takes a released order to a new seat.
    An event that neither took effect nor was refused by the playbook (its step failed, or Redis does
    not know a paid order) stays undone, so it is sent again.
    """
    if event.kind == "late":
        _follow_late(followed, event, now_ms)
        return
    followed.now_ms = max(followed.now_ms, now_ms)
    if event.state == 0:
        followed.gate_state = 0
    elif event.state == 2 and followed.gate_state is None:
        followed.gate_state = 2
    if event.kind == "released":
        if event.state in (0, -1):
            followed.done.add("released")
    elif event.outcome in STEP_REFUSALS and event.state != 2:
        followed.refused = True
        followed.done.add("paid")
    elif event.state in (0, 2):
        followed.paid = followed.paid or event.state == 2
        followed.done.add("paid")


def _follow_late(followed: Followed, event: EventIntent, now_ms: int) -> None:
    """Redis gives a reason when nobody takes the payer in; it has none for an order that it does not know."""
    if event.state == 2:
        seat = Seat(event.suffix, now_ms, event.outcome == Outcome.DONE)
        if followed.seat is None or (seat.taken, seat.now_ms) > (followed.seat.taken, followed.seat.now_ms):
            followed.seat = seat
        followed.done.add("late")
    elif event.state in (0, -1):
        followed.turned_away = True
        followed.done.add("late")


def plain_cells(snapshot: InstanceIntent | PersonIntent) -> dict[str, Any]:
    """The cells of a snapshot, without those that are counted or kept beside them."""
    cells = snapshot.cells
    if isinstance(cells, list):
        return {}
    kept_beside = "left" if isinstance(snapshot, InstanceIntent) else "rev"
    return {name: value for name, value in cells.items() if name != kept_beside} if kept_beside in cells else cells


def columns(rows: Sequence[msgspec.Struct]) -> list[list[Any]]:
    """Every field of the rows as a list of its own, as `unnest` wants them."""
    return [[getattr(row, field) for row in rows] for field in rows[0].__struct_fields__]
