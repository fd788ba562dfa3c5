"""The three pieces of evidence as plain records: client journals, a dump of Redis, a dump of Postgres."""

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

LIVE = frozenset({"HELD", "PAID"})
STATUS_NAMES = {1: "PENDING", 2: "ACTIVE", 3: "SUCCESS", 4: "FAILED"}


class Config(msgspec.Struct, frozen=True):
    """A row of play_configs."""

    id: str
    template_code: str
    price_fen: int
    stock: int
    rules: dict[str, Any]
    starts_at: datetime
    ends_at: datetime
    status: str
    shard: int
    warm_pending: bool
    newcomer_verbs: tuple[str, ...] = ()
    archived_at: datetime | None = None

    @property
    def in_redis(self) -> bool:
        """Redis is to know it."""
        return self.status != "DRAFT" and self.archived_at is None


class Stock(msgspec.Struct, frozen=True):
    """A row of stock."""

    config_id: str
    total: int
    reserved: int


class Order(msgspec.Struct, frozen=True):
    """A row of orders; `id` without dashes."""

    id: str
    config_id: str
    instance_id: str
    user_id: str
    request_id: str
    quantity: int
    amount_fen: int
    status: str
    reason: str | None
    gate_state: int
    fingerprint: int
    pay_before: datetime
    created_at: datetime
    updated_at: datetime
    reseated_at: datetime | None = None  # a late payment found another instance

    @property
    def live(self) -> bool:
        """It counts against the stock."""
        return self.status in LIVE

    @property
    def suffix(self) -> str:
        """The instance's name within its config."""
        return self.instance_id.partition(".")[2]


class OrderEvent(msgspec.Struct, frozen=True):
    """A row of order_events: one move of an order's status; `id` grows with each move of one order."""

    order_id: str
    id: int
    from_status: str
    to_status: str
    why: str
    by_whom: str
    at: datetime


class Action(msgspec.Struct, frozen=True):
    """A row of actions; `id` without dashes."""

    id: str
    config_id: str
    instance_id: str
    user_id: str
    request_id: str


class Instance(msgspec.Struct, frozen=True):
    """A row of instances."""

    id: str
    config_id: str
    suffix: str
    status: str
    current: int
    target: int
    rev: int
    cells: dict[str, Any]

    @property
    def rebate_fen(self) -> int:
        """Fen a unit that everybody in it gets back."""
        fen = self.cells.get("rebateFen")
        if self.status != "SUCCESS" or isinstance(fen, bool) or not isinstance(fen, int | float):
            return 0
        return int(fen)

    @property
    def seats(self) -> int:
        """How many orders it may have; 0: any number."""
        return int(self.cells.get("seats", self.target))


class SessionStock(msgspec.Struct, frozen=True):
    """A row of session_stock: of an instance with stock of its own."""

    instance_id: str
    total: int
    reserved: int


class GateEvent(msgspec.Struct, frozen=True):
    """A row of gate_events: what Redis has still to follow."""

    order_id: str
    kind: str


class DeadIntent(msgspec.Struct, frozen=True):
    """A row of dead_intents."""

    shard: int
    entry_id: str
    error: str


class Payment(msgspec.Struct, frozen=True):
    """A row of payments."""

    order_id: str
    amount_fen: int
    status: str
    transaction_id: str | None = None
    ask_at: datetime | None = None  # when the provider is asked about it next; None: never again


class StrayPayment(msgspec.Struct, frozen=True):
    """A row of stray_payments: what no order takes, for a person."""

    transaction_id: str
    order_id: str
    settled_at: datetime | None


class Trade(msgspec.Struct, frozen=True):
    """A row of sandbox_trades, the provider's own ledger; `out_trade_no` is an order's id."""

    out_trade_no: str
    amount_fen: int
    status: str
    transaction_id: str | None


class GivenBack(msgspec.Struct, frozen=True):
    """A row of sandbox_refunds, the provider's own ledger."""

    refund_no: str
    out_trade_no: str
    amount_fen: int


class Refund(msgspec.Struct, frozen=True):
    """A row of refunds: a REBATE, or the WHOLE rest."""

    order_id: str
    amount_fen: int
    status: str
    kind: str
    refund_no: str


class Person(msgspec.Struct, frozen=True):
    """A row of people: what a playbook remembers of somebody."""

    config_id: str
    user_id: str
    cells: dict[str, Any]
    rev: int


class Reward(msgspec.Struct, frozen=True):
    """A row of rewards."""

    source: str
    number: int
    order_id: str | None
    amount: int
    status: str
    reason: str | None
    unfreezes_at: datetime
    updated_at: datetime


class Effect(NamedTuple):
    """One click in a person's record in Redis."""

    key: str
    fingerprint: int
    state: int
    quantity: int
    suffix: str
    pay_before_ms: int


class Warmed(msgspec.Struct, frozen=True):
    """A config as Redis knows it."""

    shard: int
    config: str
    left: int
    head: dict[str, Any]
    instances: dict[str, dict[str, Any]]
    people: dict[str, list[list[Any]]]
    remembered: dict[str, dict[str, Any]] = {}

    def effects(self) -> list[tuple[str, Effect]]:
        """(user, effect) for each click that Redis remembers."""
        return [(user, Effect(*row[:6])) for user, rows in self.people.items() for row in rows]


