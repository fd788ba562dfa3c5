"""`python -m loadtests.bench`: measures, prints one table.

    python -m loadtests.bench                       every row, about a quarter of an hour
    python -m loadtests.bench --quick               every row, too short to be quoted: does it run?
    python -m loadtests.bench --only joins --rounds 5 --seconds 6 --json out.json
    python -m loadtests.bench --only before --before ../before   this checkout against another one

The method is in loadtests/README.md. Exit code 1: a target was missed; 2: nothing could be measured, or a target
could not be judged.
"""

import argparse
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from loadtests.bench import answers, asgi_hot, before, facts, idle, joins, orders
from loadtests.bench.checkout import NoCheckout, command_of, commit_of
from loadtests.bench.cpu import CORES, busy_share, machine
from loadtests.bench.measure import Plan, Row
from loadtests.bench.peer import PeerMissing, find_node, node_flags
from loadtests.bench.stack import Stack, open_stack
from loadtests.bench.wrk import WrkMissing, find_wrk

BUSY_MAX = 0.1
BEFORE = "before"  # the one section with servers of its own
Section = Callable[[Stack, Plan], list[Row]]


def sections(options: argparse.Namespace) -> dict[str, Section]:
    """What can be measured, in this order: the last one throws Valkey's data away."""
    return {
        "asgi": asgi_hot.against_asgi,
        "joins": joins.against_peer,
        "orders": orders.persisted,
        "durability": joins.durability,
        "reads": answers.reads,
        "sold-out": answers.sold_out,
        "configs": partial(joins.many_configs, configs=options.configs),
        "idle": partial(idle.idle_playbooks, count=options.playbooks),
        "facts": partial(facts.weight_and_rebuild, holds=options.holds),
    }


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m loadtests.bench", description="Work per CPU-second, in one table.")
    line.add_argument("--rounds", type=int, default=3)
    line.add_argument("--seconds", type=float, default=4, help="of load in each round of each side")
    line.add_argument("--only", action="append", default=[], metavar="NAME", help="a section; may be repeated")
    line.add_argument("--quick", action="store_true", help="1 round of 1 second: shows that it runs, not how fast")
    line.add_argument("--people", type=int, default=50_000, help="distinct people who click")
    line.add_argument("--configs", type=int, default=10_000, help="configs on sale in the row of many configs")
    line.add_argument("--playbooks", type=int, default=20, help="idle playbooks installed in the row of idle ones")
    line.add_argument("--holds", type=int, default=100_000, help="holds to weigh and to rebuild")
    line.add_argument("--before", type=Path, metavar="CHECKOUT", help="measure against the wanfa in this folder, too")
    line.add_argument("--json", type=Path, help="also write the result here")
    return line


def print_table(console: Console, rows: list[Row], facts_of_run: dict[str, str]) -> None:
    """One line a row; ratios against their targets."""
    table = Table(title="work per CPU-second, medians of interleaved rounds", title_justify="left")
    for heading in ("row", "unit", "wanfa", "other", "ratio", "target", ""):
        table.add_column(heading, justify="right" if heading in {"wanfa", "other", "ratio", "target"} else "left")
    for row in rows:
        other = "" if row.other is None else f"{row.other:,.0f} {row.other_name}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        target = "" if row.target is None else f"≥ {row.target:g}"
        mark = {True: "reached", False: "missed", None: "" if row.target is None else "not judged"}[row.reached]
        ours = f"{row.ours:,.0f}" if row.ours >= 100 else f"{row.ours:,.2f}"
        table.add_row(row.name, row.unit, ours, other, ratio, target, mark)
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.name}: {row.note}")
        for side, values in row.rounds.items():
            console.print(f"  {side}: " + ", ".join(f"{value:,.0f}" for value in values), style="dim")
    console.print(", ".join(f"{name} {value}" for name, value in facts_of_run.items()))


def measure(options: argparse.Namespace, console: Console) -> tuple[list[Row], dict[str, str]]:
    """Run the chosen sections, each on servers of its own; rows and what they were measured on."""
    chosen = sections(options)
    _check_choice(options, [*chosen, BEFORE])
    plan = Plan(options.rounds, options.seconds, options.people, lambda text: console.print(f"  {text}", style="dim"))
    facts_of_run = machine(_node())
    facts_of_run["node flags"] = " ".join(node_flags()) or "none"
    facts_of_run["busy before"] = f"{busy_share():.0%}"
    rows: list[Row] = []
    for name, section in chosen.items():
        if options.only and name not in options.only:
            continue
        console.print(f"[bold]{name}[/bold]")
        with open_stack(options.people, plan.say) as stack:
            facts_of_run |= {f"valkey {key}": value or '""' for key, value in stack.valkey_settings().items()}
            rows += section(stack, plan)
    if options.before and (not options.only or BEFORE in options.only):
        console.print(f"[bold]{BEFORE}[/bold]")
        facts_of_run |= {"code now": commit_of(before.HERE), "code before": commit_of(options.before)}
        rows += before.against(options.before, plan)
    return rows, facts_of_run


def _check_choice(options: argparse.Namespace, names: list[str]) -> None:
    if unknown := [name for name in options.only if name not in names]:
        raise SystemExit(f"no section {', '.join(unknown)}; there are: {', '.join(names)}")
    if BEFORE in options.only and not options.before:
        raise SystemExit("--only before needs --before CHECKOUT: loadtests/README.md says how to get one")
    if options.before:
        try:
            command_of(options.before)
        except NoCheckout as error:
            raise SystemExit(str(error)) from None


def _node() -> str | None:
    try:
        return find_node()
    except PeerMissing:
        return None


def main() -> int:
    """Measure, print, write."""
    options = parser().parse_args()
    if options.quick:
        options.rounds, options.seconds, options.configs, options.holds = 1, 1, 200, 5000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a thousand connections, in every child
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    try:
        find_wrk()
    except WrkMissing as error:
        console.print(f"cannot measure: {error}")
        return 2
    if len(CORES) < 2:
        console.print("one core only: server, generator and Valkey share it; do not quote these figures")
    if (busy := busy_share()) > BUSY_MAX:
        console.print(f"the machine is {busy:.0%} busy already; do not quote these figures")
    rows, facts_of_run = measure(options, console)
    print_table(console, rows, facts_of_run)
    if options.json:
        table = [msgspec.to_builtins(row) | {"ratio": row.ratio, "reached": row.reached} for row in rows]
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": facts_of_run, "rows": table})))
    return 0 if options.quick else exit_code(rows)


def exit_code(rows: list[Row]) -> int:
    """0: every target was reached; 1: one was missed; 2: of one nobody can say, because its opponent is not here."""
    judged = [row.reached for row in rows if row.target is not None]
    if False in judged:
        return 1
    return 2 if None in judged else 0


if __name__ == "__main__":
    sys.exit(main())
