"""What is wrong with rules is said with a pointer to the field: in Chinese by its title, in English by its name."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from engine.core.schema import ERRORS_MAX, SENTENCES, FieldError, Schema
from engine.core.texts import Text
from engine.sdk import Rules


class Prize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """奖品"""

    weight: Annotated[float, Meta(gt=0, lt=1, title="概率")]


class EveryKeyword(Rules, frozen=True):
    """One field for each keyword that a Struct can make."""

    target: Annotated[int, Meta(ge=2, le=10, multiple_of=2, title="人数")]
    name: Annotated[str, Meta(min_length=2, max_length=4, pattern="^[a-z]+$", title="名称")] = "ab"
    mode: Annotated[Literal["A", "B"], Meta(title="模式")] = "A"
    fixed: Annotated[Literal[7], Meta(title="固定值")] = 7
    tags: Annotated[list[str], Meta(min_length=1, max_length=2, title="标签")] = msgspec.field(default_factory=list)
    cap: Annotated[int, Meta(ge=1, title="封顶")] | None = None
    on: Annotated[bool, Meta(title="开关")] = True
    prizes: list[Prize] = msgspec.field(default_factory=list)
    extra: Annotated[dict[str, int], Meta(max_length=1, title="附加")] = msgspec.field(default_factory=dict)


SCHEMA = Schema(EveryKeyword)
TWO = {"target": 2}
FIELDS = EveryKeyword.__struct_encode_fields__
UNKNOWN = Text(f"是未知字段，可用：{'、'.join(FIELDS)}", f"is an unknown field; there are: {', '.join(FIELDS)}")


@pytest.mark.parametrize(
    ("rules", "pointer", "zh", "en"),
    [
        ({}, "/rules/target", "人数 必须填写", "target is required"),
        ({"target": 0}, "/rules/target", "人数 不能小于 2", "target must be at least 2"),
        ({"target": 12}, "/rules/target", "人数 不能大于 10", "target must be at most 10"),
        ({"target": 3}, "/rules/target", "人数 必须是 2 的倍数", "target must be a multiple of 2"),
        ({"target": "2"}, "/rules/target", "人数 必须是整数", "target must be an integer"),
        ({"target": True}, "/rules/target", "人数 必须是整数", "target must be an integer"),
        ({"target": None}, "/rules/target", "人数 必须是整数", "target must be an integer"),
        ({"target": 2.5}, "/rules/target", "人数 必须是整数", "target must be an integer"),
        ({"target": 2, "name": "a"}, "/rules/name", "名称 至少 2 个字符", "name must have at least 2 characters"),
        ({"target": 2, "name": "abcde"}, "/rules/name", "名称 最多 4 个字符", "name must have at most 4 characters"),
        ({"target": 2, "name": "AB"}, "/rules/name", "名称 格式不正确", "name has the wrong format"),
        ({"target": 2, "mode": "C"}, "/rules/mode", "模式 必须是 A、B 之一", "mode must be one of: A, B"),
        ({"target": 2, "fixed": 8}, "/rules/fixed", "固定值 必须是 7 之一", "fixed must be one of: 7"),
        ({"target": 2, "tags": []}, "/rules/tags", "标签 至少 1 项", "tags must have at least 1 item"),
        ({"target": 2, "tags": ["a", "b", "c"]}, "/rules/tags", "标签 最多 2 项", "tags must have at most 2 items"),
        ({"target": 2, "tags": "a"}, "/rules/tags", "标签 必须是列表", "tags must be a list"),
        ({"target": 2, "cap": 0}, "/rules/cap", "封顶 不能小于 1", "cap must be at least 1"),
        ({"target": 2, "on": 1}, "/rules/on", "开关 必须是true 或 false", "on must be true or false"),
        (
            {**TWO, "prizes": [{"weight": 0}]},
            "/rules/prizes/0/weight",
            "概率 必须大于 0",
            "weight must be more than 0",
        ),
        (
            {**TWO, "prizes": [{"weight": 1}]},
            "/rules/prizes/0/weight",
            "概率 必须小于 1",
            "weight must be less than 1",
        ),
        ({"target": 2, "prizes": [{}]}, "/rules/prizes/0/weight", "概率 必须填写", "weight is required"),
        (
            {**TWO, "extra": {"a": 1, "b": 2}},
            "/rules/extra",
            "extra 最多 1 个字段",
            "extra must have at most 1 field",
        ),
        ({"target": 2, "tarGet": 2}, "/rules/tarGet", f"tarGet {UNKNOWN.zh}", f"tarGet {UNKNOWN.en}"),
        ({"target": 2, "a/b~c": 2}, "/rules/a~1b~0c", f"a/b~c {UNKNOWN.zh}", f"a/b~c {UNKNOWN.en}"),
        ({"target": 2, "tags": ["a", 1]}, "/rules/tags/1", "1 必须是文本", "item 1 must be a text"),
        ([], "/rules", "内容 必须是对象", "the content must be an object"),
    ],
)
def test_each_keyword_has_its_words(rules: Any, pointer: str, zh: str, en: str) -> None:
    assert FieldError(pointer, Text(zh, en)) in SCHEMA.errors(rules, at="/rules")


@pytest.mark.parametrize("keyword", SENTENCES)
def test_every_sentence_is_said_in_both_languages(keyword: str) -> None:
    """Also the keywords that only a stranger's own schema would bring."""
    sentence = SENTENCES[keyword](["null"] if keyword in {"type", "enum"} else 3)
    assert not sentence.zh.isascii()
    assert sentence.en.isascii()


def test_every_wrong_field_is_named_at_once() -> None:
    found = SCHEMA.errors({"target": 1, "name": "a", "zzz": 1}, at="/rules")
    assert {error.pointer for error in found} == {"/rules/target", "/rules/name", "/rules/zzz"}


def test_good_rules_have_no_errors() -> None:
    assert SCHEMA.errors({"target": 4, "cap": None, "prizes": [{"weight": 0.5}]}) == []


def test_a_flood_of_errors_is_cut() -> None:
    assert len(SCHEMA.errors({"target": 2, **{f"x{n}": 1 for n in range(1000)}})) == ERRORS_MAX


def test_defaults_are_read_off_the_schema() -> None:
    assert SCHEMA.defaults["name"] == "ab"
    assert "target" not in SCHEMA.defaults


def test_no_reference_leaves_the_document() -> None:
    """A `$ref` to another host is an error, never a request."""
    document = msgspec.json.encode(SCHEMA.document).decode()
    assert document.count('"$ref"') == document.count('"$ref":"#/$defs/')