class ShardDump(msgspec.Struct, frozen=True):
    """A shard's stream; `orders` are the intents of orders in entries that nobody has drained yet."""

    shard: int
    epoch: int | None
    undrained: list[str]
    orders: list[list[Any]]


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """One line of a client's journal. Without `receivedAt` it is the intent, written before sending."""

    user: str
    config_id: str
    verb: str
    sent_at: int
    request_id: str = ""
    instance_id: str | None = None
    quantity: int = 1
    status: int | None = None
    outcome: str | None = None
    order_id: str | None = None
    won_instance_id: str | None = None
    pay_before: str | None = None
    replayed: bool | None = None
    received_at: int | None = None

    @property
    def body(self) -> tuple[str, str, int]:
        """What the click asked for; the same requestId must always ask for the same."""
        return self.verb, self.instance_id or "", self.quantity


class Evidence:
    """Everything the checks look at, indexed once."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.configs: dict[str, Config] = {}
        self.stock: dict[str, Stock] = {}
        self.orders: list[Order] = []
        self.order_events: list[OrderEvent] = []
        self.actions: list[Action] = []
        self.instances: dict[str, Instance] = {}
        self.sessions: dict[str, SessionStock] = {}
        self.gate_events: list[GateEvent] = []
        self.dead_intents: list[DeadIntent] = []
        self.payments: dict[str, Payment] = {}
        self.refunds: list[Refund] = []
        self.strays: list[StrayPayment] = []
        self.trades: dict[str, Trade] = {}
        self.given_back: dict[str, GivenBack] = {}
        self.people: list[Person] = []
        self.rewards: list[Reward] = []
        self.warmed: dict[str, Warmed] = {}
        self.shards: list[ShardDump] = []
        self.dumped_at_ms = 0

    def index(self) -> "Evidence":
        """Group what belongs together; call once after loading."""
        self.orders_of_config: dict[str, list[Order]] = defaultdict(list)
        self.orders_of_instance: dict[str, list[Order]] = defaultdict(list)
        for order in self.orders:
            self.orders_of_config[order.config_id].append(order)
            self.orders_of_instance[order.instance_id].append(order)
        self.order_by_id = {order.id: order for order in self.orders}
        self.events_of_order: dict[str, list[OrderEvent]] = defaultdict(list)
        for event in sorted(self.order_events, key=lambda event: event.id):
            self.events_of_order[event.order_id].append(event)
        self.refunds_of_order: dict[str, list[Refund]] = defaultdict(list)
        for refund in self.refunds:
            self.refunds_of_order[refund.order_id].append(refund)
        self.remembered = {(person.config_id, person.user_id): person for person in self.people}
        self.pending_events = {(waiting.order_id, waiting.kind) for waiting in self.gate_events}
        return self


def millis(moment: datetime) -> int:
    """Milliseconds since 1970, rounded as the clock of Redis counts them."""
    return round(moment.timestamp() * 1000)


def load(journals: Path, redis_dump: Path, postgres_dump: Path) -> Evidence:
    """Read all three. A last journal line cut off by a kill is ignored; any other broken line is an error."""
    evidence = Evidence()
    for path in sorted(journals.glob("*.jsonl")):
        evidence.lines += _read_journal(path)
    for line in redis_dump.read_bytes().splitlines():
        _take_redis(evidence, msgspec.json.decode(line))
    for line in postgres_dump.read_bytes().splitlines():
        _take_postgres(evidence, msgspec.json.decode(line))
    return evidence.index()


def _read_journal(path: Path) -> list[Line]:
    decoder = msgspec.json.Decoder(Line)
    raw = path.read_bytes()
    whole, _, _cut_off = raw.rpartition(b"\n")
    return [decoder.decode(line) for line in whole.splitlines() if line]


def _take_redis(evidence: Evidence, record: dict[str, Any]) -> None:
    kind: Literal["config", "shard", "dump"] = record.pop("record")
    if kind == "config":
        warmed = msgspec.convert(record, Warmed)
        evidence.warmed[warmed.config] = warmed
    elif kind == "shard":
        evidence.shards.append(msgspec.convert(record, ShardDump))


def _take_postgres(evidence: Evidence, record: dict[str, Any]) -> None:
    table, row = record["table"], record["row"]
    for key in ("id", "order_id"):
        if table in _UUID_TABLES and isinstance(row.get(key), str):
            row[key] = row[key].replace("-", "")
    if table == "dump":
        evidence.dumped_at_ms = row["at_ms"]
    elif table in _BY_KEY:
        kind, key, name = _BY_KEY[table]
        getattr(evidence, name)[row[key]] = msgspec.convert(row, kind)
    elif table in _LISTS:
        getattr(evidence, table).append(msgspec.convert(row, _LISTS[table]))
    elif table == "stray_payments":
        evidence.strays.append(msgspec.convert(row, StrayPayment))


# table -> its record, the column it is looked up by, where it is kept
_BY_KEY: dict[str, tuple[type[msgspec.Struct], str, str]] = {
    "play_configs": (Config, "id", "configs"),
    "stock": (Stock, "config_id", "stock"),
    "instances": (Instance, "id", "instances"),
    "session_stock": (SessionStock, "instance_id", "sessions"),
    "payments": (Payment, "order_id", "payments"),
    "sandbox_trades": (Trade, "out_trade_no", "trades"),
    "sandbox_refunds": (GivenBack, "refund_no", "given_back"),
}
_LISTS: dict[str, type[msgspec.Struct]] = {
    "orders": Order,
    "order_events": OrderEvent,
    "actions": Action,
    "gate_events": GateEvent,
    "dead_intents": DeadIntent,
    "refunds": Refund,
    "people": Person,
    "rewards": Reward,
}
_UUID_TABLES = frozenset({"orders", "order_events", "actions", "gate_events", "payments", "refunds", "rewards"})
