"""What a check hands back: how much it looked at and what it found."""

from collections import Counter

import msgspec


class Violation(msgspec.Struct, frozen=True, order=True):
    """One thing that must never be; `subject` is the id of what it is about."""

    subject: str
    text: str


class Verdict:
    """The result for one invariant of DESIGN §4."""

    def __init__(self, invariant: int, title: str) -> None:
        self.invariant = invariant
        self.title = title
        self.checked: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.notes: Counter[str] = Counter()

    def check(self, kind: str, holds: bool, subject: str, text: str) -> None:
        """Count one comparison of `kind`; note a violation unless it holds."""
        self.checked[kind] += 1
        if not holds:
            self.violations.append(Violation(subject, text))


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """How the evidence is to be read.

    quiescent: everything is drained and followed, so the stores must agree to the unit.
    torn_at_ms: the disk lost acknowledged clicks at this moment; such a click may be missing, whole.
    """

    quiescent: bool = False
    torn_at_ms: int = 0
