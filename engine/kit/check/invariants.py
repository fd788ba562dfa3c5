"""What must hold after every batch of a schedule, and the check whether it does."""

from collections.abc import Sequence
from enum import StrEnum

from engine.gate.records import EffectState
from engine.kit.check.transcript import Transcript
from engine.kit.stage.harness import OPEN, Stage
from engine.kit.stage.model import Click, Event
from engine.sdk import Status

CELLS_BYTES_MAX = 16_384
LIVE = (EffectState.HELD, EffectState.PAID)


class Invariant(StrEnum):
    """What must hold in every schedule."""

    NO_FAILURE = "no step fails"
    PURE = "steps are pure"
    CONSERVED = "stock is conserved"
    ONCE = "effects happen once"
    PLACES = "places are kept"
    RESOLVES = "deadlines resolve"
    SMALL = "cells stay small"
    REBATES = "rebates are paid for"


class Violation(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: Invariant, text: str) -> None:
        self.invariant = invariant
        self.text = text
        super().__init__(text)


def rebate_fault(stage: Stage) -> str:
    """The order that would get more back than it has paid, once its instance is a SUCCESS; "" when none would."""
    rebates = {
        suffix: cells["rebateFen"]
        for suffix, cells in stage.instances().items()
        if cells["status"] == Status.SUCCESS and cells.get("rebateFen")
    }
    for order in stage.orders.values():
        back_fen = rebates.get(order.suffix, 0) * order.quantity
        if order.state == EffectState.PAID and back_fen > order.amount_fen:
            each = f"rebateFen is {rebates[order.suffix]} a unit"
            return f"{each}: an order of {order.quantity} that paid {order.amount_fen} fen would get {back_fen} back"
    return ""


class InvariantChecker:
    """Checks the invariants that can be read off a stage, after each batch."""

    def __init__(self, stage: Stage, transcript: Transcript) -> None:
        self.reached: set[int] = set()
        self.bytes_max = 0
        self._stage = stage
        self._transcript = transcript
        self._seats: dict[str, tuple[int, int]] = {}  # suffix -> how many seats there are, by orders and by units

    def check(self, asked: Sequence[Click | Event]) -> None:
        """After `asked` was decided. Raises Violation."""
        if any(self._may_change_seats(one) for one in asked):
            self._seats.clear()
        self._check_units()
        self._check_instances()
        self._check_seats()
        if fault := rebate_fault(self._stage):
            raise Violation(Invariant.REBATES, fault)

    def _may_change_seats(self, one: Click | Event) -> bool:
        """Time may say how many there are, and so may an action; whoever joins, pays or leaves may not."""
        if isinstance(one, Event):
            return one.kind == "deadline"
        return one.verb in self._stage.sale.playbook.actions

    def _check_units(self) -> None:
        live = [order for order in self._stage.orders.values() if order.state in LIVE]
        taken, left = sum(order.quantity for order in live), self._stage.left()
        if left < 0 or left + taken != self._stage.sale.stock:
            raise Violation(Invariant.CONSERVED, f"{left} left and {taken} taken of {self._stage.sale.stock}")
        instances = self._stage.instances()
        for session in self._stage.sale.sessions:
            if session.stock is None:
                continue
            taken = sum(order.quantity for order in live if order.suffix == session.suffix)
            left = instances[session.suffix]["left"]
            if left < 0 or left + taken != session.stock:
                said = f"session {session.suffix}: {left} left and {taken} taken of {session.stock}"
                raise Violation(Invariant.CONSERVED, said)

    def _check_instances(self) -> None:
        for cells in self._stage.instances().values():
            self.reached.add(cells["status"])
        self.bytes_max = max(self.bytes_max, *self._stage.sizes().values(), 0)
        if self.bytes_max > CELLS_BYTES_MAX:
            raise Violation(
                Invariant.SMALL, f"an instance's cells take {self.bytes_max} bytes, of at most {CELLS_BYTES_MAX}"
            )

    def _check_seats(self) -> None:
        """Free and taken seats of an open instance are always as many: by orders, or by units."""
        live = [order for order in self._stage.orders.values() if order.state in LIVE]
        for suffix, cells in self._stage.instances().items():
            free = cells.get("seatsLeft")
            if free is None or cells["status"] not in OPEN:
                continue
            taken = [order.quantity for order in live if order.suffix == suffix]
            if free < 0:
                raise Violation(Invariant.PLACES, f"{self._transcript.instance(suffix)}: seatsLeft is {free}")
            counts = (free + len(taken), free + sum(taken))
            known = self._seats.setdefault(suffix, counts)
            agreeing = counts[0] if counts[0] == known[0] else -1, counts[1] if counts[1] == known[1] else -1
            if agreeing == (-1, -1):
                said = f"{free} seats are free and {len(taken)} taken, of {max(known)}"
                raise Violation(Invariant.PLACES, f"{self._transcript.instance(suffix)}: {said}")
            self._seats[suffix] = agreeing
