"""One measurement, interleaved rounds of two, and the rows they become."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

import msgspec

from loadtests.bench.cpu import cpu_seconds
from loadtests.bench.wrk import Run, Target, run_wrk


@dataclass
class Sample:
    """Work done, and the CPU it took: `cpu_s` of what the row is about, `beside` of others."""

    work: int
    cpu_s: float
    wall_s: float
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Work per CPU-second; 0 when no CPU time was counted."""
        return self.work / self.cpu_s if self.cpu_s else 0.0

    def rate_of(self, name: str) -> float:
        """Work per CPU-second of something beside."""
        return self.work / self.beside[name] if self.beside.get(name) else 0.0


class Row(msgspec.Struct, rename="camel", kw_only=True):
    """A line of the table. `rounds`: each side's value of every round. `target` is of the ratio; None: only printed."""

    name: str
    unit: str
    ours: float
    other: float | None = None
    other_name: str = ""
    target: float | None = None
    rounds: dict[str, list[float]] = {}
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours / the other's."""
        return self.ours / self.other if self.other else None

    @property
    def reached(self) -> bool | None:
        """Whether the ratio is at least the target; None without one, or while nothing is known of the other."""
        return None if self.target is None or self.ratio is None else self.ratio >= self.target


Say = Callable[[str], None]


@dataclass
class Plan:
    """How long and how often. `say` tells the person who waits."""

    rounds: int
    seconds: float
    people: int
    say: Say


def load(
    target: Target, connections: int, seconds: float, pids: list[int], beside: Mapping[str, list[int]] | None = None
) -> tuple[Run, Sample]:
    """Load `target` and count answers (2xx as work) against the CPU time of `pids`."""
    others = beside or {}
    before = cpu_seconds(pids), {name: cpu_seconds(ids) for name, ids in others.items()}
    run = run_wrk(target, connections, seconds)
    spent = cpu_seconds(pids) - before[0]
    extra = {name: cpu_seconds(ids) - before[1][name] for name, ids in others.items()}
    if run.broken or run.timeouts:
        raise RuntimeError(
            f"{target.path} on port {target.port}: {run.broken} broken connections, {run.timeouts} timeouts"
        )
    return run, Sample(run.good, spent, run.seconds, extra)


def check_answers(target: Target, connections: int, wanted: str, seconds: float = 1.0) -> None:
    """A run in which every answer is read; RuntimeError when one is not `wanted`, such as `201 RESERVED`."""
    run = run_wrk(target, connections, seconds, checked=True)
    others = {answer: count for answer, count in run.answers.items() if answer != wanted}
    if others or not run.answers:
        raise RuntimeError(f"{target.path} on port {target.port} should answer {wanted}, but: {run.answers}")


Measurement = Callable[[], Sample]


def interleave(name: str, sides: Mapping[str, Measurement], plan: Plan) -> dict[str, list[Sample]]:
    """A B A B …: each side once a round."""
    samples: dict[str, list[Sample]] = {side: [] for side in sides}
    for number in range(plan.rounds):
        for side, once in sides.items():
            sample = once()
            samples[side].append(sample)
            plan.say(f"{name}, round {number + 1}/{plan.rounds}, {side}: {sample.rate:,.0f} per CPU-second")
    return samples


def compare(name: str, unit: str, samples: Mapping[str, list[Sample]], target: float | None, note: str = "") -> Row:
    """The row of an interleaved run; the first side is ours, a second one the other's."""
    rates = {side: [round(sample.rate, 1) for sample in taken] for side, taken in samples.items()}
    (_ours, mine), *rest = rates.items()
    other_name, theirs = rest[0] if rest else ("", [])
    return Row(
        name=name,
        unit=unit,
        ours=median(mine),
        other=median(theirs) if theirs else None,
        other_name=other_name,
        target=target,
        rounds=rates,
        note=note,
    )
