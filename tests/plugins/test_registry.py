"""A playbook that cannot be loaded is quarantined and named; the others run."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType

import msgspec
import pytest

from engine.catalog.registry import GROUP, load_playbooks
from engine.sdk import Playbook, hookimpl
from plugins import group_buy

Made = Callable[..., EntryPoint]

GOOD = EntryPoint("aa_good", "plugins.group_buy", GROUP)
ALSO_GOOD = EntryPoint("zz_good", "plugins.flash_sale", GROUP)


@pytest.fixture
def stranger() -> Iterator[Made]:
    """`stranger("name", hook)`: the entry point of an installed module with that hook."""
    made: list[str] = []

    def make(name: str, hook: Callable[[], object] | None = None) -> EntryPoint:
        module = ModuleType(f"strange_{name}")
        if hook is not None:
            module.wanfa_playbook = hook  # type: ignore[attr-defined]  # what a module is made of
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return EntryPoint(name, module.__name__, GROUP)

    yield make
    for name in made:
        del sys.modules[name]


def group_buy_but(**changes: object) -> Callable[[], Playbook]:
    """A hook that returns the group buy with some fields changed."""

    @hookimpl
    def wanfa_playbook() -> Playbook:
        return msgspec.structs.replace(group_buy.wanfa_playbook(), **changes)

    return wanfa_playbook


def quarantined(*points: EntryPoint) -> dict[str, str]:
    """What was quarantined among `points`, after seeing that the two good ones were loaded."""
    registry = load_playbooks(points=[GOOD, *points, ALSO_GOOD])
    assert set(registry.loaded) == {"FLASH_SALE", "GROUP_BUY"}
    return registry.quarantined


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("no_such_module_anywhere", "ModuleNotFoundError"),
        ("plugins.group_buy:no_such_name", "AttributeError"),
        ("plugins.group_buy.step", "ModuleNotFoundError"),
    ],
)
def test_one_that_cannot_be_imported(value: str, error: str) -> None:
    """Its error stands beside its name."""
    found = quarantined(EntryPoint("broken", value, GROUP))

    assert list(found) == ["broken"]
    assert found["broken"].startswith(error)


def test_one_that_raises_when_asked(stranger: Made) -> None:
    """Whatever it raises."""

    @hookimpl
    def wanfa_playbook() -> Playbook:
        raise ZeroDivisionError("dice")

    assert quarantined(stranger("broken", wanfa_playbook)) == {"broken": "ZeroDivisionError: dice"}


def test_one_without_the_hook(stranger: Made) -> None:
    """No function of that name, or one that was not marked: named, not silently ignored."""

    def wanfa_playbook() -> Playbook:
        return group_buy.wanfa_playbook()

    found = quarantined(stranger("empty"), stranger("unmarked", wanfa_playbook))

    assert set(found) == {"empty", "unmarked"}
    assert "no @hookimpl named wanfa_playbook" in found["empty"]


def test_one_with_a_hook_of_another_shape(stranger: Made) -> None:
    """pluggy names the argument nobody passes."""

    @hookimpl
    def wanfa_playbook(colour: str) -> str:
        return colour

    found = quarantined(stranger("curious", wanfa_playbook))
    assert found["curious"].startswith("PluginValidationError")
    assert "colour" in found["curious"]


def test_one_with_a_hook_nobody_knows(stranger: Made) -> None:
    """A misspelt hook is an error, not an empty playbook."""

    @hookimpl
    def wanfa_playbok() -> None:
        return None

    point = stranger("misspelt", group_buy_but(code="LOTTERY"))
    sys.modules[point.value].wanfa_playbok = wanfa_playbok  # type: ignore[attr-defined]  # what a module is made of
    assert "wanfa_playbok" in quarantined(point)["misspelt"]


def test_one_that_returns_something_else(stranger: Made) -> None:
    @hookimpl
    def wanfa_playbook() -> dict[str, str]:
        return {"code": "LOTTERY"}

    assert quarantined(stranger("dict", wanfa_playbook)) == {
        "dict": "PlaybookInvalid: wanfa_playbook returned a dict, not a Playbook"
    }


def test_one_whose_code_is_taken(stranger: Made) -> None:
    """The first by name keeps it; the second is told by whom."""
    found = quarantined(stranger("second", group_buy_but()))

    assert found == {"second": "PlaybookInvalid: code GROUP_BUY is already taken by plugins.group_buy"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"code": "lottery"}, "'lottery'"),
        ({"code": "L"}, "'L'"),
        ({"code": "LOTTERY'] = nil --"}, "LOTTERY']"),
        ({"code": "LOTTERY", "actions": ("Cut",)}, "'Cut'"),
        ({"code": "LOTTERY", "actions": ("paid",)}, "'paid'"),
        ({"code": "LOTTERY", "reserves": ("deadline",)}, "'deadline'"),
        ({"code": "LOTTERY", "step": " \n"}, "step is empty"),
        ({"code": "LOTTERY", "rules": object}, "object"),
    ],
)
def test_one_whose_manifest_is_wrong(stranger: Made, changes: dict[str, object], named: str) -> None:
    """The error names what is wrong with it."""
    assert named in quarantined(stranger("wrong", group_buy_but(**changes)))["wrong"]


def test_one_more_that_is_right(stranger: Made) -> None:
    """A stranger's playbook is loaded beside the built-in ones, in the same way."""
    registry = load_playbooks(points=[GOOD, stranger("lottery", group_buy_but(code="LOTTERY")), ALSO_GOOD])

    assert registry.quarantined == {}
    assert registry.sources["LOTTERY"] == "strange_lottery"
    assert set(registry.loaded) == {"FLASH_SALE", "GROUP_BUY", "LOTTERY"}


def test_one_that_is_switched_off() -> None:
    """`playbooks.disabled`: neither loaded nor quarantined."""
    registry = load_playbooks(disabled=["GROUP_BUY"], points=[GOOD, ALSO_GOOD])

    assert set(registry.loaded) == {"FLASH_SALE"}
    assert registry.quarantined == {}
