"""Settings come from files and variables, and what is unknown is refused by its name."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from engine.core import settings as module
from engine.core.errors import SettingsInvalid
from engine.core.settings import Settings, config_dir, load_settings

FIELDS = {
    (section.name, key.name)
    for section in msgspec.structs.fields(Settings)
    for key in msgspec.structs.fields(section.type)
}


def test_default_toml_has_exactly_the_fields_of_the_structs() -> None:
    """No setting is without a default, and no default without a meaning."""
    tables = tomllib.loads((config_dir() / "default.toml").read_text(encoding="utf-8"))
    assert {(section, key) for section, keys in tables.items() for key in keys} == FIELDS


def test_every_setting_is_documented() -> None:
    """config/README.md names each one, and no other."""
    rows = [line.split("|") for line in (config_dir() / "README.md").read_text(encoding="utf-8").splitlines()]
    names = {row[1].strip().strip("`") for row in rows if len(row) > 3 and "." in row[1]}
    assert names == {f"{section}.{key}" for section, key in FIELDS}


@pytest.mark.parametrize("name", [path.stem for path in config_dir().glob("*.toml")])
def test_every_environment_loads(name: str) -> None:
    """Each file in config/ can be used as it is."""
    assert isinstance(load_settings(name, environ={}), Settings)


def test_environment_file_wins_over_the_default_and_a_variable_over_both() -> None:
    """The nearer to the person who starts it, the stronger."""
    assert load_settings("default", environ={}).auth.demo_logins is False
    assert load_settings("dev", environ={}).auth.demo_logins is True
    assert load_settings("dev", environ={"WANFA_AUTH_DEMO_LOGINS": "false"}).auth.demo_logins is False


@pytest.mark.parametrize(
    ("variable", "text", "section", "key", "value"),
    [
        ("WANFA_API_PORT", "9000", "api", "port", 9000),
        ("WANFA_REDIS_HOT_URL", "redis://a/0", "redis", "hot_url", "redis://a/0"),
        ("WANFA_MONEY_REFUND_RETRY_S", "[1, 2]", "money", "refund_retry_s", (1, 2)),
        ("WANFA_HOME", "/x", "state", "home", "/x"),
        ("WANFA_STATE_HOME", "/y", "state", "home", "/y"),
    ],
)
def test_variable_sets_a_value(variable: str, text: str, section: str, key: str, value: object) -> None:
    """Text as it is, everything else as JSON."""
    assert getattr(getattr(load_settings("dev", environ={variable: text}), section), key) == value


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"WANFA_API_PROT": "1"}, "unknown setting WANFA_API_PROT; did you mean WANFA_API_PORT?"),
        ({"WANFA_NOSUCH_KEY": "1"}, "unknown setting WANFA_NOSUCH_KEY; see config/default.toml"),
        ({"WANFA_NOSUCH": "1"}, "WANFA_NOSUCH"),
        ({"WANFA_API_PORT": "eighty"}, "WANFA_API_PORT must be a whole number, not 'eighty'"),
        ({"WANFA_AUTH_DEMO_LOGINS": "yes"}, "WANFA_AUTH_DEMO_LOGINS must be true or false"),
        ({"WANFA_PLAYBOOKS_DISABLED": "X"}, "WANFA_PLAYBOOKS_DISABLED must be a JSON list"),
        (
            {"WANFA_ENV": "nosuch"},
            "nosuch.toml; WANFA_ENV may be one of: dev, test. For an environment of your own make",
        ),
        ({"WANFA_LOG_LEVEL": "verbose"}, "WANFA_LOG_LEVEL must be one of: DEBUG, ERROR, INFO, WARNING, not 'verbose'"),
        ({"WANFA_API_PORT": "99999"}, "WANFA_API_PORT must be at most 65535, not 99999"),
        ({"WANFA_API_WORKERS": "0"}, "WANFA_API_WORKERS must be at least 1, not 0"),
        ({"WANFA_GATE_SHARDS": "0"}, "WANFA_GATE_SHARDS must be at least 1"),
        ({"WANFA_GATE_HOLD_TTL_MS": "-1"}, "WANFA_GATE_HOLD_TTL_MS must be at least 1"),
        ({"WANFA_GATE_REOPEN_MS": "-1"}, "WANFA_GATE_REOPEN_MS must be at least 0"),
        ({"WANFA_MONEY_ASK_AGAIN_S": "[]"}, "WANFA_MONEY_ASK_AGAIN_S must have at least 1 item"),
        ({"WANFA_MONEY_ASK_AGAIN_S": "[5, -1]"}, "WANFA_MONEY_ASK_AGAIN_S: item 1 must be at least 0"),
        ({"WANFA_STATE_HOME": ""}, "WANFA_STATE_HOME must have at least 1 character"),
        (
            {"WANFA_GATE_SHARDS": "0", "WANFA_API_PORT": "0"},
            "WANFA_API_PORT must be at least 1, not 0; WANFA_GATE_SHARDS",
        ),
    ],
)
def test_bad_variable_is_named(environ: dict[str, str], named: str) -> None:
    """One line that says which, and what would be right."""
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ=environ)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[api]\nprot = 1\n", "unknown key api.prot in config/odd.toml"),
        ("[apis]\nport = 1\n", "unknown section [apis] in config/odd.toml"),
        ("port = 1\n", "unknown section [port] in config/odd.toml"),
        ("[api]\nport = 'x'\n", "api.port in config/odd.toml must be an integer, not 'x'"),
        ("[log]\nlevel = 5\n", "log.level in config/odd.toml must be "),
        ("[redis]\nhot_url = 5\n", "redis.hot_url in config/odd.toml must be empty or a URL such as redis://"),
        ("[api\n", "config/odd.toml is not TOML"),
    ],
)
def test_bad_file_is_named(text: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown key is an error that names it and its file."""
    for source in config_dir().glob("*.toml"):
        (tmp_path / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "odd.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "config_dir", lambda: tmp_path)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings("odd", environ={})
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "good", "bad"),
    [
        (
            "WANFA_REDIS_HOT_URL",
            (
                "",
                "redis://h",
                "rediss://u:p@[::1]:6379/0",
                "redis://:p@ss@10.0.0.1:7000?protocol=3",
                "unix:///tmp/s?db=1",
            ),
            ("localhost:6379", "http://h:1", "redis://h:port", "redis://:hush@h:6379a/0"),
        ),
        (
            "WANFA_POSTGRES_URL",
            ("", "postgres://h/d", "postgresql://u:p@h:5432/d", "postgresql://u@/d?host=/tmp/p&port=1"),
            ("localhost:5432", "redis://h", "u:hush@h/d"),
        ),
    ],
)
def test_an_address_is_a_url_of_its_server(variable: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    """What is none is refused without being shown: it may hold a password."""
    for url in good:
        load_settings("dev", environ={variable: url})
    for url in bad:
        with pytest.raises(SettingsInvalid, match=f"{variable} must be empty or a URL such as") as caught:
            load_settings("dev", environ={variable: url})
        assert "hush" not in str(caught.value)
