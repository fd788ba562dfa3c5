"""What the clients saw, one story per (user, config, requestId)."""

from collections.abc import Iterable
from typing import NamedTuple

from loadtests.auditor.evidence import Line

ACKNOWLEDGED = frozenset({"RESERVED", "DONE"})
# The server could not say what became of the click; only a retry or the database knows.
UNDECIDED = frozenset({"UNKNOWN", "PAUSED", "UNAVAILABLE", "INTERNAL"})
ORDER_VERBS = frozenset({"pay", "cancel"})  # about an existing order, not clicks


class Key(NamedTuple):
    """Who clicked on what with which requestId."""

    user: str
    config: str
    request: str

    def __str__(self) -> str:
        return f"{self.config}/{self.user}/{self.request}"


class Story:
    """All attempts of one requestId, answers in the order they came back."""

    def __init__(self) -> None:
        self.sent: list[Line] = []
        self.answers: list[Line] = []

    @property
    def wins(self) -> list[Line]:
        """Answers that promised an effect."""
        return [line for line in self.answers if line.outcome in ACKNOWLEDGED]

    @property
    def undecided(self) -> bool:
        """Some attempt was never answered, or answered without a decision."""
        decided = sum(1 for line in self.answers if not is_undecided(line))
        return len(self.sent) > decided

    @property
    def bodies(self) -> set[tuple[str, str, int]]:
        """What was asked for under this requestId; more than one body is a misuse."""
        return {line.body for line in self.sent + self.answers}


def is_undecided(line: Line) -> bool:
    """The answer leaves open whether the click had its effect."""
    if line.outcome in ACKNOWLEDGED:
        return False
    return line.outcome is None or line.outcome in UNDECIDED or line.status is None


def tell(lines: Iterable[Line]) -> dict[Key, Story]:
    """Clicks grouped into stories."""
    stories: dict[Key, Story] = {}
    for line in lines:
        if line.verb in ORDER_VERBS:
            continue
        story = stories.setdefault(Key(line.user, line.config_id, line.request_id), Story())
        (story.sent if line.received_at is None else story.answers).append(line)
    for story in stories.values():
        story.answers.sort(key=lambda line: line.received_at or 0)
    return stories
