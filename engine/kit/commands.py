"""The commands of `wanfa playbook`: from an empty folder to a playbook that is checked, played and explained."""

import shlex
import sys
from importlib import import_module
from pathlib import Path

import click
from rich.console import Console

from engine.cli import screen
from engine.core.errors import BadInput, PlaybookInvalid
from engine.core.settings import load_settings
from engine.kit.docs import graph, pages
from engine.kit.docs.renew import renewed
from engine.kit.find import find_playbook
from engine.kit.new.scaffold import TITLE, Plan, write_package
from engine.kit.typed import tool
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook

EXIT_CANNOT = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def playbook() -> None:
    """Write, check, try and explain a playbook.

    \b
    From an empty folder to a live sale:
        wanfa playbook new LUCKY_DRAW      # a complete package that works
        wanfa playbook check LUCKY_DRAW    # does it keep the contract?
        wanfa playbook play LUCKY_DRAW     # watch it in fast-forwarded time
        wanfa playbook docs LUCKY_DRAW     # the page for operators
        wanfa up --reload                  # sell with it, and edit it meanwhile

    NAME is a code, an entry point's name, or a folder, of a package or project that need not be installed:

    \b
        LUCKY_DRAW   lucky-draw   ./wanfa-lucky-draw   .
    """


@playbook.command("list")
def list_playbooks() -> None:
    """Show each installed playbook, and why one could not be loaded.

    \b
        wanfa playbook list

    Exit code 1 when one is quarantined. A playbook is a module with an entry point in the group
    `wanfa.playbooks`; plugins/README.md tells how to write one.

    Next: `wanfa playbook docs CODE` explains one, `wanfa playbook new NAME` begins another.
    """
    registry = load_playbooks(load_settings().playbooks.disabled)
    screen.playbooks_table(Console(highlight=False), registry)
    sys.exit(EXIT_CANNOT if registry.quarantined else 0)


@playbook.command()
@click.argument("name")
@click.option(
    "--dir", "parent", type=click.Path(path_type=Path, file_okay=False), default=".", help="Where to make it."
)
@click.option("--title", default=TITLE, show_default=True, help="What people call it, in Chinese.")
def new(name: str, parent: Path, title: str) -> None:
    """Write a complete playbook package that passes its checks as it is.

    \b
        wanfa playbook new LUCKY_DRAW
        wanfa playbook new lucky-draw --title 幸运抽奖 --dir ~/playbooks

    It is a small real game: a round with a target and a countdown; everybody is paid back when the target is
    missed. Change it into yours one file at a time; each says at its top what it is for.

    Next: install it beside wanfa, then `wanfa playbook check NAME`; the commands are printed.
    """
    try:
        plan = Plan.of(name, title, parent)
    except BadInput as error:
        raise click.UsageError(str(error)) from None
    taken = load_playbooks().sources.get(plan.code)
    if taken is not None:
        raise click.UsageError(f"{plan.code} is the code of {taken}, which is installed")
    try:
        files = write_package(plan)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    click.echo(f"made {plan.folder}")
    for file in files:
        click.echo(f"  {file.relative_to(plan.folder)}")
    python, wanfa = tool("python", sys.executable), tool("wanfa")
    click.echo(f"\nNext:\n  {python} -m pip install -e {shlex.quote(str(plan.folder))}")
    click.echo(f"  {wanfa} playbook check {plan.code}\n  {wanfa} playbook play {plan.code}")
    tested = shlex.quote(f"{plan.folder}[test]")
    click.echo(f"  {python} -m pip install -e {tested} && {python} -m pytest {shlex.quote(str(plan.folder))}")
    click.echo(f"  {wanfa} up --reload")


