"""The search for counterexamples: many random schedules, and the shortest found that breaks each invariant."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import hypothesis
import msgspec
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from engine.kit.check.budget import BudgetStage, LongestRun
from engine.kit.check.differential import DifferentialRun, StagePair
from engine.kit.check.invariants import Invariant, Violation
from engine.kit.check.schedule import TURN_BYTES, ScheduleDecoder
from engine.kit.stage.valkey import ThrowAwayValkey
from engine.playbooks.bounds import bounded
from engine.sdk import Playbook

SHORTEN_S = 10.0
MOVES_MIN, MOVES_MAX = 10, 30  # Hypothesis takes 20 on average

Schedule = Sequence[bytes]
SCHEDULES = st.lists(st.binary(min_size=TURN_BYTES, max_size=TURN_BYTES), min_size=MOVES_MIN, max_size=MOVES_MAX)
RANDOM = re.compile(r"\brandom\b")

# A `random` whose numbers depend on the click alone, so that it does not matter how clicks were batched. It is put
# before the first line of a step, so all its lines are where they were.
PER_CLICK_RANDOM = (
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


class PerClickRandomStage(BudgetStage):
    """A stage whose steps have that `random`; what it does by itself is not counted as theirs."""

    def script(self, playbooks: Iterable[Playbook]) -> str:
        """The measuring script, with PER_CLICK_RANDOM in front of each step."""
        tamed = [msgspec.structs.replace(playbook, step=PER_CLICK_RANDOM + playbook.step) for playbook in playbooks]
        return super().script(tamed).replace(bounded(PER_CLICK_RANDOM), PER_CLICK_RANDOM)


class Counterexample(NamedTuple):
    """A schedule that breaks an invariant: what is wrong, and the schedule as lines."""

    text: str
    lines: list[str]


class SearchResult(msgspec.Struct):
    """What many schedules have shown."""

    broken: dict[Invariant, Counterexample] = {}
    schedules: int = 0
    whole: int = 0  # those that broke nothing
    clicks: int = 0
    reached: set[int] = set()
    cells_bytes: int = 0
    longest: LongestRun = LongestRun()


class CounterexampleSearch:
    """Plays schedules of one playbook, on stages of its own.

    Steps that draw random numbers are played in two ways: most schedules with numbers that do not depend on how clicks
    were batched, so that batches can be compared with single clicks; some with the real ones, batch against batch.
    """

    def __init__(self, valkey: ThrowAwayValkey, playbook: Playbook, steps: Sequence[str]) -> None:
        self._valkey = valkey
        self._decoder = ScheduleDecoder(playbook, steps)
        self._pairs = [self._pair(PerClickRandomStage, playbook, 0, singly=True)]
        if RANDOM.search(playbook.step):
            self._pairs.append(self._pair(BudgetStage, playbook, 2, singly=False))

    def _pair(self, stage: type[BudgetStage], playbook: Playbook, database: int, *, singly: bool) -> StagePair:
        first, second = (stage(self._valkey.url, [playbook], database=database + one) for one in (0, 1))
        return StagePair(first, second, singly)

    def close(self) -> None:
        """Leave the databases empty."""
        for pair in self._pairs:
            pair.first.close()
            pair.second.close()

    def play(self, drawn: Schedule) -> tuple[DifferentialRun, Violation | None]:
        """Play one schedule; what it came to, and the invariant it breaks."""
        real = len(self._pairs) > 1 and drawn[0][0] % 4 == 3
        run = DifferentialRun(self._pairs[real], self._valkey.step_errors, self._decoder)
        try:
            run.play(drawn)
        except Violation as violation:
            return run, violation
        return run, None

    def run(self, examples: int, seed: int, progress: Callable[[int], None]) -> SearchResult:
        """Play `examples` schedules that follow from `seed`; `progress` hears how many have been played."""
        result = SearchResult()
        broken: dict[Invariant, Schedule] = {}

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
            run, violation = self.play(drawn)
            if violation is not None:
                broken.setdefault(violation.invariant, drawn)
            result.whole += violation is None
            result.schedules += 1
            result.clicks += run.sent
            result.reached |= run.checker.reached
            result.cells_bytes = max(result.cells_bytes, run.checker.bytes_max)
            result.longest = max(result.longest, run.pair.first.longest(), key=lambda run: run.ticks)
            progress(result.schedules)

        schedule()
        result.broken = {invariant: self._shrunk(invariant, drawn) for invariant, drawn in broken.items()}
        return result

    def _shrunk(self, invariant: Invariant, drawn: Schedule) -> Counterexample:
        """The schedule with all taken away that the invariant is broken without."""

        def breaks(shorter: Schedule) -> bool:
            _run, violation = self.play(shorter)
            return violation is not None and violation.invariant == invariant

        until = time.monotonic() + SHORTEN_S
        shortened = True
        while shortened and time.monotonic() < until:
            shortened = False
            for shorter in _smaller(drawn):
                if breaks(shorter):
                    drawn, shortened = shorter, True
                    break
        run, violation = self.play(drawn)
        text = violation.text if violation is not None else "it did not happen again: the step is not deterministic"
        return Counterexample(text, run.transcript.lines)


def _smaller(drawn: Schedule) -> Iterator[Schedule]:
    """Schedules that are simpler by one thing: turns left out, the most first; then bytes made nothing."""
    size = len(drawn) // 2
    while size:
        for start in range(1, len(drawn) - size + 1):
            yield [*drawn[:start], *drawn[start + size :]]
        size //= 2
    for number, three in enumerate(drawn):
        for at, byte in enumerate(three):
            if at or not number:  # the first byte of a turn is what kind it is
                for smaller in sorted({0, byte // 2, byte - 8, byte - 1} & set(range(byte))):
                    yield [*drawn[:number], three[:at] + bytes([smaller]) + three[at + 1 :], *drawn[number + 1 :]]
