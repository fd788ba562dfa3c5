"""Schedules: what people, payments, time and the store do to a sale, read from a list of a few bytes each.

Hypothesis draws the bytes and makes them smaller; 0 means: nothing happens, or the simplest of its kind.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from engine.kit.manifest.variations import variations
from engine.kit.personas import PERSONAS
from engine.kit.stage.sale import can_be_published
from engine.sdk import Example, Playbook

TURN_BYTES = 3
OPENERS = 4  # of all: somebody has to be left who has opened nothing
CROWD_OF_OPENERS = 3
STARTS_IN_MS = (0, 0, 0, 600_000)
LIMITS = (None, None, 0, 2)  # units a person may have; None: as the example says
STOCKS = (None, None, None, 3, 9)

# Kind of turn -> how many choices of the decoder it has.
WEIGHTS: Mapping[str, int] = {
    "pay": 4,
    "pay_all": 3,
    "release": 2,
    "again": 2,
    "event_again": 1,
    "deadline": 2,
    "wait": 4,
    "catch_up": 3,
    "pause": 1,
}
CLICK_WEIGHTS: Mapping[str, int] = {"open": 3, "join": 3}
CROWD_WEIGHTS: Mapping[str, int] = {"open": 1, "join": 3}
ACTION_WEIGHT = 3
PLACES = (0, 0, 0, 0, 1, 2, 5, None)  # 0: the newest instance, 1: the one before it; None: one that is not there


class Turn(NamedTuple):
    """One turn; what `who`, `where` and `much` mean is the kind's business. `together`: in the batch before it."""

    kind: str
    verb: str = ""
    who: int = 0
    where: int | None = 0
    much: int = 0
    together: bool = False


class ScheduleDecoder:
    """Reads bytes as the turns that a playbook's sale can see, and as the sale itself."""

    def __init__(self, playbook: Playbook, steps: Iterable[str]) -> None:
        self.playbook = playbook
        choices = [("nothing", "")]
        for verb in ("open", "join", *playbook.actions):
            if verb in steps:
                choices += [("click", verb)] * CLICK_WEIGHTS.get(verb, ACTION_WEIGHT)
                choices += [("crowd", verb)] * CROWD_WEIGHTS.get(verb, ACTION_WEIGHT)
        for kind, weight in WEIGHTS.items():
            choices += [(kind, "")] * weight
        for verb in playbook.reserves:
            if verb in steps and verb != "open":
                choices += [("take_and_leave", verb)] * 4
        self.opens = "open" in steps
        self._choices = choices + [("late", "")] * (3 if playbook.reseats else 0)
        self._examples = playbook.examples
        self._others = [
            other
            for example in playbook.examples
            for other, _what in variations(playbook, example)
            if can_be_published(playbook, other)
        ]

    def turn(self, drawn: bytes) -> Turn:
        """The turn that TURN_BYTES stand for."""
        kind, verb = self._choices[drawn[0] % len(self._choices)]
        who = drawn[1] % (OPENERS if verb == "open" else len(PERSONAS))
        return Turn(kind, verb, who, PLACES[drawn[2] % 8], drawn[2] // 8 % 16, drawn[2] >= 128 and drawn[1] >= 128)

    def opening(self, drawn: bytes) -> tuple[Example, int]:
        """What is on sale, and in how many ms it begins."""
        number = int.from_bytes(drawn, "big")
        number, starts_in = divmod(number, len(STARTS_IN_MS))
        number, limit = divmod(number, len(LIMITS))
        number, stock = divmod(number, len(STOCKS))
        number, other = divmod(number, 2)
        examples = self._others if other and self._others else self._examples
        example = examples[number % len(examples)]
        return self._changed(example, LIMITS[limit], STOCKS[stock]), STARTS_IN_MS[starts_in]

    def _changed(self, example: Example, limit: int | None, stock: int | None) -> Example:
        rules = example.rules if limit is None else {**example.rules, "limitPerPerson": limit}
        changed = msgspec.structs.replace(example, rules=rules, stock=stock or example.stock)
        return changed if can_be_published(self.playbook, changed) else example
