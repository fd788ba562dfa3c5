"""What a check hands back: how much it looked at and what it found."""

from collections import Counter

import msgspec

from loadtests.auditor.evidence import Line


class Violation(msgspec.Struct, frozen=True, order=True):
    """One thing that must never be; `subject` is the id of what it is about."""

    subject: str
    text: str


class Verdict:
    """The result for one invariant of engine/README.md, "What always holds", or for what is checked besides."""

    def __init__(self, invariant: int | str, title: str) -> None:
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
    torn: spans of Unix milliseconds whose writes a disk has lost; what was acknowledged then may be missing, whole.
    """

    quiescent: bool = False
    torn: tuple[tuple[int, int], ...] = ()

    def excuses(self, line: Line) -> bool:
        """What this answer promised may have been lost with the tail."""
        received_at = line.received_at or line.sent_at
        return any(line.sent_at <= end and received_at >= start for start, end in self.torn)

    def covers(self, at_ms: int) -> bool:
        """What Redis did at this moment may have been lost with the tail."""
        return any(start <= at_ms <= end for start, end in self.torn)
