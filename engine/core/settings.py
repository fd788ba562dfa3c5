"""Settings: `config/default.toml`, then `config/<env>.toml`, then `WANFA_<SECTION>_<KEY>`.

Each section of default.toml is one Struct below; a test compares the two.
"""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from engine.core.errors import SettingsInvalid
from engine.core.schema import Schema


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the TOML files; an unknown key is an error."""


Some = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
SomeOrNone = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
# Seconds, one wait at least.
Waits = Annotated[tuple[SomeOrNone, ...], msgspec.Meta(min_length=1)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
# Each may be empty. Host and port are looked at here: redis-py says what is wrong with them only in a traceback.
RedisUrl = Annotated[
    str,
    msgspec.Meta(pattern=r"^(rediss?://([^/]*@)?(\[[^]]+\]|[^]:/@[]*)(:[0-9]{1,5})?([/?].*)?|unix://.+)?(?![\s\S])"),
]
PostgresUrl = Annotated[str, msgspec.Meta(pattern=r"^(postgres(ql)?://.+)?(?![\s\S])")]


class ApiSettings(Section, frozen=True):
    """Where the API listens, and how much it takes at once."""

    front: Literal["direct", "granian"]
    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)]
    body_bytes_max: Some
    head_timeout_s: Some
    body_timeout_s: Some
    idle_timeout_s: Some
    write_timeout_s: Some
    connections_max: Some
    connections_per_address_max: SomeOrNone
    backlog: Some
    address_header: str


class RedisSettings(Section, frozen=True):
    """The two Redis servers: clicks, and arq's jobs."""

    hot_url: RedisUrl
    queue_url: RedisUrl


class PostgresSettings(Section, frozen=True):
    """The one Postgres."""

    url: PostgresUrl
    pool_max: Some
    idle_transaction_ms: Some


class GateSettings(Section, frozen=True):
    """Lanes, holds, and what the process keeps in memory."""

    shards: Some
    batch_max: Some
    inflight_max: Some
    click_timeout_ms: Some
    person_effects_max: Some
    hold_ttl_ms: Some
    reopen_ms: SomeOrNone
    refresh_ms: Some
    archive_after_s: SomeOrNone


class OrdersSettings(Section, frozen=True):
    """Draining the streams, and sweeping what is overdue."""

    drain_entries_max: Some
    drain_idle_ms: Some
    deliveries_max: Some
    sweep_ms: Some
    sweep_max: Some


class MoneySettings(Section, frozen=True):
    """The payment provider, and refunds."""

    provider: str
    refund_retry_s: Waits
    ask_again_s: Waits


class RewardsSettings(Section, frozen=True):
    """How many people one device, address or payer may stand for before rewards are withheld."""

    device_people_max: Some
    address_people_max: Some
    payer_people_max: Some


class AuthSettings(Section, frozen=True):
    """Tokens and logins."""

    secret: str
    consumer_ttl_s: Some
    staff_ttl_s: Some
    demo_logins: bool


class LogSettings(Section, frozen=True):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class StateSettings(Section, frozen=True):
    """The state folder."""

    home: Name


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


URLS = {
    "hot_url": "empty or a URL such as redis://:password@host:6379/0",
    "queue_url": "empty or a URL such as redis://:password@host:6379/1",
    "url": "empty or a URL such as postgresql://user:password@host:5432/wanfa",
}

# Read by the launcher and the embedded servers, not settings of the engine.
OUTSIDE = frozenset({"WANFA_ENV", "WANFA_HOME", "WANFA_DEMO_PASSWORD", "WANFA_OFFICE"})


def config_dir() -> Path:
    """The checkout's config folder, or the one packed into the wheel."""
    here = Path(__file__).resolve().parent.parent
    checkout = here.parent / "config"
    return checkout if checkout.is_dir() else here / "_data" / "config"


def load_settings(env: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of environment `env` (default: WANFA_ENV, else `dev`).

    Raises SettingsInvalid, naming each setting that is wrong and where it stands.
    """
    name = env or environ.get("WANFA_ENV", "dev")
    tables = _read(config_dir() / "default.toml")
    files = dict.fromkeys(((section, key) for section in tables for key in tables[section]), "default.toml")
    _check_known(tables, tables, "default.toml")
    if name != "default":
        layer = _read(config_dir() / f"{name}.toml")
        _check_known(layer, tables, f"{name}.toml")
        for section, values in layer.items():
            tables[section] |= values
            files |= dict.fromkeys(((section, key) for key in values), f"{name}.toml")
    _overlay_environment(tables, environ)
    if home := environ.get("WANFA_HOME"):
        tables["state"]["home"] = home
    try:
        return msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(_said(tables, files, environ) or f"settings: {error}") from None


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml") if p.stem != "default"))
        raise SettingsInvalid(
            f"no config/{path.name}; WANFA_ENV may be one of: {names}. For an environment of your own make that file, "
            "with what differs from config/default.toml"
        ) from None
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
            raise SettingsInvalid(f"unknown setting {variable}; {_nearest(variable, tables)}")
        tables[section][key] = _parse(variable, text, tables[section][key])


def _parse(variable: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        return msgspec.convert(msgspec.json.decode(text), type(default))
    except (msgspec.DecodeError, msgspec.ValidationError):
        kind = {bool: "true or false", int: "a whole number", list: "a JSON list"}[type(default)]
        raise SettingsInvalid(f"{variable} must be {kind}, not {text!r}") from None


def _nearest(variable: str, tables: dict[str, dict[str, Any]]) -> str:
    known = [_variable(section, key) for section in tables for key in tables[section]]
    near = get_close_matches(variable, [*known, *OUTSIDE], n=1, cutoff=0.8)
    return f"did you mean {near[0]}?" if near else "see config/default.toml for what there is"


def _variable(section: str, key: str) -> str:
    return f"WANFA_{section}_{key}".upper()


def _said(tables: dict[str, dict[str, Any]], files: dict[tuple[str, str], str], environ: Mapping[str, str]) -> str:
    """Every setting that is wrong, where it stands, and what it must be."""
    found = []
    for error in Schema(Settings).errors(tables):
        section, key, *item = error.pointer[1:].split("/")
        variable = _variable(section, key)
        at = variable if variable in environ else f"{section}.{key} in config/{files[section, key]}"
        if key in URLS:
            found.append(f"{at} must be {URLS[key]}")  # what it is may hold a password
        else:
            why = error.message.en if item else error.message.en.removeprefix(f"{key} ")
            found.append(f"{at}{':' if item else ''} {why}, not {tables[section][key]!r}")
    return "; ".join(found)


def environment(settings: Settings) -> dict[str, str]:
    """Variables from which a child process loads these settings, where files alone would not tell it."""
    return {
        "WANFA_HOME": settings.state.home,
        "WANFA_REDIS_HOT_URL": settings.redis.hot_url,
        "WANFA_REDIS_QUEUE_URL": settings.redis.queue_url,
        "WANFA_POSTGRES_URL": settings.postgres.url,
        "WANFA_AUTH_SECRET": settings.auth.secret,
        "WANFA_API_FRONT": settings.api.front,
        "WANFA_API_HOST": settings.api.host,
        "WANFA_API_PORT": str(settings.api.port),
        "WANFA_API_WORKERS": str(settings.api.workers),
    }
