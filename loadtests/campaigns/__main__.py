"""`python -m loadtests.campaigns NAME`: one campaign on a stack of its own, with its audit."""

import asyncio
import sys
import time
from types import ModuleType

import click
from rich.console import Console

from loadtests.campaigns import groups, holds, kill, stampede, torn

CAMPAIGNS: dict[str, ModuleType] = {
    "stampede": stampede,
    "groups": groups,
    "kill": kill,
    "torn-tail": torn,
    "short-holds": holds,
}


@click.command()
@click.argument("name", type=click.Choice([*CAMPAIGNS, "all"]))
@click.option("--size", type=click.Choice(["full", "short"]), default="full", show_default=True)
@click.option("--minutes", type=click.FloatRange(0, 240, min_open=True), help="Only `kill`: go on for so long.")
def main(name: str, size: str, minutes: float | None) -> None:
    """Run a campaign: a whole wanfa in a temporary folder, load over HTTP, then the auditor.

    Exit code 0 when every claim holds, 1 when one does not.
    """
    if minutes and name != "kill":
        raise click.UsageError("only the campaign `kill` goes on for --minutes")
    console = Console()
    results = [run(each, size, console, minutes) for each in (CAMPAIGNS if name == "all" else [name])]
    sys.exit(0 if all(results) else 1)


def run(name: str, size: str, console: Console, minutes: float | None = None) -> bool:
    """One campaign; True when every claim holds."""
    campaign = CAMPAIGNS[name]
    started = time.monotonic()
    console.rule(f"{name}, {f'{minutes:g} minutes' if minutes else size}")
    chosen = kill.lasting(minutes) if minutes else getattr(campaign, size.upper())
    holds_true: bool = asyncio.run(campaign.run(chosen, console))
    console.print(f"{name}: {'all claims hold' if holds_true else 'FAILED'} ({time.monotonic() - started:.1f} s)")
    return holds_true


if __name__ == "__main__":
    main()
