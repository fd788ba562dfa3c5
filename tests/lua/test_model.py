"""The gate against a model in plain Python: whatever people, payments, time and the store do, both say the same.

Each example is a fresh flash sale and a fresh group buy; each step is one or several clicks or events, sent
as one batch. After every step Redis must hold what the model holds; at the end the stream must tell the same story.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine.core import ids
from engine.gate import keys, records
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus
from engine.gate.wire import Reply
from engine.local.running import Running
from tests.lua.model import LIVE, OVER, Answer, Effect, Instance, Model
from tests.lua.world import EFFECTS_MAX, World
from tests.support.gate import FOREVER_MS, SHARD

NUMBERS = count()

CODES = st.sampled_from(["FLASH_SALE", "GROUP_BUY"])
USERS = st.sampled_from(["ann", "ann", "ann", "bob", "cid"])  # one does much, to reach what bounds a person
REQUESTS = st.sampled_from(["r1", "r2", "r3", "r4", "r5", "r6"])
QUANTITIES = st.sampled_from([1, 1, 1, 2, 3])
PLACES = st.integers(0, 5)  # which of the instances there are; the last ones are often none
VERBS = st.sampled_from(["join"] * 6 + ["open"] * 3 + ["cut"])
CLICKS = st.tuples(CODES, VERBS, PLACES, USERS, REQUESTS, QUANTITIES)


@pytest.fixture
def world(valkey: Running) -> Iterator[World]:
    opened = World(valkey.url)
    yield opened
    opened.close()


class Machine(RuleBasedStateMachine):
    """Steps a gate and its model together."""

    world: World

    @initialize(stock=st.integers(1, 12), limit=st.sampled_from([0, 0, 2, 3]), seats=st.integers(2, 3))
    def publish(self, stock: int, limit: int, seats: int) -> None:
        self.models = {}
        self.pay_before: dict[tuple[str, str, str], int] = {}
        for code in ("FLASH_SALE", "GROUP_BUY"):
            model = Model(f"c{next(NUMBERS):012x}", code, stock, limit, seats, EFFECTS_MAX, left=stock)
            self.models[code] = model
            self._tell(model)
        self.models["FLASH_SALE"].instances["s1"] = Instance()
        self.world.redis.delete(keys.intents(SHARD))

    def _tell(self, model: Model) -> None:
        now = datetime.now(UTC)
        head = records.head(
            code=model.code,
            status=model.head,
            starts_at=now + timedelta(hours=-1 if model.begun else 1),
            ends_at=now + timedelta(hours=-1 if model.over else 2),
            price_fen=100,
            limit=model.limit,
            rules={"limitPerPerson": model.limit, "target": model.target, "durationMinutes": 60, "sessionMinutes": 0},
        )
        own = {"opensAt": 0, "endsAt": FOREVER_MS}
        session = records.cells(status=1, current=0, target=0, wake_at_ms=0, rev=0, own=own)
        sessions = {"s1": session} if model.code == "FLASH_SALE" else {}
        self.world.together(self.world.gate.warm(SHARD, model.config_id, head, model.stock, sessions))

    # What people do ---------------------------------------------------------------------------

    @rule(click=CLICKS)
    def click(self, click: tuple[str, str, int, str, str, int]) -> None:
        self._clicks([click])

    @rule(clicks=st.lists(CLICKS, min_size=2, max_size=6))
    def crowd(self, clicks: list[tuple[str, str, int, str, str, int]]) -> None:
        self._clicks(clicks)

    @rule(click=CLICKS, times=st.integers(2, 3))
    def impatient(self, click: tuple[str, str, int, str, str, int], times: int) -> None:
        self._clicks([click] * times)

    @rule(number=st.integers(0, 30), altered=st.booleans())
    def again(self, number: int, altered: bool) -> None:
        """A request that had its effect long ago is sent again, as it was or with another quantity."""
        model, user, request, effect = self._past(number)
        if effect is None:
            return
        verb = "open" if effect.opened else "join"
        self._send([(model, verb, effect.suffix, user, request, effect.quantity + altered)])

    def _clicks(self, clicks: list[tuple[str, str, int, str, str, int]]) -> None:
        # A place is looked up before the batch, as a client sees it: nobody joins what is being opened.
        self._send([(self.models[code], verb, self._place(code, n), *who) for code, verb, n, *who in clicks])

    def _send(self, asked: list[tuple[Any, ...]]) -> None:
        replies: list[Reply] = self.world.together(*(self._sent(*click) for click in asked))
        for (model, verb, suffix, user, request, quantity), reply in zip(asked, replies, strict=True):
            expected = model.click(verb, suffix, user, request, quantity)
            assert answer(reply) == expected
            if expected[0] == Outcome.RESERVED:
                seat = model.config_id, user, request
                assert reply.pay_before_ms == self.pay_before.setdefault(seat, reply.pay_before_ms)

    def _sent(self, model: Model, verb: str, suffix: str, user: str, request: str, quantity: int) -> Awaitable[Reply]:
        order_id = ids.click_id(model.config_id, user, request)
        fingerprint = ids.fingerprint(verb, model.config_id if verb == "open" else suffix, quantity)
        suffix = ids.opened_suffix(order_id) if verb == "open" else suffix
        return self.world.gate.click(
            SHARD, model.config_id, verb, suffix, user, order_id, fingerprint, quantity, request
        )

    def _place(self, code: str, number: int) -> str:
        known = list(self.models[code].instances)
        return known[number % len(known)] if known and number < 5 else "nowhere"

    # What Postgres decides, what time and the store do -----------------------------------------

    @rule(number=st.integers(0, 30), kinds=st.lists(st.sampled_from(["paid", "released"]), min_size=1, max_size=3))
    def settle(self, number: int, kinds: list[str]) -> None:
        model, user, request, effect = self._past(number)
        order_id = ids.click_id(model.config_id, user, request)
        suffix, quantity = (effect.suffix, effect.quantity) if effect else ("nowhere", 1)
        event = self.world.gate.event
        replies = self.world.together(
            *(event(SHARD, model.config_id, kind, suffix, user, order_id, quantity) for kind in kinds)
        )
        for kind, reply in zip(kinds, replies, strict=True):
            apply: Callable[[str, str], Outcome] = model.paid if kind == "paid" else model.released
            assert reply == Reply(apply(user, request))

    @rule(number=st.integers(0, 30), place=PLACES, alone=st.booleans())
    def late(self, number: int, place: int, alone: bool) -> None:
        """A payment lands on what was given back: there, elsewhere or in an instance of its own it may be taken in."""
        model, user, request, effect = self._past(number)
        order_id = ids.click_id(model.config_id, user, request)
        suffix, quantity = (effect.suffix, effect.quantity) if effect else ("nowhere", 1)
        places = [suffix, self._place(model.code, place)] + [order_id[16:]] * alone
        event = self.world.gate.event(SHARD, model.config_id, "late", suffix, user, order_id, quantity, places)
        (reply,) = self.world.together(event)
        assert reply == Reply(model.late(user, request, places))

    @rule(code=CODES, place=PLACES, over=st.booleans())
    def deadline(self, code: str, place: int, over: bool) -> None:
        model, suffix = self.models[code], self._place(code, place)
        if over and suffix in model.instances:
            model.instances[suffix].over = True
            key = keys.cells(SHARD, model.config_id)
            cells = msgspec.msgpack.decode(self.world.redis.hget(key, suffix))
            self.world.redis.hset(key, suffix, msgspec.msgpack.encode(cells | {"endsAt": 1}))
        (reply,) = self.world.together(self.world.gate.event(SHARD, model.config_id, "deadline", suffix, "", "", 0))
        assert reply == Reply(model.deadline(suffix))

    @rule(
        code=CODES, head=st.sampled_from(HeadStatus), begun=st.booleans(), over=st.booleans(),
        number=st.integers(0, 30), place=PLACES, clicks=st.lists(CLICKS, min_size=1, max_size=3),
    )  # fmt: skip
    def off_sale_for_a_while(
        self,
        code: str,
        head: HeadStatus,
        begun: bool,
        over: bool,
        number: int,
        place: int,
        clicks: list[tuple[str, str, int, str, str, int]],
    ) -> None:
        """The store pauses or ends the config, or its window moves; orders still settle and instances end meanwhile."""
        model = self.models[code]
        model.head, model.begun, model.over = head, begun, over
        self._tell(model)
        self._clicks(clicks)
        self.settle(number, ["paid"])
        self.deadline(code, place, over=False)
        model.head, model.begun, model.over = HeadStatus.PUBLISHED, True, False
        self._tell(model)

    def _past(self, number: int) -> tuple[Model, str, str, Effect | None]:
        """Something that somebody did; nothing when there is not so much."""
        past = [
            (model, user, request, effect)
            for model in self.models.values()
            for user, record in model.people.items()
            for request, effect in record.items()
        ]
        return past[number % len(past)] if past and number < 28 else (self.models["GROUP_BUY"], "ann", "r9", None)

    # What must hold -----------------------------------------------------------------------------

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        for model in self.models.values():
            fields = self.world.redis.hgetall(keys.cells(SHARD, model.config_id))
            people = people_of(self.world.redis, model.config_id)
            del fields[b"head"]
            left = int(fields.pop(b"left"))
            cells = {suffix.decode(): msgspec.msgpack.decode(packed) for suffix, packed in fields.items()}

            assert left == model.left
            assert (
                left + sum(one.quantity for effects in people.values() for one in effects if one.state in LIVE)
                == model.stock
            )
            assert cells.keys() == model.instances.keys()
            for suffix, instance in model.instances.items():
                seen = cells[suffix]
                assert (seen["status"], seen["current"], seen["target"]) == instance.seen()
                check_progress(model, suffix, seen)
            assert record_of(people) == {
                user: [(one.state, one.quantity, one.suffix) for one in record.values()]
                for user, record in model.people.items()
                if record
            }

    def teardown(self) -> None:
        if not hasattr(self, "models"):
            return
        orders: Counter[str] = Counter()
        told: dict[tuple[str, str], Any] = {}
        for _entry_id, fields in self.world.redis.xrange(keys.intents(SHARD)):
            _now_ms, new, actions, _events, instances, *_ = msgspec.msgpack.decode(fields[b"p"])
            assert actions == []
            orders.update(order[0] for order in new)
            for config_id, suffix, rev, _status, _current, _target, _wake, cells in instances:
                assert rev == told.get((config_id, suffix), {"rev": 0})["rev"] + 1  # none is missing, none is twice
                told[config_id, suffix] = cells
        for model in self.models.values():
            for user, record in model.people.items():
                for request in record:
                    assert orders.pop(ids.click_id(model.config_id, user, request)) == 1
            for suffix, instance in model.instances.items():
                if (model.config_id, suffix) in told:
                    last = told[model.config_id, suffix]
                    assert (last["status"], last["current"], last["target"]) == instance.seen()
        assert not orders


def check_progress(model: Model, suffix: str, cells: dict[str, Any]) -> None:
    """`current` counts the paid; nobody sits on a seat that is not there."""
    effects = model.effects(suffix)
    paid = [effect for effect in effects if effect.state == EffectState.PAID]
    if model.code == "FLASH_SALE":
        assert cells["current"] == sum(effect.quantity for effect in paid)
        return
    seated = sum(effect.state in LIVE for effect in effects)
    assert cells["current"] == len(paid)
    assert seated <= cells["target"]
    if cells["status"] not in OVER:
        assert cells["seatsLeft"] == cells["target"] - seated


def people_of(client: Any, config_id: str) -> dict[str, list[records.Effect]]:
    """Each person's record in Redis."""
    found: dict[bytes, bytes] = client.hgetall(keys.people(SHARD, config_id))
    return {user.decode(): records.read_person(packed)[1] for user, packed in found.items()}


def record_of(people: dict[str, list[records.Effect]]) -> dict[str, list[tuple[int, int, str]]]:
    """State, quantity and instance of everything a person has done."""
    return {user: [(one.state, one.quantity, one.suffix) for one in effects] for user, effects in people.items()}


def answer(reply: Reply) -> Answer:
    """A reply without its moment."""
    return reply.outcome, reply.state, reply.suffix, reply.status, reply.current, reply.target


def test_the_gate_does_what_its_model_does(world: World) -> None:
    """Fifty stories of thirty steps each."""
    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=50,
            database=None,
            phases=(Phase.generate,),  # add Phase.shrink for a short story: it takes minutes
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
