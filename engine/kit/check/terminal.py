"""`wanfa playbook check`: the conformance kit in a terminal, a line for each check."""

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hypothesis.configuration import set_hypothesis_home_dir
from rich.console import Console
from rich.markup import escape
from rich.status import Status as Spinner

from engine.kit.check.conformance import BlockedError, BrokenError, Conformance
from engine.kit.find import find_playbook
from engine.kit.manifest.states import starts
from engine.playbooks.bounds import TICKS_MAX
from engine.sdk import Playbook, Status

GUIDE = "plugins/README.md"
SCHEDULES = 2000


class Result(NamedTuple):
    """What one check came to; no `fault`: it passed. `known` is False when something else has to be mended first."""

    name: str
    claim: str
    section: str
    seconds: float
    fault: str
    known: bool = True


def run_check(name: str, *, examples: int = SCHEDULES, seed: int | None = None, console: Console) -> bool:
    """Check the playbook called `name`, show each check as it ends; whether all passed. The seed is 0 if not given."""
    found = find_playbook(name)
    if found.playbook is None:
        console.print(
            f"[red]✗[/red] it cannot be loaded: {escape(found.error)}\n  see {GUIDE}, When something is wrong"
        )
        return False
    started = time.monotonic()
    with _no_litter(), console.status("") as spinner:
        checks = conformance_of(found.playbook, schedules=examples, seed=seed or 0, spinner=spinner)
        results = []
        for result in results_of(checks, spinner):
            if result.known:
                _show(console, result)
            results.append(result)
        _show_waiting(console, [result for result in results if not result.known])
    _sum_up(console, checks, results, time.monotonic() - started)
    return not any(result.fault for result in results)


@contextmanager
def _no_litter() -> Iterator[None]:
    """No notes of Hypothesis in the current folder, which may be any; no tracebacks of what is shown as a fault."""
    silence, log = logging.NullHandler(), logging.getLogger("engine.playbooks.consult")
    with tempfile.TemporaryDirectory(prefix="wanfa-check-") as folder:
        set_hypothesis_home_dir(folder)
        log.addHandler(silence)
        try:
            yield
        finally:
            log.removeHandler(silence)
            set_hypothesis_home_dir(None)


def conformance_of(playbook: Playbook, *, spinner: Spinner | None = None, **attributes: Any) -> type[Conformance]:
    """The checks of one playbook; `attributes` are Conformance's."""

    def played(cls: type[Conformance], count: int) -> None:
        if spinner is not None and count % 10 == 0:
            spinner.update(f"schedule {count} of {cls.schedules}")

    return type("Checks", (Conformance,), {"playbook": playbook, "played": classmethod(played), **attributes})


def results_of(checks: type[Conformance], spinner: Spinner | None = None) -> Iterator[Result]:
    """Run every check, in order."""
    checks.setup_class()
    try:
        for name in vars(Conformance):
            if name.startswith("test_"):
                check = getattr(checks(), name)
                if spinner is not None:
                    spinner.update(check.__doc__)
                yield _run(name, check)
    finally:
        checks.teardown_class()


def _run(name: str, check: Any) -> Result:
    fault, known = "", True
    started = time.monotonic()
    try:
        check()
    except BlockedError as error:
        fault, known = str(error), False
    except BrokenError as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001  # a stranger's functions may raise anything, anywhere
        fault = f"{type(error).__name__}: {error}"
    claim = (check.__doc__ or name).strip().splitlines()[0]
    return Result(name, claim, check.section, time.monotonic() - started, fault, known)


def _show(console: Console, result: Result) -> None:
    took = f" [dim]{result.seconds:.1f} s[/dim]" if result.seconds >= 0.1 else ""
    if not result.fault:
        console.print(f"[green]✓[/green] {escape(result.claim)}{took}", soft_wrap=True)
        return
    mark = "[red]✗[/red]" if result.known else "[yellow]?[/yellow]"
    console.print(f"{mark} {escape(result.claim)}{took}", soft_wrap=True)
    for line in result.fault.splitlines():
        console.print(f"    {escape(line)}", style=None if result.known else "dim", soft_wrap=True)
    if result.known:
        console.print(f"    see {GUIDE}, {result.section}", style="dim")


def _show_waiting(console: Console, waiting: list[Result]) -> None:
    """What could not be told: why, once for all checks that wait for the same."""
    for fault in dict.fromkeys(result.fault for result in waiting):
        same = [result for result in waiting if result.fault == fault]
        claim = same[0].claim if len(same) == 1 else f"{len(same)} more checks wait for that"
        _show(console, same[0]._replace(claim=claim, seconds=0.0))


def _sum_up(console: Console, checks: type[Conformance], results: list[Result], seconds: float) -> None:
    broken = sum(bool(result.fault) and result.known for result in results)
    unknown = sum(not result.known for result in results)
    searched = checks.searched
    if searched is not None:
        reached = ", ".join(Status(one).name for one in sorted(searched.reached))
        played = f"{searched.schedules:,} schedules with {searched.clicks:,} clicks and events"
        console.print(f"\n{played}, seed {checks.seed}; instances were {reached}", style="dim", soft_wrap=True)
        missed = [one.name for one in Status if one in _named(checks.playbook) and one not in searched.reached]
        if missed:
            said = f"no schedule reached {', '.join(missed)}: play more of them, or give an example that 16 people can"
            console.print(f"[yellow]![/yellow] {said} bring there", soft_wrap=True)
    if (costs := checks.dearest) is not None:
        dearest, longest = costs.cost, costs.longest
        said = f"the dearest click, {dearest.kind}, takes Valkey {dearest.click_us:.0f} µs; the longest step"
        console.print(
            f"{said}, {longest.kind}, uses {longest.ticks:,} of its {TICKS_MAX:,} loops and calls",
            style="dim",
            soft_wrap=True,
        )
    verdict = "[green]passed[/green]" if not broken + unknown else f"[red]{broken} broken[/red]"
    rest = f", {unknown} cannot be told yet" if unknown else ""
    console.print(f"{len(results)} checks in {seconds:.1f} s: {verdict}{rest}")


def _named(playbook: Playbook) -> set[Status]:
    moves = playbook.states.moves
    return {*starts(playbook), *moves, *(status for following in moves.values() for status in following)}
