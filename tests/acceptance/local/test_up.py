"""`wanfa up`: one command starts everything, one signal ends it, nothing is lost and nothing left over."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from engine.local.embedded import Running, free_port
from tests.support.up import Up, up_in_a_folder
from tests.support.waiting import WAIT_S

PARTS = ("valkey-server", "bin/postgres", "main serve", "main worker")


def login(up: Up, username: str, password: str) -> dict[str, str]:
    answer = httpx.post(f"{up.url}/v1/auth/staff", json={"username": username, "password": password})
    assert answer.status_code in (200, 201), answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def items(up: Up, path: str, headers: dict[str, str]) -> list[Any]:
    answer = httpx.get(f"{up.url}/v1/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_life_of_a_demo() -> None:
    """Start, log in as shown, Ctrl-C, start again: the same people and products, and nobody orphaned."""
    with up_in_a_folder() as up:
        up.start()
        password = up.password()
        assert httpx.get(f"{up.url}/readyz").status_code == 200
        for username in ("hq", "finance", "store-1001", "clerk-1001", "store-1002", "clerk-1002"):
            login(up, username, password)
        products = items(up, "store/play-configs", login(up, "store-1001", password))
        assert {product["status"] for product in products} == {"PUBLISHED"}
        assert len(products) == len({product["templateCode"] for product in products}) >= 2
        assert up.end(signal.SIGINT) == 0
        assert up.until_gone() == {}

        up.start()
        assert up.password() == password
        again = items(up, "store/play-configs", login(up, "store-1001", password))
        assert [product["id"] for product in again] == [product["id"] for product in products]
        assert up.end(signal.SIGTERM) == 0
        assert up.until_gone() == {}


def test_killed_parts_come_back() -> None:
    """SIGKILL of each child in turn: started again, ready again, the others untouched."""
    with up_in_a_folder() as up:
        up.start()
        for part in PARTS:
            others = {other: up.pid_of(other) for other in PARTS if other != part}
            victim = up.pid_of(part)
            os.kill(victim, signal.SIGKILL)
            until_another(up, part, victim)
            up.until_ready()
            assert {other: up.pid_of(other) for other in others} == others
        assert up.end(signal.SIGHUP) == 0
        assert up.until_gone() == {}


def test_what_a_person_must_know_is_said_when_it_begins_and_when_it_is_over() -> None:
    """As /readyz warns of it, while everything runs."""
    with up_in_a_folder() as up:
        up.start()
        asyncio.run(
            tell(up, "INSERT INTO dead_intents (shard, entry_id, payload, error) VALUES (0, '1-1', 'x', 'odd')")
        )
        up.until_said("warning: 1 stream entries could not be made rows")
        asyncio.run(tell(up, "DELETE FROM dead_intents"))
        up.until_said("over: 1 stream entries could not be made rows")
        assert up.end(signal.SIGTERM) == 0


async def tell(up: Up, statement: str) -> None:
    """One statement to its Postgres."""
    servers = msgspec.json.decode((up.home / "servers.json").read_bytes())
    connection = await asyncpg.connect(servers["postgres_url"])
    await connection.execute(statement)
    await connection.close()


def until_another(up: Up, part: str, victim: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = [pid for pid, line in up.processes().items() if part in line and pid != victim]
        if found and victim not in up.processes():
            return
        time.sleep(0.02)
    raise AssertionError(up.output())


def test_supervisor_killed_leaves_nobody_and_loses_nothing() -> None:
    """SIGKILL of the supervisor itself ends every child; the next start finds the data."""
    with up_in_a_folder() as up:
        up.start()
        password = up.password()
        up.end(signal.SIGKILL)
        assert up.until_gone() == {}
        up.start()
        assert up.password() == password
        up.end()


def test_second_up_on_the_same_state_is_refused() -> None:
    """One line that says who is running; the first one does not notice."""
    with up_in_a_folder() as up:
        up.start()
        other = Up(up.home.parent, {})
        other.port = up.port  # as of somebody who types the same once more
        other._output = up.home.parent / "other-output"
        other.spawn()
        assert other.wait() == 2
        assert one_line(other) == (
            f"wanfa: another `wanfa up` (process {up.process.pid}) is running on {up.home}; "
            "end it, or set WANFA_HOME to a folder for this one"
        )
        up.until_ready()
        up.end()


def one_line(up: Up) -> str:
    """What it printed, which must be a single line."""
    lines = up.output().splitlines()
    assert len(lines) == 1, up.output()
    return lines[0]


def last_line(up: Up) -> str:
    """The reason it gave at the end."""
    assert "Traceback" not in up.output(), up.output()
    return up.output().splitlines()[-1]


def test_taken_port_is_one_line() -> None:
    """Nothing is started when the API could not listen anyway."""
    with up_in_a_folder() as up, socket.socket() as taken:
        taken.bind(("127.0.0.1", up.port))
        taken.listen()
        up.spawn()
        assert up.wait() == 1
        assert one_line(up) == (
            f"wanfa: port {up.port} of 127.0.0.1 is taken; end what listens there or set WANFA_API_PORT to another"
        )


def test_unwritable_state_is_one_line(tmp_path: Path) -> None:
    """A state folder that cannot be made."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with up_in_a_folder(WANFA_HOME=str(tmp_path / "file" / "state")) as up:
        up.spawn()
        assert up.wait() == 1
        assert str(tmp_path / "file" / "state") in one_line(up)
        assert "set WANFA_HOME" in one_line(up)


def test_unknown_setting_is_named() -> None:
    """A misspelt variable is an error, not silence."""
    with up_in_a_folder(WANFA_GATE_SHARDZ="3") as up:
        up.spawn()
        assert up.wait() == 2
        assert "WANFA_GATE_SHARDZ" in one_line(up)


@pytest.mark.parametrize("variable", ["WANFA_REDIS_HOT_URL", "WANFA_POSTGRES_URL"])
def test_unreachable_configured_server_is_one_line(variable: str) -> None:
    """The configured address is named, its password is not, and what was started is ended."""
    scheme = "redis" if "REDIS" in variable else "postgresql"
    port = free_port()
    with up_in_a_folder(**{variable: f"{scheme}://u:hush@127.0.0.1:{port}/0"}) as up:
        up.spawn()
        assert up.wait() == 1
        assert f"127.0.0.1:{port}" in last_line(up)
        assert variable in last_line(up)
        assert "hush" not in up.output()
        assert up.until_gone() == {}


@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0, 2.0])
def test_interrupted_while_starting(after_s: float) -> None:
    """Ctrl-C at any moment ends what has been started so far."""
    with up_in_a_folder() as up:
        up.spawn()
        up.until_said("starting valkey")
        time.sleep(after_s)
        up.end(signal.SIGINT)
        assert up.until_gone() == {}
        assert "Traceback" not in up.output()


def test_configured_servers_are_used_as_they_are(valkey: Running, database: str) -> None:
    """With both addresses set, no server of our own is started."""
    with up_in_a_folder(WANFA_REDIS_HOT_URL=valkey.url, WANFA_POSTGRES_URL=database) as up:
        up.start()
        lines = "\n".join(up.processes().values())
        assert "valkey-server" not in lines
        assert "bin/postgres" not in lines
        assert httpx.get(f"{up.url}/readyz").status_code == 200
        assert up.end() == 0
        assert up.until_gone() == {}
