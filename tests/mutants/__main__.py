"""`python -m tests.mutants`: plant every bug of the table, and see which ones the tests notice."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from threading import Lock

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.mutants.campaign import copies
from tests.mutants.row import Row
from tests.mutants.run import GOOD, TARGET, Result, missed
from tests.mutants.table import PACKAGES, faults, rows_of

COLOURS = {"caught": "green", "equivalent": "cyan"}
LINES_SHOWN = 25


@click.command()
@click.option("--only", metavar="PACKAGES", help=f"Comma-separated: {', '.join(PACKAGES)}.")
@click.option("--named", metavar="TEXT", help="Only rows whose name holds this.")
@click.option("--jobs", type=click.IntRange(1), help="How many at once; as many as there are cores.")
@click.option("--survivors", is_flag=True, help="List only what was not caught, with the end of what the tests said.")
@click.option("--no-control", is_flag=True, help="Do not run the tests without a bug first.")
def main(*, only: str | None, named: str | None, jobs: int | None, survivors: bool, no_control: bool) -> None:
    """Plant bugs one at a time in copies of the checkout, and run for each the tests most likely to notice.

    Exit code 0: at least 98 % of them are caught and the rest of the table is right; 1: not so; 2: wrong use.
    """
    packages = only.split(",") if only else PACKAGES
    if unknown := set(packages) - set(PACKAGES):
        raise click.UsageError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}")
    rows = [row for row in rows_of(packages) if not named or named in row.what]
    console = Console(highlight=False)
    if wrong := list(faults(rows)):
        console.print("\n".join(wrong), style="red", markup=False)
        sys.exit(1)
    started = time.monotonic()
    results = _campaign(rows, jobs or 0, console, control=not no_control)
    _print(results, console, survivors=survivors)
    counted = Counter(result.fate for result in results)
    bugs, not_caught = len(results) - counted["equivalent"], len(missed(results))
    took_s = time.monotonic() - started
    console.print(f"{bugs - not_caught} of {bugs} bugs caught, {counted['equivalent']} equivalent; {took_s:.0f} s")
    sys.exit(0 if not_caught <= (1 - TARGET) * bugs and not counted["wrong"] else 1)


def _campaign(rows: Sequence[Row], jobs: int, console: Console, *, control: bool) -> list[Result]:
    done: list[Result] = []
    lock = Lock()

    def said(result: Result) -> None:
        with lock:
            done.append(result)
            fate = result.fate
            line = f"{len(done):4}/{len(rows)} {fate:10} {result.ran.seconds:5.1f} s  {result.row.what}"
            console.print(line, style="" if fate in GOOD else "red", markup=False, soft_wrap=True)

    with copies(jobs) as lent:
        if control:
            console.print("without a bug …")
            for ran in lent.control(rows):
                console.print(ran.output, style="red", markup=False)
                console.print("The tests are not green without a bug: nothing they say of one counts.", style="red")
                sys.exit(1)
        return lent.try_rows(rows, said)


def _print(results: Sequence[Result], console: Console, *, survivors: bool) -> None:
    """One line a row: what became of it, how long that took, what is wrong, and which test noticed."""
    table = Table(title="mutants", title_justify="left")
    for column in ("fate", "s", "what is wrong then", "noticed by, or why not"):
        table.add_column(column, overflow="fold")
    for row, fate, ran in results:
        if survivors and fate == "caught":
            continue
        said = row.equivalent or ran.failed.rpartition("/")[2]
        colour = COLOURS.get(fate, "red")
        table.add_row(f"[{colour}]{fate}[/]", f"{ran.seconds:.1f}", escape(row.what), escape(said))
    console.print(table)
    for row, fate, ran in missed(results) if survivors else ():
        console.print(f"\n{row.what}: {fate}", style="bold red", markup=False)
        console.print("\n".join(ran.output.splitlines()[-LINES_SHOWN:]), markup=False)


if __name__ == "__main__":
    main()
