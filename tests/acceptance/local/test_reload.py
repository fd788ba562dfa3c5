"""`wanfa up --reload`: what an author changes is sold a moment later, and what is broken costs only itself."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.strangers import Strangers
from tests.support.up import Up, up_in_a_folder
from tests.support.waiting import WAIT_S

MODULE = """\
from msgspec.structs import replace

from engine.sdk import hookimpl, step_beside
from plugins import flash_sale


@hookimpl
def wanfa_playbook():
    return replace(flash_sale.wanfa_playbook(), code="DRAW", name="抽奖", step=step_beside(__file__))
"""
REFUSES = "return { join = function() return NOT_ELIGIBLE end }"
TAKES = "return { join = function(_, _, cells) cells.current = 7 end }"
LOOPS = "return { join = function()\n  while true do end\nend }"


class Shop:
    """A store and its consumers on a running product."""

    def __init__(self, up: Up) -> None:
        self._up = up
        login = {"username": "store-1001", "password": up.password()}
        self._store = self._post("auth/staff", None, login)["token"]
        self._people = 0

    def templates(self) -> set[str]:
        """The codes a store may sell by."""
        headers = {"Authorization": f"Bearer {self._store}"}
        answer = httpx.get(f"{self._up.url}/v1/store/templates", headers=headers)
        return {template["code"] for template in answer.json()["items"]}

    def join(self, code: str) -> dict[str, Any]:
        """One more consumer's click on the demo product of a playbook."""
        self._people += 1
        token = self._post("auth/wechat", None, {"code": f"demo-{self._people}"})["token"]
        return self._post(f"instances/{self._instance(code)['id']}/join", token, {"requestId": "r"})

    def join_once_warm(self, code: str) -> dict[str, Any]:
        """The same for a product that goes on sale again about now."""
        deadline = time.monotonic() + WAIT_S
        while (answer := self.join(code)).get("code") == "PAUSED" and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer

    def _instance(self, code: str) -> dict[str, Any]:
        found = httpx.get(f"{self._up.url}/v1/instances?storeId=1001&playCode={code}").json()["items"]
        return dict(found[0])

    def _post(self, path: str, token: str | None, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return dict(httpx.post(f"{self._up.url}/v1/{path}", headers=headers, json=body).json())


def ending(up: Up, *, times: int) -> str:
    """What a reload ended with, behind how long it took."""
    lines = [line for line in up.output().splitlines() if "ready again" in line]
    return re.fullmatch(r".*ready again in [\d.]+ s ?(.*)", lines[times - 1])[1]  # type: ignore[index]  # it matches


@pytest.fixture
def strangers(tmp_path: Path) -> Strangers:
    """One package with a file `step.lua`."""
    found = Strangers(tmp_path / "packages")
    (found.install("draw", module=MODULE) / "step.lua").write_text(REFUSES, encoding="utf-8")
    return found


@pytest.fixture
def up(strangers: Strangers) -> Iterator[Up]:
    """Running, with that package and whatever will be installed beside it."""
    with up_in_a_folder(PYTHONPATH=str(strangers.folder)) as started:
        started.spawn("--reload")
        started.until_said("what is changed is loaded again")
        yield started
        assert started.end() == 0
        assert started.until_gone() == {}


def test_what_an_author_changes_is_sold(up: Up, strangers: Strangers) -> None:
    """A step, a broken one, its repair, and another package: the servers below go on all the while."""
    step = strangers.folder / "strange_draw" / "step.lua"
    servers = [up.pid_of("valkey-server"), up.pid_of("bin/postgres")]
    shop = Shop(up)
    assert shop.join("DRAW")["code"] == "NOT_ELIGIBLE"

    step.write_text(TAKES, encoding="utf-8")
    up.until_said("ready again", times=1)
    assert "changed: strange_draw/step.lua\n" in up.output()
    won = shop.join("DRAW")
    assert (won["outcome"], won["instance"]["progress"]["current"]) == ("RESERVED", 7)

    step.write_text(LOOPS, encoding="utf-8")
    up.until_said("ready again", times=2)
    assert "playbook DRAW is quarantined: join: step.lua:2: step ran over its budget" in up.output()
    assert ending(up, times=2) == "without DRAW; 1 product paused"
    assert "DRAW" not in shop.templates()
    assert shop.join("DRAW")["code"] == "PAUSED"
    assert shop.join("FLASH_SALE").get("code") != "PAUSED"

    step.write_text(TAKES, encoding="utf-8")
    strangers.install("dice")
    up.until_said("ready again", times=3)
    assert ending(up, times=3) == ""
    assert {"DRAW", "DICE"} <= shop.templates()
    assert shop.join_once_warm("DICE")["outcome"] == "RESERVED"
    assert shop.join_once_warm("DRAW")["outcome"] == "RESERVED"
    assert [up.pid_of("valkey-server"), up.pid_of("bin/postgres")] == servers


def test_what_cannot_start_waits_for_the_next_change(up: Up, strangers: Strangers) -> None:
    """The author sees why, and repairs it."""
    package = strangers.folder / "strange_draw"
    bomb = "import os, sys\nif 'serve' in sys.argv: os._exit(3)\n"
    (package / "__init__.py").write_text(bomb + MODULE, encoding="utf-8")
    up.until_said("not ready: api keeps ending")

    (package / "__init__.py").write_text(MODULE, encoding="utf-8")
    up.until_said("ready again", times=1)
    assert Shop(up).join("DRAW")["code"] == "NOT_ELIGIBLE"
