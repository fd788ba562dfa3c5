"""`wanfa up --reload` sees what an author changes, once, and nothing else."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.local import watch
from engine.local.watch import Watch, named
from tests.support.strangers import Strangers, strangers_in
from tests.support.waiting import WAIT_S


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Strangers]:
    """One installed package, and a watch that looks often."""
    monkeypatch.setattr(watch, "POLL_S", 0.05)
    with strangers_in(tmp_path) as found:
        found.install("draw")
        yield found


async def next_change(seen: Watch) -> list[str]:
    async with asyncio.timeout(WAIT_S):
        return await seen.changed()


async def test_each_kind_of_file_of_a_package_is_seen(strangers: Strangers) -> None:
    """Written, changed, or deleted; by its full name."""
    package = strangers.folder / "strange_draw"
    seen = Watch()
    for name in ("step.lua", "rules.py", "migrations/0001_one.sql", "data.json", "deep/er/settings.toml"):
        path = package / name
        for change in ("one", "two"):  # of one size, and within one tick of some clocks
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(change, encoding="utf-8")
            assert await next_change(seen) == [str(path)]
        path.unlink()
        assert await next_change(seen) == [str(path)]


async def test_changes_that_come_together_are_one(strangers: Strangers) -> None:
    """It waits until it is quiet: an editor writes more than one file."""
    package = strangers.folder / "strange_draw"
    seen = Watch()
    waiting = asyncio.create_task(next_change(seen))
    for number in range(5):
        (package / f"{number}.py").write_text("", encoding="utf-8")
        await asyncio.sleep(0.02)

    assert await waiting == [str(package / f"{number}.py") for number in range(5)]


async def test_what_no_process_reads_is_not_seen(strangers: Strangers) -> None:
    """Notes, caches and hidden folders; and files of packages that are no playbooks."""
    package = strangers.folder / "strange_draw"
    seen = Watch()
    for name in ("README.md", "__pycache__/x.py", ".git/x.py", "step.lua~", "../other/x.py"):
        path = package / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("", encoding="utf-8")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await seen.changed()


async def test_a_package_that_is_installed_or_gone_is_seen(strangers: Strangers) -> None:
    """By distribution and version; from then on its files are seen, too."""
    seen = Watch()
    package = strangers.install("dice", version="2.1")
    assert await next_change(seen) == [str(package / "__init__.py"), "wanfa-dice 2.1"]

    (package / "step.lua").write_text("", encoding="utf-8")
    assert await next_change(seen) == [str(package / "step.lua")]

    strangers.uninstall("dice")
    assert "wanfa-dice 2.1" in await next_change(seen)


async def test_one_whose_import_fails_is_watched_all_the_same(strangers: Strangers) -> None:
    """Nothing is imported to find its folder: it is being repaired."""
    package = strangers.install("broken", module="raise SystemExit(1)")
    seen = Watch()
    (package / "__init__.py").write_text("", encoding="utf-8")

    assert await next_change(seen) == [str(package / "__init__.py")]


def test_our_own_folders_are_watched() -> None:
    """The engine, the doors, the playbooks, the Lua commands and the settings."""
    stamps = Watch()._look()
    here = Path(__file__).resolve().parents[3]
    for name in (
        "engine/core/errors.py",
        "engine/db/sql/0001_core.sql",
        "api/rsgi.py",
        "plugins/flash_sale/step.lua",
        "scripts/lua/gate.lua",
        "config/default.toml",
    ):
        assert (here / name).exists()
        assert str(here / name) in stamps


def test_a_change_is_named_in_a_line(tmp_path: Path) -> None:
    """By their package or the working folder, and not all of many; what was installed comes first."""
    deep = tmp_path / "src" / "wanfa_draw" / "deep"
    deep.mkdir(parents=True)
    (deep.parent / "__init__.py").touch()
    assert named([str(deep / "step.lua")]) == "wanfa_draw/deep/step.lua"
    assert named([str(Path.cwd() / "config" / "dev.toml"), "/else/where/b.lua"]) == "config/dev.toml, where/b.lua"
    assert named([*(f"/a/{number}.py" for number in range(5)), "wanfa-dice 2.1"]) == "wanfa-dice 2.1, a/0.py and 4 more"
