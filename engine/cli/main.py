"""The `wanfa` command. Each command says in its help what it does, shows an example and names the next step."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn, TypeVar

import click
import msgspec
import uvloop
from rich.console import Console

from engine.cli import screen
from engine.core.errors import SettingsInvalid, WanfaError
from engine.core.settings import Settings, load_settings

EXIT_CANNOT = 1
EXIT_MISUSED = 2  # as click's own for a wrong option
EXIT_INTERRUPTED = 130

Command = TypeVar("Command", bound=Callable[..., Any])


def api_options(command: Command) -> Command:
    """--host, --port and --workers, which win over the settings."""
    for option in (
        click.option("--workers", type=click.IntRange(1, 64), help="API processes (api.workers)."),
        click.option("--port", type=click.IntRange(1, 65535), help="Where the API listens (api.port)."),
        click.option("--host", help="Address the API listens on (api.host)."),
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("wanfa"), message="wanfa %(version)s")
def cli() -> None:
    """wanfa 玩法: flash sales that never oversell.

    \b
    On a developer's machine, one command runs everything:
        wanfa up
    In production, point at real servers and run the parts:
        export WANFA_REDIS_HOT_URL=redis://… WANFA_POSTGRES_URL=postgresql://…
        wanfa migrate && wanfa serve      # and, beside it, one or more:
        wanfa worker

    Every setting stands in config/default.toml; WANFA_<SECTION>_<KEY> changes one; `wanfa config` shows
    what is in force.
    """


@cli.command()
@api_options
@click.option("--reload", is_flag=True, help="Start api and worker again when a file or an installed playbook changes.")
def up(host: str | None, port: int | None, workers: int | None, *, reload: bool) -> None:
    """Run everything: Valkey, Postgres, migrations, demo data, API, worker.

    \b
    Ctrl-C ends all of it; the data stays in .wanfa/ and is there on the next start.
        wanfa up                                  # http://127.0.0.1:8000
        wanfa up --port 8080
        wanfa up --reload                         # while you write a playbook
        WANFA_POSTGRES_URL=postgresql://… wanfa up  # your Postgres instead of the embedded one

    Next: log in as shown, or follow the tour in README.md.
    """
    from engine.local.supervisor import Supervisor

    load = partial(_settings, host, port, workers)
    console = Console(highlight=False)
    supervisor = Supervisor(
        load(),
        show=screen.printer(console),
        say=lambda line: screen.say(console, line),
        reload=load if reload else None,
    )
    asyncio.run(supervisor.run(lambda: screen.welcome(console, supervisor.settings, supervisor.health)))


@cli.command()
@api_options
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Run the API only, on the configured servers.

    \b
        WANFA_REDIS_HOT_URL=redis://… WANFA_POSTGRES_URL=postgresql://… wanfa serve --host 0.0.0.0

    Next: GET /readyz answers 200 once a `wanfa worker` has opened the shards.
    """
    from engine.local.state import complete
    from engine.runtime.serve import serve as serve_api

    serve_api(complete(_settings(host, port, workers)))


@cli.command()
def worker() -> None:
    """Run a worker: orders into Postgres, holds released, groups ended, shards recovered.

    Several may run, on several machines. Without one nothing is lost, but orders wait in Redis.

    \b
        wanfa worker
    """
    from engine.local.state import complete
    from engine.runtime.worker import run_worker

    run_worker(complete(load_settings()))


@cli.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when there is something to apply.")
def migrate(*, check: bool) -> None:
    """Bring the database up to date, the engine's tables and the playbooks' own.

    \b
        wanfa migrate            # before each new version is started; safe to repeat
        wanfa migrate --check    # in a deployment's pipeline

    A playbook whose migrations fail is named and left out, and the exit code is 1; all else is migrated.

    Next: start the new `wanfa serve` and `wanfa worker`.
    """
    from engine.local.state import complete
    from engine.runtime.database import pending_database, prepare_database

    settings = complete(load_settings())
    run = pending_database if check else prepare_database
    migrated = uvloop.run(run(settings))
    for label in migrated.applied:
        click.echo(f"{'would apply' if check else 'applied'} {label}")
    for code, why in migrated.refused.items():
        click.echo(f"playbook {code} is left out: {why}", err=True)
    if not (migrated.applied or migrated.refused):
        click.echo("the database is up to date")
    sys.exit(EXIT_CANNOT if migrated.refused or (check and migrated.applied) else 0)


@cli.command()
@click.option("--changed", is_flag=True, help="Only what differs from config/default.toml.")
def config(*, changed: bool) -> None:
    """Show the settings in force and where each comes from; secrets are hidden.

    \b
        wanfa config
        WANFA_ENV=test wanfa config --changed
        WANFA_API_PORT=9000 wanfa config
    """
    screen.settings_table(Console(highlight=False), load_settings(), changed_only=changed)


class Kit(click.Group):
    """The commands of the playbook author's kit, which stands above this floor: imported when one is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return self._loaded().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them."""
        return self._loaded().get_command(ctx, cmd_name)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Their group's own help."""
        self._loaded().format_help(ctx, formatter)

    def _loaded(self) -> click.Group:
        group: click.Group = import_module("engine.kit.commands").playbook
        return group


cli.add_command(Kit("playbook", short_help="Write, check, try and explain a playbook."))


def _settings(host: str | None, port: int | None, workers: int | None) -> Settings:
    settings = load_settings()
    given = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(settings, api=msgspec.structs.replace(settings.api, **changes))


def main() -> NoReturn:
    """Run it; an error a person can do something about is one line, not a traceback."""
    try:
        sys.exit(cli.main(prog_name="wanfa", standalone_mode=False))
    except click.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except SettingsInvalid as error:
        _fail(error, EXIT_MISUSED)
    except WanfaError as error:
        _fail(error, EXIT_CANNOT)


def _fail(error: WanfaError, code: int) -> NoReturn:
    click.secho("wanfa: ", fg="red", err=True, nl=False)
    click.echo(" ".join(str(error).split()), err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
