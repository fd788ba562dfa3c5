"""The command line teaches, and an error is one line with an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import cli
from engine.local.embedded import free_port

CHECKOUT = Path(__file__).resolve().parents[3]


def wanfa(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("WANFA_")}
    return subprocess.run(
        [sys.executable, "-m", "engine.cli.main", *arguments],
        cwd=CHECKOUT,
        env={**inherited, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


SERVERS = {"WANFA_REDIS_HOT_URL": "redis://127.0.0.1:1", "WANFA_POSTGRES_URL": "postgresql://127.0.0.1:1/none"}
KIT = ["list", "new", "check", "play", "docs", "graph"]


@pytest.mark.parametrize("command", ["", *cli.commands, *(f"playbook {name}" for name in KIT)])
def test_help_shows_an_example(command: str) -> None:
    """Every command's help says how it is typed."""
    done = wanfa(*command.split(), "--help")
    assert done.returncode == 0
    assert f"wanfa {command}".strip() in done.stdout.split("\n", 1)[1]


def test_commands_are_the_six_of_the_design() -> None:
    assert set(cli.commands) == {"up", "serve", "worker", "migrate", "config", "playbook"}


def test_the_authors_kit_has_these_commands() -> None:
    """In the order of its help, which is the alphabet's."""
    done = wanfa("playbook", "--help")
    commands = done.stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in commands.splitlines()] == sorted(KIT)


def test_help_does_not_wait_for_the_kit() -> None:
    """`wanfa --help` lists the group without importing it."""
    code = (
        "import sys; from click.testing import CliRunner; from engine.cli.main import cli\n"
        "done = CliRunner().invoke(cli, ['--help']); assert 'playbook' in done.output\n"
        "assert not [name for name in sys.modules if name.startswith('engine.kit')]"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False).returncode == 0


def test_config_shows_values_and_where_they_come_from() -> None:
    done = wanfa("config", WANFA_ENV="test", WANFA_API_PORT="9000")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert rows["api.port"] == ["9000", "WANFA_API_PORT"]
    assert rows["auth.demo_logins"] == ["True", "test.toml"]
    assert rows["api.host"] == ["'127.0.0.1'", "default.toml"]


def test_config_hides_secrets() -> None:
    """Neither a password in an address nor the secret of tokens is printed."""
    done = wanfa(
        "config",
        WANFA_AUTH_SECRET="hush-hush-hush-hush",
        WANFA_POSTGRES_URL="postgresql://me:hush@db.example:5432/wanfa",
        WANFA_REDIS_HOT_URL="redis://:hush@cache.example:6379/0",
    )
    assert done.returncode == 0
    assert "hush" not in done.stdout
    assert "me:••••••@db.example:5432/wanfa" in done.stdout


def test_config_can_show_only_what_differs() -> None:
    done = wanfa("config", "--changed", WANFA_ENV="default", WANFA_GATE_SHARDS="8")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["gate.shards"]


def test_playbook_list_names_every_playbook_and_its_module() -> None:
    done = wanfa("playbook", "list")
    assert done.returncode == 0
    assert {"plugins.flash_sale", "plugins.group_buy"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "line"),
    [
        (("config",), {"WANFA_API_PROT": "1"}, 2, "wanfa: unknown setting WANFA_API_PROT"),
        (("config",), {"WANFA_ENV": "nosuch"}, 2, "wanfa: no config/nosuch.toml"),
        (("worker",), {}, 2, "wanfa: redis.hot_url is empty and no `wanfa up` runs on"),
        (("migrate",), {"WANFA_REDIS_HOT_URL": "redis://x"}, 2, "wanfa: postgres.url is empty and no `wanfa up` runs"),
        (("serve",), {**SERVERS, "WANFA_MONEY_PROVIDER": "wechat"}, 2, "wanfa: money.provider is 'wechat'"),
        (
            ("serve",),
            {**SERVERS, "WANFA_AUTH_SECRET": "short"},
            2,
            "wanfa: auth.secret must have at least 16 characters",
        ),
        (("nosuch",), {}, 2, "Error: No such command 'nosuch'."),
        (("playbook", "nosuch"), {}, 2, "Error: No such command 'nosuch'."),
        (("playbook", "docs", "NO_SUCH"), {}, 1, "wanfa: no playbook is called NO_SUCH; there are "),
        (("playbook", "play", "group-buy", "--rule", "target=1"), {}, 1, "wanfa: target: 成团人数 不能小于 2"),
        (("playbook", "new", "9lives"), {}, 2, "Error: '9lives' must be 2 to 32 letters, digits and single _ or -"),
    ],
)
def test_error_is_one_line(
    arguments: tuple[str, ...], environment: dict[str, str], code: int, line: str, tmp_path: Path
) -> None:
    """What is wrong and what to do, without a traceback."""
    done = wanfa(*arguments, **{"WANFA_HOME": str(tmp_path), **environment})
    assert done.returncode == code
    assert done.stderr.strip().splitlines()[-1].startswith(line)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "worker", "migrate"])
def test_unreachable_server_is_one_line(command: str, tmp_path: Path) -> None:
    """Its address is named, its password is not."""
    port = free_port()
    done = wanfa(
        command,
        WANFA_HOME=str(tmp_path),
        WANFA_API_PORT=str(free_port()),
        WANFA_REDIS_HOT_URL=f"redis://:hush@127.0.0.1:{port}/0",
        WANFA_POSTGRES_URL=f"postgresql://me:hush@127.0.0.1:{port}/wanfa",
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"wanfa: Postgres at 127.0.0.1:{port} does not answer")
    assert "check WANFA_POSTGRES_URL" in line
    assert "hush" not in line
