"""Plays one schedule on two stages and compares them: a differential run.

The first stage decides in batches, the second the same clicks one by one: a step that depends on anything but
its arguments comes out differently somewhere. (Where steps draw random numbers, see `StagePair`.) After each batch
the invariants are checked.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from engine.core import ids
from engine.gate.outcome import EFFECTS, Outcome
from engine.gate.records import EffectState, HeadStatus
from engine.gate.wire import Reply
from engine.kit.check.budget import BudgetStage
from engine.kit.check.invariants import LIVE, Invariant, InvariantChecker, Violation
from engine.kit.check.schedule import CROWD_OF_OPENERS, ScheduleDecoder, Turn
from engine.kit.check.transcript import Transcript
from engine.kit.personas import PERSONAS
from engine.kit.stage.harness import HOLD_TTL_MS, OPEN
from engine.kit.stage.model import Click, Event, Order, OrderEvent
from engine.kit.stage.sale import START_MS

WAKES_MAX = 2000  # one after the other until everything has ended
ROUNDS_MAX = 100  # of what is due at one moment
DAY_MS = 86_400_000
COUNTED = ("current", "seatsLeft")  # cells that say how many there are
NEVER_WOKEN = (
    "its wakeAt is 0, so no deadline comes, not even when the product is over: set cells.wakeAt in a step, "
    "or give its Session wake_at=window.ends_at"
)


class StagePair(NamedTuple):
    """Two stages with the same past. `singly`: the second decides one by one; else both get the same batches.

    Numbers drawn by `random` depend on the batch, so singly works only where `PerClickRandomStage` replaces them.
    """

    first: BudgetStage
    second: BudgetStage
    singly: bool


class DifferentialRun:
    """One schedule on a pair of stages."""

    def __init__(self, pair: StagePair, step_errors: Callable[[], list[str]], decoder: ScheduleDecoder) -> None:
        self.pair = pair
        self.stage = pair.first
        self.transcript = Transcript(self.stage)
        self.checker = InvariantChecker(self.stage, self.transcript)
        self.sent = 0
        self._step_errors = step_errors
        self._decoder = decoder
        self._waiting: list[Click | Event] = []
        self._done: list[tuple[Click, Reply]] = []
        self._requests = 0
        self._status = HeadStatus.PUBLISHED

    def play(self, drawn: Sequence[bytes]) -> None:
        """Publish, make every turn, and play on until everything has ended. Raises Violation."""
        example, starts_in_ms = self._decoder.opening(drawn[0])
        for stage in self.pair[:2]:
            stage.publish(self._decoder.playbook, example, starts_in_ms=starts_in_ms)
        self.transcript.begin(example, starts_in_ms)
        if self._decoder.opens and drawn[0][2] % 8 != 7:  # with nothing to click on most of what follows would be lost
            self._click(Turn("click", "open"))
        for three in drawn[1:]:
            turn = self._decoder.turn(three)
            if not turn.together:
                self._flush()
            getattr(self, f"_{turn.kind}")(turn)
        self._flush()
        self._play_to_the_end(int.from_bytes(drawn[0], "big"), ended=drawn[0][1] % 4 == 3)

    # Turns ----------------------------------------------------------------------------------------

    def _nothing(self, _turn: Turn) -> None:
        pass

    def _click(self, turn: Turn) -> None:
        self._waiting.append(self._clicked(turn, turn.who))

    def _crowd(self, turn: Turn) -> None:
        most = CROWD_OF_OPENERS if turn.verb == "open" else len(PERSONAS)
        self._waiting += [self._clicked(turn, turn.who + number) for number in range(2 + turn.much % (most - 1))]

    def _clicked(self, turn: Turn, who: int) -> Click:
        persona = PERSONAS[who % len(PERSONAS)]
        self._requests += 1
        quantity = 2 if turn.kind == "click" and turn.much == 1 and turn.verb in self._decoder.playbook.reserves else 1
        suffix = "" if turn.verb == "open" else self._place(turn.where)
        return Click(turn.verb, persona.user, f"r{self._requests}", suffix, quantity, persona.facts)

    def _place(self, where: int | None) -> str:
        known = list(self.stage.instances())
        return "nowhere" if where is None or not known else known[-1 - where % len(known)]

    def _pay(self, turn: Turn) -> None:
        if order := self._pick(turn, EffectState.HELD):
            self._waiting.append(self.stage.event("paid", order.id))

    def _pay_all(self, turn: Turn) -> None:
        place = self._place(turn.where)
        held = [one for one in self.stage.orders.values() if one.suffix == place and self._is(one, EffectState.HELD)]
        self._waiting += [self.stage.event("paid", order.id) for order in held]

    def _release(self, turn: Turn) -> None:
        if order := self._pick(turn, *LIVE):
            self._waiting.append(self.stage.event("released", order.id))

    def _late(self, turn: Turn) -> None:
        self._flush()
        never_paid = [one for one in self.stage.orders.values() if one.state == EffectState.RELEASED and not one.paid]
        if never_paid:
            order = never_paid[-1 - turn.who % len(never_paid)]
            self._waiting.append(self.stage.event("late", order.id))

    def _deadline(self, turn: Turn) -> None:
        self._flush()
        place = self._place(turn.where)
        cells = self.stage.cells(place)
        reply = self._send([Event("deadline", place)])[0]
        if cells and reply.outcome != Outcome.UNCHANGED:
            if cells["status"] not in OPEN:
                raise Violation(Invariant.RESOLVES, "a deadline changed an instance that had ended")
            if not (0 < cells["wakeAt"] <= self.stage.now_ms or self.stage.over):
                raise Violation(Invariant.RESOLVES, "a deadline that came before wakeAt changed something")

    def _wait(self, turn: Turn) -> None:
        self._flush()
        now_ms, sale = self.stage.now_ms, self.stage.sale
        wakes = [cells["wakeAt"] for cells in self.stage.instances().values() if cells["wakeAt"] > now_ms]
        opens = max(now_ms, START_MS)
        moments = (
            now_ms + 1000,
            now_ms + HOLD_TTL_MS,
            min(wakes, default=opens + 60_000),
            min(wakes, default=opens + 60_000) - 1,
            now_ms + 3_600_000,
            now_ms + DAY_MS,
            sale.ends_ms - 1,
            sale.ends_ms,
        )
        self._advance_to(moments[turn.much % len(moments)])

    def _catch_up(self, _turn: Turn) -> None:
        self._flush()
        for _round in range(ROUNDS_MAX):
            events = self.stage.due()
            if not events:
                return
            self._send(events)
        raise Violation(
            Invariant.RESOLVES,
            f"at one moment something was due {ROUNDS_MAX} times: a deadline changes cells each time",
        )

    def _pause(self, _turn: Turn) -> None:
        """The store takes the config off sale, or puts it back."""
        self._flush()
        self._set_status(HeadStatus.PAUSED if self._status == HeadStatus.PUBLISHED else HeadStatus.PUBLISHED)

    def _set_status(self, status: HeadStatus) -> None:
        if status != self._status:
            self._status = status
            for stage in self.pair[:2]:
                stage.set_status(status)
            self.transcript.add(f"the store sets the config to {status.name}")

    def _again(self, turn: Turn) -> None:
        """A request that had its effect is sent again, as it was or with another quantity."""
        self._flush()
        if not self._done:
            return
        click, first = self._done[-1 - turn.who % len(self._done)]
        before = self.stage.snapshot()
        if turn.much % 2:
            reply = self._send([click._replace(quantity=click.quantity + 1)])[0]
            same = reply.outcome == Outcome.REQUEST_ID_REUSED
        else:
            reply = self._send([click])[0]
            same = reply.replayed and reply == first._replace(state=reply.state, suffix=self._suffix_of(click, first))
        if not same or self.stage.snapshot() != before:
            raise Violation(
                Invariant.ONCE, f"a repeated request was told {Outcome(reply.outcome).name} or changed something"
            )

    def _suffix_of(self, click: Click, first: Reply) -> str:
        """Where a click's effect is now: a late payment may have been seated elsewhere."""
        order = self.stage.orders.get(ids.click_id(self.stage.sale.config_id, click.user, click.request_id))
        return order.suffix if order else first.suffix

    def _event_again(self, turn: Turn) -> None:
        """An event that was applied is sent again."""
        self._flush()
        if order := self._pick(turn, EffectState.PAID, EffectState.RELEASED):
            before = self.stage.snapshot()
            kinds: list[OrderEvent] = ["paid", "released"] if order.state == EffectState.RELEASED else ["paid"]
            replies = self._send([self.stage.event(kind, order.id) for kind in kinds])
            if any(reply.outcome != Outcome.UNCHANGED for reply in replies) or self.stage.snapshot() != before:
                raise Violation(Invariant.ONCE, "an event that had been applied was applied again")

    def _take_and_leave(self, turn: Turn) -> None:
        """Somebody takes a place and leaves it at once, at times after paying: it must be as free as before."""
        self._flush()
        click = self._clicked(turn, turn.who)
        before = self.stage.instances()
        reply = self._send([click])[0]
        order = list(self.stage.orders.values())[-1] if reply.outcome == Outcome.RESERVED else None
        if order is None or order.suffix not in before:
            return
        pays = [self.stage.event("paid", order.id)] if turn.much % 2 else []
        for event in pays:
            self._send([event])
        paid = self.stage.cells(order.suffix)
        self._send([self.stage.event("released", order.id)])
        was, now = before[order.suffix], self.stage.cells(order.suffix)
        if now["status"] not in OPEN or paid["status"] not in OPEN:
            return
        for name in COUNTED:
            if was.get(name) != now.get(name):
                said = f"{name} was {was.get(name)} before somebody came and went, and is {now.get(name)} after it"
                raise Violation(Invariant.PLACES, said)

    def _pick(self, turn: Turn, *states: EffectState) -> Order | None:
        found = [order for order in self.stage.orders.values() if self._is(order, *states)]
        return found[-1 - turn.who % len(found)] if found else None

    def _is(self, order: Order, *states: EffectState) -> bool:
        return order.state in states and not order.owed

    # Sending and checking --------------------------------------------------------------------------

    def _advance_to(self, moment_ms: int) -> None:
        ms = moment_ms - self.stage.now_ms
        if ms > 0:
            for stage in self.pair[:2]:
                stage.advance(ms)
            self.transcript.passes(ms)

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._send(waiting)

    def _send(self, asked: Sequence[Click | Event]) -> list[Reply]:
        """Send one batch to both stages and check everything."""
        first, second, singly = self.pair
        packed = [first.pack(one) for one in asked]
        self.sent += len(packed)
        seed = self.sent * 7919 % 2147483647
        try:
            first.post([packed], seed=seed)
            second.post([[one] for one in packed] if singly else [packed], seed=seed, replies_only=True)
            replies, again = first.collect(), second.collect()
        except RedisError as error:
            self.transcript.batch(asked, None)
            raise Violation(Invariant.NO_FAILURE, f"the gate's script broke off: {error}") from error
        self.transcript.batch(asked, replies)
        self._done += [
            (one, reply)
            for one, reply in zip(asked, replies, strict=True)
            if isinstance(one, Click) and reply.outcome in EFFECTS and not reply.replayed
        ]
        self._check_failures(replies)
        for one, here, there in zip(asked, replies, again, strict=True):
            if _comparable(one, here) != _comparable(one, there):
                raise Violation(
                    Invariant.PURE, f"{self.transcript.ask(one)}: {_said(here)}; {self._apart()} {_said(there)}"
                )
        self.checker.check(asked)
        return replies

    def _apart(self) -> str:
        how = "decided by itself, with the same past" if self.pair.singly else "sent again, with the same past and seed"
        return f"{how},"

    def _check_failures(self, replies: Sequence[Reply]) -> None:
        errors = self._step_errors()
        failed = any(reply.outcome == Outcome.PLAYBOOK_FAILED for reply in replies)
        if errors or failed:
            raise Violation(Invariant.NO_FAILURE, errors[0] if errors else "a click was told PLAYBOOK_FAILED")

    # The end ----------------------------------------------------------------------------------------

    def _play_to_the_end(self, number: int, *, ended: bool) -> None:
        """Every hold is paid or released, then time passes until nothing is open, and then nothing happens any more.

        `ended`: the store ends the product before that, so what need not wait for its time ends at once.
        """
        self._set_status(HeadStatus.ENDED if ended else HeadStatus.PUBLISHED)
        if ended:
            self._catch_up(_NO_TURN)
        held = [order.id for order in self.stage.orders.values() if self._is(order, EffectState.HELD)]
        kinds: list[OrderEvent] = ["released" if number >> place % 24 & 1 else "paid" for place in range(len(held))]
        if held:
            self._send([self.stage.event(kind, order_id) for kind, order_id in zip(kinds, held, strict=True)])
        self._catch_up(_NO_TURN)
        for _wake in range(WAKES_MAX):
            opened = {suffix: cells for suffix, cells in self.stage.instances().items() if cells["status"] in OPEN}
            if not opened:
                break
            wakes = [cells["wakeAt"] for cells in opened.values() if cells["wakeAt"] > self.stage.now_ms]
            if not wakes:
                self._fail_stuck(opened)
            ends_ms = self.stage.sale.ends_ms
            self._advance_to(min([*wakes, ends_ms] if ends_ms > self.stage.now_ms else wakes))
            self._catch_up(_NO_TURN)
        else:
            raise Violation(Invariant.RESOLVES, f"after {WAKES_MAX} deadlines something is still open")
        self._act_after_the_end()
        self._check_nothing_follows()

    def _act_after_the_end(self) -> None:
        """Everybody tries every action where most took part: now a prize is claimed, or a cut comes too late."""
        seats = Counter(order.suffix for order in self.stage.orders.values())
        known = list(self.stage.instances())
        if known:
            where = max(range(len(known)), key=lambda back: seats[known[-1 - back]])
            for verb in self._decoder.playbook.actions:
                self._waiting += [self._clicked(Turn("crowd", verb, where=where), who) for who in range(len(PERSONAS))]
            self._flush()

    def _fail_stuck(self, opened: dict[str, dict[str, Any]]) -> None:
        suffix, cells = next(iter(opened.items()))
        status = self.transcript.status(cells)
        why = "its deadline came and left it so" if cells["wakeAt"] else NEVER_WOKEN
        raise Violation(Invariant.RESOLVES, f"{self.transcript.instance(suffix)} stays {status} for ever: {why}")

    def _check_nothing_follows(self) -> None:
        before = self.stage.snapshot()
        events = [Event("deadline", suffix) for suffix in before["instances"]]
        replies = self._send(events) if events else []
        if any(reply.outcome != Outcome.UNCHANGED for reply in replies) or self.stage.snapshot() != before:
            raise Violation(Invariant.RESOLVES, "a deadline that came once more changed something")
        self.pair.second.refresh()
        after = self.pair.second.snapshot()
        if after != before:
            raise Violation(Invariant.PURE, self._difference(before, after))

    def _difference(self, one: dict[str, Any], other: dict[str, Any]) -> str:
        part = next(part for part, value in one.items() if value != other[part])
        return f"{part}: {one[part]}; {self._apart()} {other[part]}"


_NO_TURN = Turn("nothing")


def _comparable(one: Click | Event, reply: Reply) -> Reply:
    """A deadline is told DONE when its instance has changed, be it by another click of the batch."""
    if isinstance(one, Event) and one.kind == "deadline" and reply.outcome == Outcome.UNCHANGED:
        return reply._replace(outcome=Outcome.DONE)
    return reply


def _said(reply: Reply) -> str:
    return f"{Outcome(reply.outcome).name} {reply.current}/{reply.target}"
