"""What the `wanfa` command shows on a terminal."""

import os
import tomllib
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import msgspec
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.core.settings import Settings, config_dir
from engine.local.health import Health, products
from engine.local.state import demo_password
from engine.playbooks.registry import Registry

COLOURS = {"valkey": "magenta", "postgres": "blue", "api": "green", "worker": "yellow", "wanfa": "cyan"}
NAME_WIDTH = max(map(len, COLOURS))
HIDDEN = "••••••"
UNTRIED = (
    "Manifests only: neither were steps run nor was a database asked for migrations. Every start of wanfa does both, "
    "and GET /readyz tells what it found; `wanfa playbook check CODE` runs the steps."
)


def printer(console: Console) -> Callable[[str, str], None]:
    """Prints a child's lines behind its name."""

    def show(name: str, line: str) -> None:
        text = Text(f"{name:>{NAME_WIDTH}} │ ", style=COLOURS.get(name, "white"))
        console.print(text + Text.from_ansi(line, style="default"), soft_wrap=True)

    return show


def say(console: Console, line: str) -> None:
    """One of the supervisor's own steps."""
    printer(console)("wanfa", line)


def welcome(console: Console, settings: Settings, health: Health) -> None:
    """What to open and how to log in; and what is sold without."""
    base = f"http://{settings.api.host}:{settings.api.port}"
    grid = Table.grid(padding=(0, 2))
    grid.add_row("API", f"{base}/v1")
    grid.add_row("its pages", f"{base}/schema/docs")
    grid.add_row("health", f"{base}/readyz")
    grid.add_row("Valkey", _place(settings.redis.hot_url))
    grid.add_row("Postgres", _place(settings.postgres.url))
    grid.add_row("state", settings.state.home)
    if settings.auth.demo_logins:
        grid.add_row()
        grid.add_row("staff", "hq  finance  store-1001  clerk-1001  store-1002  clerk-1002")
        grid.add_row("password", Text(demo_password(settings), style="bold"))
        grid.add_row("consumers", "any login code demo-<name>")
    if health.limits:
        grid.add_row()
    for name, why in sorted(health.quarantined.items()):
        grid.add_row("quarantined", _line(f"{name}: {why}"), style="yellow")
    for code, count in health.paused.items():
        grid.add_row("paused", _line(f"{products(count)} of {code}, which is not loaded"), style="yellow")
    colour = "yellow" if health.limits else "green"
    title = Text(f"wanfa is ready{health.limits}", style=f"bold {colour}")
    border = colour if health.limits else "none"
    console.print(Panel(grid, title=title, subtitle="Ctrl-C ends all of it", expand=False, border_style=border))


def _line(text: str) -> Text:
    """On one line, cut where the terminal ends: what is longer was said in full above."""
    return Text(" ".join(text.split()), no_wrap=True, overflow="ellipsis")


def settings_table(console: Console, settings: Settings, *, changed_only: bool) -> None:
    """Every setting, its value and where that comes from."""
    table = Table("setting", "value", "from", box=None, header_style="bold")
    for section, values in msgspec.to_builtins(settings).items():
        for key, value in values.items():
            source = _source(section, key)
            if not (changed_only and source == "default.toml"):
                table.add_row(f"{section}.{key}", _shown(key, value), source)
    console.print(table)


def playbooks_table(console: Console, registry: Registry) -> None:
    """Every playbook, where it comes from and whether it can be used; below, why one cannot."""
    table = Table("code", "name", "version", "source", "sdk", "state", box=None, header_style="bold")
    for name in sorted({*registry.loaded, *registry.quarantined}):
        table.add_row(*_described(registry, name), _state(registry, name))
    console.print(table)
    for name, error in sorted(registry.quarantined.items()):
        console.print(Text(f"\n{name} is quarantined: {error}", style="red"), soft_wrap=True)
    if not registry.tried:
        console.print(f"\n{UNTRIED}", style="dim")


def _described(registry: Registry, name: str) -> tuple[str, str, str, str, str]:
    """Code, name, version, source and SDK range; dashes for what a broken one does not tell."""
    source = str(registry.packages.get(name) or registry.sources.get(name, "-"))
    playbook = registry.loaded.get(name) or registry.manifests.get(name)
    if playbook is None:
        return "-", name, "-", source, "-"
    return str(playbook.code), str(playbook.name), str(playbook.version), source, str(playbook.sdk)


def _state(registry: Registry, name: str) -> Text:
    if name in registry.quarantined:
        return Text("quarantined", style="red")
    return Text("loaded", style="green")


def _source(section: str, key: str) -> str:
    variable = f"WANFA_{section}_{key}".upper()
    if variable in os.environ:
        return variable
    if (section, key) == ("state", "home") and "WANFA_HOME" in os.environ:
        return "WANFA_HOME"
    file = f"{os.environ.get('WANFA_ENV', 'dev')}.toml"
    layer = tomllib.loads((config_dir() / file).read_text(encoding="utf-8"))
    return file if key in layer.get(section, {}) else "default.toml"


def _shown(key: str, value: object) -> str:
    if key == "secret" and value:
        return HIDDEN
    if isinstance(value, str):
        return _without_password(value) if "://" in value else repr(value)
    return str(value)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0]}:{HIDDEN}@{place}"))


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}"
