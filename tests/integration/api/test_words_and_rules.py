"""What a store types in: refused at once, field by field, when nobody could read it or Postgres could not keep it."""

from typing import Any

import pytest

from engine.core.settings import Settings
from tests.support.doors import open_doors

ENGLISH = {"Accept-Language": "en"}


@pytest.mark.parametrize("title", [" ", "\u200b", "\u202e\u202d", "课\u202e程", "\u3000"])
async def test_a_title_that_cannot_be_seen_is_refused(settings: Settings, title: str) -> None:
    async with open_doors(settings) as doors:
        answer = await doors.send("STORE", "POST", "/v1/store/play-configs", await doors.draft_body(title=title))
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "/title"
        assert error["message"].startswith("标题 必须有可见的字符")


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [({"limitPerPerson": 10**400}, "/rules/limitPerPerson"), ({"x": [[[[[[[[[1]]]]]]]]]}, "/rules/x/0/0/0/0/0/0/0")],
)
async def test_rules_that_cannot_be_kept_are_refused_at_once(
    settings: Settings, rules: dict[str, Any], pointer: str
) -> None:
    async with open_doors(settings) as doors:
        answer = await doors.send("STORE", "POST", "/v1/store/play-configs", await doors.draft_body(rules=rules))
        assert answer.status_code == 422, answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_session_at_ten_and_a_line_break_is_refused_at_publication(settings: Settings) -> None:
    """It was a 503: the step's own clock could not read it."""
    async with open_doors(settings) as doors:
        config_id = await doors.draft(templateCode="FLASH_SALE", rules={"times": ["10:00\n"]})
        answer = await doors.send("STORE", "POST", f"/v1/store/play-configs/{config_id}/publish", headers=ENGLISH)
        assert (answer.status_code, answer.json()["code"]) == (422, "RULES_INVALID")
        assert answer.json()["errors"] == [{"pointer": "/rules/times/0", "message": "item 0 has the wrong format"}]
