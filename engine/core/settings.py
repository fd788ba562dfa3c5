"""Settings: `config/default.toml`, then `config/<env>.toml`, then `WANFA_<SECTION>_<KEY>`.

Each section of default.toml is one Struct below; a test compares the two.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from engine.core.errors import SettingsInvalid


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the TOML files; an unknown key is an error."""


# Seconds, one wait at least.
Waits = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0)], ...], msgspec.Meta(min_length=1)]


class ApiSettings(Section, frozen=True):
    """Where the API listens, and how much it takes at once."""

    host: str
    port: int
    workers: int
    body_bytes_max: int
    body_timeout_s: int
    connections_max: int
    backlog: int
    address_header: str


class RedisSettings(Section, frozen=True):
    """The two Redis servers: clicks, and arq's jobs."""

    hot_url: str
    queue_url: str


class PostgresSettings(Section, frozen=True):
    """The one Postgres."""

    url: str
    pool_max: int
    idle_transaction_ms: int


class GateSettings(Section, frozen=True):
    """Lanes, holds, and what the process keeps in memory."""

    shards: int
    batch_max: int
    inflight_max: int
    click_timeout_ms: int
    person_effects_max: int
    hold_ttl_ms: int
    reopen_ms: int
    refresh_ms: int
    archive_after_s: int


class OrdersSettings(Section, frozen=True):
    """Draining the streams, and sweeping what is overdue."""

    drain_entries_max: int
    drain_idle_ms: int
    deliveries_max: int
    sweep_ms: int
    sweep_max: int


class MoneySettings(Section, frozen=True):
    """The payment provider, and refunds."""

    provider: str
    refund_retry_s: Waits
    ask_again_s: Waits


class RewardsSettings(Section, frozen=True):
    """How many people one device, address or payer may stand for before rewards are withheld."""

    device_people_max: int
    address_people_max: int
    payer_people_max: int


class AuthSettings(Section, frozen=True):
    """Tokens and logins."""

    secret: str
    consumer_ttl_s: int
    staff_ttl_s: int
    demo_logins: bool


class LogSettings(Section, frozen=True):
    """What is logged."""

    level: str


class StateSettings(Section, frozen=True):
    """The state folder."""

    home: str


class PlaybooksSettings(Section, frozen=True):
    """Which playbooks are offered."""

    disabled: tuple[str, ...]


class Settings(Section, frozen=True):
    """Everything an engine is opened with."""

    api: ApiSettings
    redis: RedisSettings
    postgres: PostgresSettings
    gate: GateSettings
    orders: OrdersSettings
    money: MoneySettings
    rewards: RewardsSettings
    auth: AuthSettings
    log: LogSettings
    state: StateSettings
    playbooks: PlaybooksSettings


# Read by the launcher and the embedded servers, not settings of the engine.
OUTSIDE = frozenset({"WANFA_ENV", "WANFA_HOME", "WANFA_DEMO_PASSWORD"})


def config_dir() -> Path:
    """The checkout's config folder, or the one packed into the wheel."""
    here = Path(__file__).resolve().parent.parent
    checkout = here.parent / "config"
    return checkout if checkout.is_dir() else here / "_data" / "config"


def load_settings(env: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of environment `env` (default: WANFA_ENV, else `dev`). Raises SettingsInvalid, naming the key."""
    name = env or environ.get("WANFA_ENV", "dev")
    tables = _read(config_dir() / "default.toml")
    _check_known(tables, tables, "default.toml")
    if name != "default":
        layer = _read(config_dir() / f"{name}.toml")
        _check_known(layer, tables, f"{name}.toml")
        for section, values in layer.items():
            tables[section] |= values
    _overlay_environment(tables, environ)
    if home := environ.get("WANFA_HOME"):
        tables["state"]["home"] = home
    try:
        return msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"settings: {error}") from None


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml")))
        raise SettingsInvalid(f"no config/{path.name}; WANFA_ENV may be one of: {names}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"config/{path.name} is not TOML: {error}") from None


def _check_known(layer: dict[str, Any], known: dict[str, Any], source: str) -> None:
    for section, values in layer.items():
        if section not in known:
            raise SettingsInvalid(f"unknown section [{section}] in config/{source}; known: {', '.join(known)}")
        if not isinstance(values, dict):
            raise SettingsInvalid(f"unknown key {section} outside any section in config/{source}")
        for key in values:
            if key not in known[section]:
                raise SettingsInvalid(
                    f"unknown key {section}.{key} in config/{source}; known: {', '.join(known[section])}"
                )


def _overlay_environment(tables: dict[str, dict[str, Any]], environ: Mapping[str, str]) -> None:
    for variable, text in environ.items():
        if not variable.startswith("WANFA_") or variable in OUTSIDE:
            continue
        section, _, key = variable.removeprefix("WANFA_").lower().partition("_")
        if key not in tables.get(section, {}):
            raise SettingsInvalid(f"unknown setting {variable}; see config/default.toml for what there is")
        tables[section][key] = _parse(variable, text, tables[section][key])


def _parse(variable: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        return msgspec.convert(msgspec.json.decode(text), type(default))
    except (msgspec.DecodeError, msgspec.ValidationError):
        kind = {bool: "true or false", int: "a whole number", list: "a JSON list"}[type(default)]
        raise SettingsInvalid(f"{variable} must be {kind}, not {text!r}") from None


def environment(settings: Settings) -> dict[str, str]:
    """Variables from which a child process loads these settings, where files alone would not tell it."""
    return {
        "WANFA_HOME": settings.state.home,
        "WANFA_REDIS_HOT_URL": settings.redis.hot_url,
        "WANFA_REDIS_QUEUE_URL": settings.redis.queue_url,
        "WANFA_POSTGRES_URL": settings.postgres.url,
        "WANFA_AUTH_SECRET": settings.auth.secret,
        "WANFA_API_HOST": settings.api.host,
        "WANFA_API_PORT": str(settings.api.port),
        "WANFA_API_WORKERS": str(settings.api.workers),
    }
