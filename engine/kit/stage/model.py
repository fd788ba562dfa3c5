"""What happens in a sale, and what comes of it: clicks, events, orders, people, intents."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from engine.gate.records import Effect, EffectState

OrderEvent = Literal["paid", "released", "late"]


class Click(NamedTuple):
    """One consumer's click. Without a `suffix` it opens an instance; `facts` are sent if the config asks for them."""

    verb: str
    user: str
    request_id: str
    suffix: str = ""
    quantity: int = 1
    facts: Mapping[str, Any] | None = None


class Event(NamedTuple):
    """What Postgres or the time decided; `order_id` is empty for a deadline."""

    kind: OrderEvent | Literal["deadline"]
    suffix: str
    order_id: str = ""


class Order(msgspec.Struct):
    """An order as Postgres would have it.

    `paid`: a payment of it has been booked, whatever became of it. `owed`: that goes back, its units have yet to.
    """

    id: str
    user: str
    request_id: str
    suffix: str
    quantity: int
    amount_fen: int
    pay_before_ms: int
    state: EffectState = EffectState.HELD
    paid: bool = False
    owed: bool = False


class Person(NamedTuple):
    """A person's record on the config: their own cells, and the effects of their clicks, oldest first."""

    mine: dict[str, Any]
    effects: list[Effect]


class Intents(msgspec.Struct, array_like=True):
    """One entry of the stream: what a batch did, as scripts/lua/gate.lua writes it."""

    now_ms: int
    orders: list[list[Any]]
    actions: list[list[Any]]
    events: list[list[Any]]
    instances: list[list[Any]]
    people: list[list[Any]] = []
    rewards: list[list[Any]] = []
    notices: list[list[Any]] = []
