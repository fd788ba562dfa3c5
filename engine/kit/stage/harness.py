"""A stage for one playbook: the gate's real script on a throw-away Valkey, and a clock that one can move.

What Postgres and the workers would do is done by hand here: `pay`, `release`, `late` and `deadline` send the
events they would send, `due` says which they would send now, and `catch_up` sends them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import msgspec

from engine.core import ids
from engine.core.errors import ServerUnreachable
from engine.core.settings import load_settings
from engine.gate import keys, wire
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus, read_person
from engine.gate.wire import Reply, reply_of
from engine.kit.stage.connection import PipelinedConnection
from engine.kit.stage.model import Click, Event, Intents, Order, OrderEvent, Person
from engine.kit.stage.sale import START_MS, Sale, config_head, session_cells
from engine.kit.stage.valkey import open_valkey
from engine.playbooks import script
from engine.sdk import Example, Playbook, Status

SHARD = 0
EPOCH = 1
CLOCK_KEY = f"{{s{SHARD}}}:clock"
CLOCK = f"return tonumber(redis.call('GET', '{CLOCK_KEY}'))"
MARK = "wanfa:stage"  # in every database that is a stage: nothing else is ever emptied

HOLD_TTL_MS = 300_000
CANDIDATES_MAX = 5  # open instances a late payment is offered, besides its own and a fresh one
ROUNDS_MAX = 1000  # of catching up; each sends what the round before has made due

OPEN = (Status.PENDING, Status.ACTIVE)

_decode = msgspec.msgpack.Decoder().decode


class Stage:
    """One sale at a time: `publish` clears the stage and begins another.

    `url` is a Valkey's, `database` one of its numbers; a database that holds anything but a stage is refused.
    """

    def __init__(self, url: str, playbooks: Iterable[Playbook], *, database: int = 0) -> None:
        self._connection = PipelinedConnection(url, database)
        marked, size = self._connection.ask(("EXISTS", MARK), ("DBSIZE",))
        if size and not marked:
            raise ServerUnreachable(f"database {database} of that Valkey is in use; give a stage an empty one")
        self._sha = self._connection.ask(("SCRIPT", "LOAD", self.script(playbooks)))[0]
        self.sale: Sale
        self.now_ms = START_MS
        self.orders: dict[str, Order] = {}
        self.hold_ttl_ms = HOLD_TTL_MS
        self.reopen_ms = 0  # units that come back are on sale at once: nobody answers from memory here
        self.person_effects_max = load_settings("default", environ={}).gate.person_effects_max
        self.rewards: list[list[Any]] = []
        self.notices: list[list[Any]] = []
        self._cells: dict[bytes, bytes] = {}  # the hash as it was when it was last read
        self._read_to = "-"
        self._requests = 0
        self._posted: list[wire.Click] = []
        self._replies_only = False
        self._order_of: dict[str, int] = {}  # suffix -> how many instances were there before it
        self._woken: set[tuple[str, int, int]] = set()

    def script(self, playbooks: Iterable[Playbook]) -> str:
        """What is run: the gate's script with the stage's clock."""
        return script.compose_gate(playbooks, clock=CLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the database empty."""
        self._connection.ask(("FLUSHDB",))
        self._connection.close()

    # Beginning ----------------------------------------------------------------------------------

    def publish(
        self,
        playbook: Playbook,
        example: Example | None = None,
        *,
        starts_in_ms: int = 0,
        status: HeadStatus = HeadStatus.PUBLISHED,
    ) -> Sale:
        """Clear the stage and put an example (the playbook's first) on sale, its sessions as well.

        Raises msgspec.ValidationError for rules that cannot be decoded.
        """
        self.now_ms = START_MS
        sale = Sale.of(playbook, example or next(iter(playbook.examples), Example()), self.now_ms + starts_in_ms)
        self._status = status
        fields: dict[str, Any] = {"head": config_head(sale, status), "left": sale.stock}
        fields |= {session.suffix: session_cells(session) for session in sale.sessions}
        self._connection.ask(
            ("FLUSHDB",),
            ("MSET", MARK, 1, keys.epoch(SHARD), EPOCH, CLOCK_KEY, self.now_ms),
            ("HSET", keys.cells(SHARD, sale.config_id), *(word for field in fields.items() for word in field)),
        )
        self.sale = sale
        self.orders = {}
        self.rewards, self.notices = [], []
        self._read_to = "-"
        self._requests = 0
        self._order_of = {session.suffix: number for number, session in enumerate(sale.sessions)}
        self._woken = set()
        self.refresh()
        return sale

    def set_status(self, status: HeadStatus) -> None:
        """Pause, resume or end the config."""
        self._status = status
        self._connection.ask(("HSET", keys.cells(SHARD, self.sale.config_id), "head", config_head(self.sale, status)))

    # Acting -------------------------------------------------------------------------------------

    def click(
        self,
        verb: str,
        user: str,
        *,
        suffix: str = "",
        request_id: str | None = None,
        quantity: int = 1,
        facts: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Decide one click, by itself; without a `request_id` it is a new one."""
        self._requests += 1
        request_id = request_id or f"r{self._requests}"
        return self.batch([Click(verb, user, request_id, suffix, quantity, facts)])[0]

    def pay(self, order_id: str) -> Reply:
        """The order's payment has been booked."""
        return self.batch([self.event("paid", order_id)])[0]

    def release(self, order_id: str) -> Reply:
        """The order's hold ran out or was cancelled; or, once paid, it is being paid back."""
        return self.batch([self.event("released", order_id)])[0]

    def late(self, order_id: str) -> Reply:
        """A payment landed on an order that had been released."""
        return self.batch([self.event("late", order_id)])[0]

    def deadline(self, suffix: str) -> Reply:
        """Time has come for an instance."""
        return self.batch([Event("deadline", suffix)])[0]

    def event(self, kind: OrderEvent, order_id: str) -> Event:
        """An order's event, for a batch."""
        return Event(kind, self.orders[order_id].suffix, order_id)

    def advance(self, ms: int) -> None:
        """Let time pass. Nothing happens by itself: `catch_up` does what it has made due."""
        self.now_ms += ms
        self._connection.ask(("SET", CLOCK_KEY, self.now_ms))

    def batch(self, asked: Sequence[Click | Event], *, seed: int = 1) -> list[Reply]:
        """Decide clicks and events in one script call; their replies in order."""
        packed = [self.pack(one) for one in asked]
        return self.send(packed, seed=seed)

    def pack(self, one: Click | Event) -> wire.Click:
        """A click or event as it travels; packed now, it can be sent to another stage with the same history."""
        if isinstance(one, Event):
            return self._pack_event(one)
        order_id = ids.click_id(self.sale.config_id, one.user, one.request_id)
        target = one.suffix or self.sale.config_id
        suffix = one.suffix or ids.opened_suffix(order_id)
        fingerprint = ids.fingerprint(one.verb, target, one.quantity)
        facts = {"newcomer": True, "device": "", "address": ""} | dict(one.facts or {})
        asked = {fact: facts[fact] for fact in self.sale.asks} or None
        return wire.Click(1, one.verb, suffix, one.user, order_id, fingerprint, one.quantity, one.request_id, asked)

    def _pack_event(self, event: Event) -> wire.Click:
        if event.kind == "deadline":
            return wire.event(1, event.kind, event.suffix)
        order = self.orders[event.order_id]
        places = self._candidates(order) if event.kind == "late" else None
        return wire.event(1, event.kind, order.suffix, order.user, order.id, order.quantity, places)

    def _candidates(self, order: Order) -> list[str]:
        """Where a late payment may go: its own instance, open ones from the oldest on, a fresh one."""
        opened = [suffix for suffix, cells in self.instances().items() if cells["status"] in OPEN]
        others = [suffix for suffix in opened if suffix != order.suffix][:CANDIDATES_MAX]
        return [order.suffix, *others, order.id[16:]]

    def send(self, packed: Sequence[wire.Click], *, seed: int = 1) -> list[Reply]:
        """Send packed clicks and events as one batch. Raises redis.exceptions.RedisError."""
        self.post([packed], seed=seed)
        return self.collect()

    def post(self, batches: Sequence[Sequence[wire.Click]], *, seed: int = 1, replies_only: bool = False) -> None:
        """Send batches, one script call each; what they came to is there after `collect`.

        `replies_only`: only the replies, which is quicker; `refresh` shows everything again.
        """
        names = [keys.epoch(SHARD), keys.intents(SHARD), keys.changed(SHARD)]
        names += [keys.cells(SHARD, self.sale.config_id), keys.people(SHARD, self.sale.config_id)]
        call = ("EVALSHA", self._sha, len(names), *names, EPOCH)
        settings = self.hold_ttl_ms, self.reopen_ms, self.person_effects_max, seed
        self._connection.send(*((*call, wire.pack(wire.Batch(*settings, clicks))) for clicks in batches))
        self._replies_only = replies_only
        if not replies_only:
            self._connection.send(*self._questions())
        self._posted = [click for packed in batches for click in packed]

    def collect(self) -> list[Reply]:
        """The replies to what was posted, in order."""
        answers = self._connection.receive()
        if not self._replies_only:
            *answers, entries, cells = answers
            self._take_in(entries, cells)
        replies = [reply_of(raw) for answer in answers for raw in wire.unpack(answer).replies]
        self._owe(self._posted, replies)
        return replies

    def _questions(self) -> tuple[tuple[Any, ...], ...]:
        """What is asked after everything that was done."""
        cells = keys.cells(SHARD, self.sale.config_id)
        return ("XRANGE", keys.intents(SHARD), self._read_to, "+"), ("HGETALL", cells)

    def refresh(self) -> None:
        """Read everything as it is now."""
        self._take_in(*self._connection.ask(*self._questions()))

    def _take_in(self, entries: list[Any], cells: list[bytes]) -> None:
        self._cells = _mapped(cells)
        for entry_id, fields in entries:
            self._read_to = "(" + entry_id.decode()
            self._book(_intents(_mapped(fields)[b"p"]))

    # What Postgres would know -------------------------------------------------------------------

    def _book(self, intents: Intents) -> None:
        """Follow the stream: new orders and instances, what became of old orders."""
        for order_id, _config, suffix, user, request_id, quantity, amount_fen, pay_before_ms, *_ in intents.orders:
            self.orders[order_id] = Order(order_id, user, request_id, suffix, quantity, amount_fen, pay_before_ms)
        for order_id, _config, _kind, state, _outcome, suffix in intents.events:
            if order := self.orders.get(order_id):
                order.state = EffectState(state)
                order.suffix = suffix or order.suffix
                order.paid = order.paid or order.state == EffectState.PAID
        for suffix in sorted(one[1] for one in intents.instances):  # a batch names them in any order
            self._order_of.setdefault(suffix, len(self._order_of))
        self.rewards += intents.rewards
        self.notices += intents.notices

    def _owe(self, packed: Sequence[wire.Click], replies: Sequence[Reply]) -> None:
        """Whose payment was refused is paid back, and their hold released."""
        for click, reply in zip(packed, replies, strict=True):
            order = self.orders.get(click.order_id)
            if order and click.verb == "paid" and order.state == EffectState.HELD:
                order.paid = order.owed = reply.outcome != Outcome.PLAYBOOK_FAILED
            elif order and order.state == EffectState.RELEASED:
                order.owed = False

    def due(self) -> list[Event]:
        """The events that the workers would send now, oldest orders first, deadlines last."""
        refunds = self.sale.playbook.states.refunds()
        instances = self.instances()
        events = [
            Event("released", order.suffix, order.id)
            for order in self.orders.values()
            if (order.state == EffectState.HELD and (order.owed or order.pay_before_ms <= self.now_ms))
            or (order.state == EffectState.PAID and instances[order.suffix]["status"] in refunds)
        ]
        held = {order.suffix for order in self.orders.values() if order.state == EffectState.HELD}
        for suffix, cells in instances.items():
            woken = suffix, cells["rev"], self.now_ms
            due = cells["wakeAt"] <= self.now_ms or (self.over and suffix not in held)
            if cells["status"] in OPEN and cells["wakeAt"] > 0 and due and woken not in self._woken:
                self._woken.add(woken)
                events.append(Event("deadline", suffix))
        return events

    @property
    def over(self) -> bool:
        """Whether the product is over: nobody can take part any more."""
        return self._status == HeadStatus.ENDED or self.now_ms >= self.sale.ends_ms

    def catch_up(self) -> list[tuple[Event, Reply]]:
        """Send what is due until nothing is; what was sent and answered. RuntimeError when there is no end of it."""
        done: list[tuple[Event, Reply]] = []
        for _round in range(ROUNDS_MAX):
            events = self.due()
            if not events:
                return done
            done += zip(events, self.batch(events), strict=True)
        raise RuntimeError(f"something is due again and again: {done[-1][0]}")

    # Reading ------------------------------------------------------------------------------------

    def instances(self) -> dict[str, dict[str, Any]]:
        """Every instance's cells by its suffix, the oldest first."""
        cells = {name.decode(): _decode(packed) for name, packed in self._cells.items() if name not in _NO_INSTANCES}
        return dict(sorted(cells.items(), key=lambda item: self._order_of[item[0]]))

    def cells(self, suffix: str) -> dict[str, Any]:
        """One instance's cells; empty when there is no such instance."""
        packed = self._cells.get(suffix.encode())
        return _decode(packed) if packed else {}

    def sizes(self) -> dict[str, int]:
        """Bytes of each instance's cells as Redis keeps them."""
        return {name.decode(): len(packed) for name, packed in self._cells.items() if name not in _NO_INSTANCES}

    def number_of(self, suffix: str) -> int | None:
        """How many instances were there before this one; None when it is not there."""
        return self._order_of.get(suffix)

    def left(self) -> int:
        """Units the config may still sell."""
        return int(self._cells[b"left"])

    def person(self, user: str) -> Person:
        """What is on record of a person."""
        return self.people().get(user, Person({}, []))

    def people(self) -> dict[str, Person]:
        """Everyone who has had an effect, by user."""
        (found,) = self._connection.ask(("HGETALL", keys.people(SHARD, self.sale.config_id)))
        return {user.decode(): Person(*read_person(packed)) for user, packed in sorted(_mapped(found).items())}

    def intents(self) -> list[Intents]:
        """All that the stream holds, oldest first."""
        (entries,) = self._connection.ask(("XRANGE", keys.intents(SHARD), "-", "+"))
        return [_intents(_mapped(fields)[b"p"]) for _entry_id, fields in entries]

    def script_us(self) -> int:
        """What script calls have taken this Valkey since it was started, by its own measure."""
        (info,) = self._connection.ask(("INFO", "commandstats"))
        spent = _SPENT.search(info)
        return int(spent[1]) if spent else 0

    def snapshot(self) -> dict[str, Any]:
        """Units, cells, people and promises, without what depends on how clicks were batched: for comparing."""
        return {
            "left": self.left(),
            "instances": {suffix: _without_rev(cells) for suffix, cells in sorted(self.instances().items())},
            "people": {user: [_without_rev(one.mine), one.effects] for user, one in self.people().items()},
            "rewards": sorted(map(_unnumbered, self.rewards)),
            "notices": sorted(map(_unnumbered, self.notices)),
        }


_SPENT = re.compile(rb"cmdstat_evalsha:calls=\d+,usec=(\d+)")
_NO_INSTANCES = frozenset({b"head", b"left", b"reopens"})


def _mapped(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _intents(packed: bytes) -> Intents:
    return msgspec.msgpack.decode(packed, type=Intents)


def _without_rev(cells: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sorted(cells.items()) if name != "rev"}


def _unnumbered(promise: list[Any]) -> list[Any]:
    """Without its source and number: those of a deadline carry a revision."""
    return promise[2:]


@contextmanager
def open_stage(playbooks: Iterable[Playbook], *, url: str | None = None, database: int = 0) -> Iterator[Stage]:
    """A stage on a Valkey of its own, or on the one at `url`."""
    with open_valkey(url) as valkey:
        stage = Stage(valkey.url, playbooks, database=database)
        try:
            yield stage
        finally:
            stage.close()
