"""A schedule as lines that a person can read: who did what, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.gate.outcome import EFFECTS, Outcome
from engine.gate.wire import Reply
from engine.kit.personas import PERSONAS
from engine.kit.stage.harness import Stage
from engine.kit.stage.model import Click, Event
from engine.sdk import Example, Status

NAMES = {one.user: one.name for one in PERSONAS}
UNITS_MS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms"))


class Transcript:
    """The lines of one schedule, as they are added."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.lines: list[str] = []

    def begin(self, example: Example, starts_in_ms: int) -> None:
        """What is on sale."""
        rules = ", ".join(f"{name} {value}" for name, value in self._stage.sale.filled().items())
        when = f" in {duration(starts_in_ms)}" if starts_in_ms else ""
        self.add(f"on sale{when}: {example.stock} units at {example.price_fen} fen; {rules}")

    def add(self, line: str) -> None:
        """One line."""
        self.lines.append(line)

    def passes(self, ms: int) -> None:
        """Time has passed."""
        self.add(f"{duration(ms)} pass")

    def batch(self, asked: Sequence[Click | Event], replies: Sequence[Reply] | None) -> None:
        """A batch and its answers; None: there were none."""
        answers = [self._answer(reply) for reply in replies] if replies else ["no answer"] * len(asked)
        for number, (one, answer) in enumerate(zip(asked, answers, strict=True)):
            self.add(f"{'  with it: ' if number else ''}{self.ask(one)} -> {answer}")

    def ask(self, one: Click | Event) -> str:
        """What was asked for."""
        if isinstance(one, Event):
            order = self._stage.orders.get(one.order_id)
            whose = f" {NAMES[order.user]}'s {order.request_id} in" if order else ""
            return f"{one.kind}{whose} {self.instance(one.suffix)}"
        where = f" {self.instance(one.suffix)}" if one.suffix else ""
        many = f" x{one.quantity}" if one.quantity != 1 else ""
        return f"{NAMES[one.user]} {one.verb}{where}{many} ({one.request_id})"

    def instance(self, suffix: str) -> str:
        """What an instance is called here: #1 is the first that was opened."""
        number = self._stage.number_of(suffix)
        return suffix if number is None else f"#{number + 1}"

    def status(self, cells: Mapping[str, Any]) -> str:
        """Its status, in capitals."""
        return Status(cells["status"]).name

    def _answer(self, reply: Reply) -> str:
        said = Outcome(reply.outcome).name
        if reply.outcome not in EFFECTS or not reply.suffix:
            return said
        again = " (replayed)" if reply.replayed else ""
        return (
            f"{said}{again}, {self.instance(reply.suffix)} {Status(reply.status).name} {reply.current}/{reply.target}"
        )


def duration(ms: int) -> str:
    """1 h 30 min."""
    parts: list[str] = []
    for size, unit in UNITS_MS:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:3]) or "no time"
