"""What is wrong with rules is said as such, whoever finds it."""

from typing import Any, cast

import msgspec
import pytest

from engine.catalog.templates import Templates
from engine.core.errors import RulesInvalid
from engine.playbooks.registry import Registry, load_playbooks
from engine.sdk import Rules


class Pairs(Rules, frozen=True):
    """Rules that no schema can say."""

    first: int = 1
    second: int = 2

    def __post_init__(self) -> None:
        if self.first >= self.second:
            raise ValueError("first must be less than second")


PLAYBOOK = msgspec.structs.replace(load_playbooks().loaded["FLASH_SALE"], code="PAIRS", rules=Pairs)


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [({"first": 3}, "/rules"), ({"first": "x"}, "/rules/first"), ({"third": 1}, "/rules/third")],
    ids=["by the rules themselves", "by their schema", "nobody knows the field"],
)
def test_a_wrong_rule_is_named(rules: dict[str, Any], pointer: str) -> None:
    templates = Templates(cast("Any", None), Registry(), cast("Any", None))
    with pytest.raises(RulesInvalid) as refused:
        templates.decode_rules(PLAYBOOK, rules)
    assert [wrong.pointer for wrong in refused.value.extra["errors"]] == [pointer]
    assert templates.decode_rules(PLAYBOOK, {"second": 5}) == Pairs(second=5)
