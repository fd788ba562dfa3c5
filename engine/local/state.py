"""The state folder (`.wanfa/`): embedded servers' data, generated secrets, and who is running on it.

lock            held by the running `wanfa up`
servers.json    addresses of the running embedded servers, for `wanfa worker` in another terminal
secrets/        one file each, 0600: auth, postgres, valkey, demo
valkey/ postgres/
"""

import fcntl
import os
import secrets
from pathlib import Path

import msgspec

from engine.core.errors import ServerUnreachable, SettingsInvalid
from engine.core.settings import Settings
from engine.local.programs import unwritable, write_private

SECRET_BYTES = 24
DEMO_PASSWORD_BYTES = 9


class Servers(msgspec.Struct, frozen=True):
    """Where the embedded servers listen; passwords included."""

    hot_url: str
    postgres_url: str


class StateFolder:
    """One state folder; `open` it to make it."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._lock: int | None = None

    def open(self) -> None:
        """Make it if it is missing. ServerUnreachable when it can't be written."""
        # Root's Postgres runs as nobody and must pass through; what is secret lies deeper.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        try:
            self.home.mkdir(mode=mode, parents=True, exist_ok=True)
            (self.home / "secrets").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise unwritable(self.home, error) from None

    def lock(self) -> None:
        """Keep others out until `unlock` or the end of this process. SettingsInvalid when somebody was first."""
        try:
            descriptor = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(self.home, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip()
            os.close(descriptor)
            raise SettingsInvalid(
                f"another `wanfa up` (process {holder}) is running on {self.home}; "
                "end it, or set WANFA_HOME to a folder for this one"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Let others in; nothing when it was not locked."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str, bytes_of_chance: int = SECRET_BYTES) -> str:
        """A generated secret, the same on every start."""
        path = self.home / "secrets" / name
        try:
            if not path.exists():
                draft = path.with_name(f"{name}.{os.getpid()}")
                write_private(draft, _drawn(bytes_of_chance))
                draft.replace(path)
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise unwritable(self.home, error) from None

    def publish(self, servers: Servers) -> None:
        """Say where the embedded servers listen."""
        try:
            write_private(self.home / "servers.json", msgspec.json.encode(servers).decode())
        except OSError as error:
            raise unwritable(self.home, error) from None

    def retract(self) -> None:
        """The embedded servers are gone."""
        (self.home / "servers.json").unlink(missing_ok=True)

    def servers(self) -> Servers | None:
        """Where the embedded servers listen; None when none run."""
        try:
            return msgspec.json.decode((self.home / "servers.json").read_bytes(), type=Servers)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ServerUnreachable(f"{self.home / 'servers.json'} can't be read: {error}") from None


def complete(settings: Settings) -> Settings:
    """`settings` with what they leave empty: the running embedded servers and the generated secret.

    SettingsInvalid when no embedded server runs on the state folder.
    """
    state = StateFolder(Path(settings.state.home))
    if settings.redis.hot_url and settings.postgres.url:
        return with_servers(settings, state, "", "")
    servers = state.servers()
    if servers is None:
        empty, variable = (
            ("postgres.url", "WANFA_POSTGRES_URL")
            if settings.redis.hot_url
            else ("redis.hot_url", "WANFA_REDIS_HOT_URL")
        )
        raise SettingsInvalid(f"{empty} is empty and no `wanfa up` runs on {state.home}: start one, or set {variable}")
    return with_servers(settings, state, servers.hot_url, servers.postgres_url)


def with_servers(settings: Settings, state: StateFolder, hot_url: str, postgres_url: str) -> Settings:
    """`settings` where empty addresses are these, and an empty secret is the state folder's."""
    replace = msgspec.structs.replace
    hot = settings.redis.hot_url or hot_url
    secret = settings.auth.secret
    if not secret:
        state.open()
        secret = state.secret("auth")
    return replace(
        settings,
        redis=replace(settings.redis, hot_url=hot, queue_url=settings.redis.queue_url or hot),
        postgres=replace(settings.postgres, url=settings.postgres.url or postgres_url),
        auth=replace(settings.auth, secret=secret),
        state=replace(settings.state, home=str(state.home)),
    )


def demo_password(settings: Settings) -> str:
    """The password of the demo's staff: WANFA_DEMO_PASSWORD, or one that is generated once."""
    if chosen := os.environ.get("WANFA_DEMO_PASSWORD"):
        return chosen
    state = StateFolder(Path(settings.state.home))
    state.open()
    return state.secret("demo", DEMO_PASSWORD_BYTES)


def _drawn(bytes_of_chance: int) -> str:
    """Never led by a dash: people pass it on to commands, which would take it for an option."""
    drawn = secrets.token_urlsafe(bytes_of_chance)
    return "x" + drawn[1:] if drawn.startswith("-") else drawn
