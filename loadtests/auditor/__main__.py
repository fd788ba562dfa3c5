"""`python -m loadtests.auditor`: audit three files, or write the dumps it reads."""

import asyncio
import sys
from pathlib import Path

import click
from rich.console import Console

from loadtests.auditor.audit import audit, report
from loadtests.auditor.dump import dump_postgres, dump_redis
from loadtests.auditor.evidence import load
from loadtests.auditor.verdict import Question

EXISTING = click.Path(exists=True, path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--journals", type=EXISTING, help="Folder of the clients' journals (*.jsonl).")
@click.option("--redis-dump", type=EXISTING, help="Written by `dump-redis`.")
@click.option("--postgres-dump", type=EXISTING, help="Written by `dump-postgres`, after the dump of Redis.")
@click.option("--quiescent", is_flag=True, help="All is drained: the stores must agree to the unit.")
@click.option("--torn", type=(int, int), multiple=True, help="From, to (Unix ms): writes that the disk has lost.")
@click.pass_context
def main(
    context: click.Context,
    *,
    journals: Path | None,
    redis_dump: Path | None,
    postgres_dump: Path | None,
    quiescent: bool,
    torn: tuple[tuple[int, int], ...],
) -> None:
    r"""Prove from outside that nothing was oversold, lost or done twice.

    Exit code 0: no violation; 1: violations, listed by id; 2: wrong use.

    \b
    python -m loadtests.auditor dump-redis redis://127.0.0.1:6379/0 redis.jsonl
    python -m loadtests.auditor dump-postgres postgresql://… postgres.jsonl
    python -m loadtests.auditor --journals DIR --redis-dump redis.jsonl --postgres-dump postgres.jsonl --quiescent
    """
    if context.invoked_subcommand is not None:
        return
    if not (journals and redis_dump and postgres_dump):
        raise click.UsageError("an audit needs --journals, --redis-dump and --postgres-dump")
    evidence = load(journals, redis_dump, postgres_dump)
    verdicts = audit(evidence, Question(quiescent=quiescent, torn=torn))
    sys.exit(0 if report(verdicts, Console()) else 1)


@main.command("dump-redis")
@click.argument("url")
@click.argument("out", type=click.Path(path_type=Path))
def dump_redis_command(url: str, out: Path) -> None:
    """Write the hot Redis at URL to OUT."""
    click.echo(f"{dump_redis(url, out)} records")


@main.command("dump-postgres")
@click.argument("url")
@click.argument("out", type=click.Path(path_type=Path))
def dump_postgres_command(url: str, out: Path) -> None:
    """Write the Postgres at URL to OUT."""
    click.echo(f"{asyncio.run(dump_postgres(url, out))} rows")


if __name__ == "__main__":
    main()
