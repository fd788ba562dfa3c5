"""What the gate's stream says: entries decoded, and a run of entries merged into one batch. Pure.

One entry is one script call; its fields are `e`, the epoch it was written in, and `p`, msgpack of
[now_ms, orders, actions, events, instances].
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.gate.outcome import STEP_REFUSALS

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
    """Redis followed a decision of Postgres, or refused to. `state` -1: it does not know the order."""

    order_id: str
    config_id: str
    kind: str
    state: int
    outcome: int


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


class Payload(msgspec.Struct, array_like=True, frozen=True):
    """Field `p` of an entry."""

    now_ms: int
    orders: list[OrderIntent]
    actions: list[ActionIntent]
    events: list[EventIntent]
    instances: list[InstanceIntent]


class Entry(msgspec.Struct, frozen=True):
    """One entry of a shard's stream."""

    id: str
    epoch: int
    payload: Payload


_decode = msgspec.msgpack.Decoder(Payload).decode


def decode(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """An entry as redis-py hands it over. Raises ValueError or KeyError when it is not one."""
    return Entry(entry_id.decode(), int(fields[b"e"]), _decode(fields[b"p"]))


class Followed(msgspec.Struct):
    """What the events of one order in a batch come to."""

    config_id: str
    gate_state: int | None = None  # None: as it was
    done: set[str] = msgspec.field(default_factory=set)  # kinds that need not be sent again
    refused: bool = False  # the playbook does not want the payment
    paid: bool = False  # a payment was counted


class Batch(msgspec.Struct):
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

    def config_ids(self) -> list[str]:
        """Every config whose rows the batch touches, in the order in which they are locked."""
        ids = {order.config_id for order in self.orders}
        ids.update(action.config_id for action in self.actions)
        ids.update(instance.config_id for instance in self.instances.values())
        ids.update(followed.config_id for followed in self.events.values())
        return sorted(ids)


def merge(entries: Iterable[Entry], epoch: int) -> Batch:
    """Entries in stream order, as one batch. Of an entry older than `epoch` only the orders are looked
    at: whoever wrote it had been fenced off, so its effects are not in Redis any more.
    """
    batch = Batch()
    for entry in entries:
        payload = entry.payload
        moments = [payload.now_ms] * len(payload.orders)
        if entry.epoch < epoch:
            batch.fenced += payload.orders
            batch.fenced_ms += moments
            continue
        batch.orders += payload.orders
        batch.orders_ms += moments
        batch.actions += payload.actions
        batch.actions_ms += [payload.now_ms] * len(payload.actions)
        for event in payload.events:
            follow(batch.events.setdefault(event.order_id, Followed(event.config_id)), event)
        for instance in payload.instances:
            known = batch.instances.get(instance.id)
            if known is None or instance.rev > known.rev:
                batch.instances[instance.id] = instance
                batch.instances_ms.setdefault(instance.id, payload.now_ms)
    return batch


def follow(followed: Followed, event: EventIntent) -> None:
    """Fold one event into what is known of its order. Held becomes paid becomes released, never back.

    An event that neither took effect nor was refused by the playbook (its step failed, or Redis does
    not know a paid order) stays undone, so it is sent again.
    """
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


def plain_cells(instance: InstanceIntent) -> dict[str, Any]:
    """The playbook's own cells of a snapshot."""
    return {} if isinstance(instance.cells, list) else instance.cells