@playbook.command()
@click.argument("name")
@click.option("--examples", type=click.IntRange(1, 100_000), default=2000, show_default=True, help="Random schedules.")
@click.option("--seed", type=int, help="Repeat the run that was printed with this seed.")
def check(name: str, examples: int, seed: int | None) -> None:
    """Check that a playbook keeps the contract, on a Valkey of its own.

    \b
        wanfa playbook check LUCKY_DRAW
        wanfa playbook check ./wanfa-lucky-draw --examples 200   # a quick look

    The form, the examples, the states, and thousands of random schedules: stock is conserved, nothing happens
    twice, deadlines resolve, steps are pure, quick and bounded. Exit code 1 when something is broken.

    Next: `wanfa playbook play NAME` shows step by step what it does.
    """
    run_check = import_module("engine.kit.check.terminal").run_check
    passed = run_check(name, examples=examples, seed=seed, console=Console(highlight=False))
    sys.exit(0 if passed else EXIT_CANNOT)


@playbook.command()
@click.argument("name")
@click.option("--example", type=click.IntRange(1), default=1, show_default=True, help="Which of its examples.")
@click.option("--rule", "rules", multiple=True, metavar="KEY=VALUE", help="Another value for a rule; JSON or text.")
@click.option("--people", type=click.IntRange(1, 1000), default=6, show_default=True, help="How many take part.")
@click.option("--steps", type=click.IntRange(1, 10_000), default=40, show_default=True, help="How many turns at most.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed plays the same game.")
@click.option("--pace", type=click.FloatRange(0, 60), default=0.0, metavar="SECONDS", help="Wait between turns.")
@click.option("--ask", is_flag=True, help="Choose each turn yourself.")
def play(
    name: str, example: int, rules: tuple[str, ...], people: int, steps: int, seed: int, pace: float, ask: bool
) -> None:
    """Play with a playbook: simulated people, fast-forwarded time, every change shown.

    \b
        wanfa playbook play LUCKY_DRAW
        wanfa playbook play LUCKY_DRAW --rule target=2 --people 4 --seed 7
        wanfa playbook play ./wanfa-lucky-draw --pace 0.5 --ask

    It puts the playbook's example on sale on a throw-away Valkey, lets people open, join, act, pay and leave, and
    moves the clock to what is due. Each turn shows its outcome, the cells it changed, the stock and the intents.
    Exit code 1 when a step failed or units are missing.

    Next: `wanfa playbook check NAME` tries thousands of such games.
    """
    from engine.kit.play.simulation import PlayOptions, run_play

    options = PlayOptions(example=example, rules=rules, people=people, steps=steps, seed=seed, pace_s=pace, ask=ask)
    sound = run_play(_found(name), options, Console(highlight=False))
    sys.exit(0 if sound else EXIT_CANNOT)


@playbook.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead.")
@click.option("--force", is_flag=True, help="Renew what is read off the manifest in a file that is there.")
def docs(name: str, out: Path | None, force: bool) -> None:
    """Write the page for operators: rules, states, actions, metrics.

    \b
        wanfa playbook docs LUCKY_DRAW
        wanfa playbook docs ./wanfa-lucky-draw --out rules.md

    Markdown in Chinese, read off the manifest; the states are a Mermaid diagram. A playbook's README keeps the
    same table of rules. In a file that is there, --force renews tables, drawings and the version, adds those that are
    missing, and keeps everything else that somebody has written.
    """
    page = pages.operator_page(_found(name))
    if out is None:
        click.echo(page, nl=False)
        return
    try:
        if force and out.exists():
            page = renewed(out.read_text(encoding="utf-8"), page)
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(page)
    except FileExistsError:
        raise click.ClickException(f"{out} exists; --force renews its tables and keeps what else is in it") from None
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from None
    click.echo(f"wrote {out}")


@playbook.command("graph")
@click.argument("name")
@click.option("--mermaid", is_flag=True, help="The source of a Mermaid diagram, for a page.")
def show_graph(name: str, mermaid: bool) -> None:
    """Draw the states of an instance, and what each end means for its orders.

    \b
        wanfa playbook graph LUCKY_DRAW
        wanfa playbook graph LUCKY_DRAW --mermaid > states.mmd
    """
    draw = graph.mermaid if mermaid else graph.drawing
    click.echo(draw(_found(name)), nl=False)


def _found(name: str) -> Playbook:
    found = find_playbook(name)
    if found.playbook is None:
        raise PlaybookInvalid(found.error)
    return found.playbook
