"""Many random schedules of one playbook, and the shortest found that breaks each claim."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import hypothesis
import msgspec
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from engine.kit.check.budget import Longest, TallyStage
from engine.kit.check.claims import Claim, Foul
from engine.kit.check.differential import Pair, Referee
from engine.kit.check.schedule import MOVE_BYTES, Deck
from engine.kit.stage.lines import step_lines
from engine.kit.stage.valkey import ThrowAway
from engine.playbooks.bounds import bounded
from engine.sdk import Playbook

SHORTEN_S = 10.0
MOVES_MIN, MOVES_MAX = 10, 30  # Hypothesis takes 20 on average

Schedule = Sequence[bytes]
SCHEDULES = st.lists(st.binary(min_size=MOVE_BYTES, max_size=MOVE_BYTES), min_size=MOVES_MIN, max_size=MOVES_MAX)
RANDOM = re.compile(r"\brandom\b")

# A `random` whose numbers depend on the click alone, so that it does not matter how clicks were batched.
TAME = (
    "local numbers_of = {}; "
    "local function random(click, n) "
    "local number = numbers_of[click]; "
    "if not number then "
    "number = click.now % 99991 + 1; local who = click.user .. click.instance; "
    "for i = 1, #who do number = (number * 31 + string.byte(who, i)) % 2147483647 end "
    "end; "
    "number = (number + 1) * 48271 % 2147483647; numbers_of[click] = number; "
    "return 1 + math.floor(number / 2147483647 * n) "
    "end; "
)


class TamedStage(TallyStage):
    """A stage whose steps have that `random`; what it does by itself is not counted as theirs."""

    def script(self, playbooks: Iterable[Playbook]) -> str:
        """The tallied script, with TAME in front of each step."""
        tamed = [msgspec.structs.replace(playbook, step=TAME + playbook.step) for playbook in playbooks]
        return super().script(tamed).replace(bounded(TAME), TAME)


class Finding(NamedTuple):
    """A claim that a schedule breaks: what is wrong, and the schedule as lines."""

    text: str
    lines: list[str]


class Findings(msgspec.Struct):
    """What many schedules have shown."""

    broken: dict[Claim, Finding] = {}
    schedules: int = 0
    whole: int = 0  # those that broke nothing
    clicks: int = 0
    reached: set[int] = set()
    cells_bytes: int = 0
    longest: Longest = Longest()


class Arena:
    """The stages of one playbook.

    Steps that draw random numbers are played in two ways: most schedules with numbers that do not depend on how clicks
    were batched, so that batches can be compared with single clicks; some with the real ones, batch against batch.
    """

    def __init__(self, valkey: ThrowAway, playbook: Playbook, steps: Sequence[str]) -> None:
        self._valkey = valkey
        valkey.placed = step_lines(playbook)  # TAME is part of the first line: all others are where they were
        self._deck = Deck(playbook, steps)
        self._pairs = [self._pair(TamedStage, playbook, 0, singly=True)]
        if RANDOM.search(playbook.step):
            self._pairs.append(self._pair(TallyStage, playbook, 2, singly=False))

    def _pair(self, stage: type[TallyStage], playbook: Playbook, database: int, *, singly: bool) -> Pair:
        first, second = (stage(self._valkey.url, [playbook], database=database + one) for one in (0, 1))
        return Pair(first, second, singly)

    def close(self) -> None:
        """Leave the databases empty."""
        for pair in self._pairs:
            pair.first.close()
            pair.second.close()

    def play(self, drawn: Schedule) -> tuple[Referee, Foul | None]:
        """Play one schedule; what it came to, and the claim it breaks."""
        real = len(self._pairs) > 1 and drawn[0][0] % 4 == 3
        referee = Referee(self._pairs[real], self._valkey.complaints, self._deck)
        try:
            referee.play(drawn)
        except Foul as foul:
            return referee, foul
        return referee, None

    def explore(self, examples: int, seed: int, progress: Callable[[int], None]) -> Findings:
        """Play `examples` schedules that follow from `seed`; `progress` hears how many have been played."""
        findings = Findings()
        broken: dict[Claim, Schedule] = {}

        @hypothesis.settings(
            max_examples=examples,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.seed(seed)
        @hypothesis.given(SCHEDULES)
        def schedule(drawn: list[bytes]) -> None:
            referee, foul = self.play(drawn)
            if foul is not None:
                broken.setdefault(foul.claim, drawn)
            findings.whole += foul is None
            findings.schedules += 1
            findings.clicks += referee.sent
            findings.reached |= referee.watch.reached
            findings.cells_bytes = max(findings.cells_bytes, referee.watch.bytes_max)
            findings.longest = max(findings.longest, referee.pair.first.longest(), key=lambda run: run.ticks)
            progress(findings.schedules)

        schedule()
        findings.broken = {claim: self._shortest(claim, drawn) for claim, drawn in broken.items()}
        return findings

    def _shortest(self, claim: Claim, drawn: Schedule) -> Finding:
        """The schedule with all taken away that the claim is broken without."""

        def breaks(shorter: Schedule) -> bool:
            _referee, foul = self.play(shorter)
            return foul is not None and foul.claim == claim

        until = time.monotonic() + SHORTEN_S
        shortened = True
        while shortened and time.monotonic() < until:
            shortened = False
            for shorter in _shorter(drawn):
                if breaks(shorter):
                    drawn, shortened = shorter, True
                    break
        referee, foul = self.play(drawn)
        text = foul.text if foul is not None else "it did not happen again: the step is not deterministic"
        return Finding(text, referee.told.lines)


def _shorter(drawn: Schedule) -> Iterator[Schedule]:
    """Schedules that are simpler by one thing: moves left out, the most first; then bytes made nothing."""
    size = len(drawn) // 2
    while size:
        for start in range(1, len(drawn) - size + 1):
            yield [*drawn[:start], *drawn[start + size :]]
        size //= 2
    for number, three in enumerate(drawn):
        for at, byte in enumerate(three):
            if at or not number:  # the first byte of a move is what kind it is
                for smaller in sorted({0, byte // 2, byte - 8, byte - 1} & set(range(byte))):
                    yield [*drawn[:number], three[:at] + bytes([smaller]) + three[at + 1 :], *drawn[number + 1 :]]
