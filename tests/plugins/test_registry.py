"""A playbook that cannot be loaded is quarantined and named; the others run."""

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated

import msgspec
import pytest

from engine.playbooks.registry import GROUP, Package, installed_packages, load_playbooks
from engine.sdk import SDK_VERSION, Playbook, Rules, States, Status, View, hookimpl
from plugins import group_buy
from tests.support.strangers import Strangers, strangers_in

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


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Strangers]:
    """Packages that look installed beside ours."""
    with strangers_in(tmp_path) as found:
        yield found


def group_buy_but(**changes: object) -> Callable[[], Playbook]:
    """A hook that returns the group buy with some fields changed."""

    @hookimpl
    def wanfa_playbook() -> Playbook:
        return msgspec.structs.replace(group_buy.wanfa_playbook(), **changes)

    return wanfa_playbook


def quarantined(*points: EntryPoint, more: set[str] | None = None) -> dict[str, str]:
    """What was quarantined among `points`, after seeing that the two good ones, and `more`, were loaded."""
    registry = load_playbooks(points=[GOOD, *points, ALSO_GOOD])
    assert set(registry.loaded) == {"FLASH_SALE", "GROUP_BUY"} | (more or set())
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
    """The argument that nobody passes is named."""

    @hookimpl
    def wanfa_playbook(colour: str) -> str:
        return colour

    found = quarantined(stranger("curious", wanfa_playbook))
    assert found == {"curious": "wanfa_playbook takes no arguments; it declares 'colour'"}


def test_one_with_a_hook_nobody_knows(stranger: Made) -> None:
    """A misspelt hook is an error, not an empty playbook."""

    @hookimpl
    def wanfa_playbok() -> None:
        return None

    point = stranger("misspelt", group_buy_but(code="LOTTERY"))
    sys.modules[point.value].wanfa_playbok = wanfa_playbok  # type: ignore[attr-defined]  # what a module is made of
    assert quarantined(point) == {
        "misspelt": "it has a @hookimpl named wanfa_playbok; the only hook there is is wanfa_playbook"
    }


def test_one_that_returns_something_else(stranger: Made) -> None:
    @hookimpl
    def wanfa_playbook() -> dict[str, str]:
        return {"code": "LOTTERY"}

    assert quarantined(stranger("dict", wanfa_playbook)) == {"dict": "wanfa_playbook returned a dict, not a Playbook"}


def test_one_whose_code_is_taken(stranger: Made) -> None:
    """The first by name keeps it; the second is told by whom."""
    found = quarantined(stranger("second", group_buy_but()))

    assert found == {
        "GROUP_BUY (strange_second)": "code GROUP_BUY of strange_second is already taken by plugins.group_buy"
    }


@pytest.mark.parametrize("point", ["aa_group_buy", "zz_group_buy", "group_buy", "GROUP_BUY"])
def test_a_code_of_ours_stays_ours(strangers: Strangers, point: str) -> None:
    """Whatever the stranger's entry point is called; the error names both packages."""
    strangers.install("usurper", code="GROUP_BUY", point=point, version="9.1")

    registry = load_playbooks()

    assert {"FLASH_SALE", "GROUP_BUY"} <= set(registry.loaded)
    assert registry.sources["GROUP_BUY"] == "plugins.group_buy"
    (error,) = registry.quarantined.values()
    assert error.startswith(
        "code GROUP_BUY of strange_usurper of wanfa-usurper 9.1 is already taken by plugins.group_buy"
    )


def test_two_strangers_with_one_code(strangers: Strangers) -> None:
    """The first by name has it in every process."""
    strangers.install("draw_b", code="DRAW", point="draw")
    strangers.install("draw_a", code="DRAW", point="draw")

    registry = load_playbooks()

    assert str(registry.packages["DRAW"]) == "strange_draw_a of wanfa-draw_a 1.0"
    assert registry.quarantined == {
        "DRAW (strange_draw_b of wanfa-draw_b 1.0)": (
            "code DRAW of strange_draw_b of wanfa-draw_b 1.0 is already taken by strange_draw_a of wanfa-draw_a 1.0"
        )
    }


def test_an_entry_point_with_the_name_of_anothers_code(strangers: Strangers) -> None:
    """Its quarantine is not the other one's, whoever comes first."""
    strangers.install("broken_a", point="DRAW", module="raise SystemExit")
    strangers.install("broken_b", code="DRAW", sdk=">=9")
    strangers.install("draw")
    strangers.install("broken_z", point="FLASH_SALE", module="raise SystemExit")

    registry = load_playbooks()

    assert {"DRAW", "FLASH_SALE"} <= set(registry.loaded)
    assert set(registry.quarantined) == {
        "DRAW (strange_broken_a of wanfa-broken_a 1.0)",
        "DRAW (strange_broken_b of wanfa-broken_b 1.0)",
        "FLASH_SALE (strange_broken_z of wanfa-broken_z 1.0)",
    }
    assert registry.manifests["DRAW"].code == "DRAW"
    assert registry.manifests["DRAW (strange_broken_b of wanfa-broken_b 1.0)"].sdk == ">=9"


def test_packages_are_known_without_importing_them(strangers: Strangers) -> None:
    strangers.install("draw", module="raise SystemExit(1)")

    assert Package("draw", "strange_draw", "wanfa-draw", "1.0") in installed_packages()


def test_metadata_that_cannot_be_read(strangers: Strangers) -> None:
    """A distribution whose entry points are no entry points, or that is being installed, hides no other."""
    strangers.install("draw")
    strangers.install("half")
    (strangers.folder / "wanfa_half-1.0.dist-info" / "METADATA").unlink()
    strangers.install("noise")
    (strangers.folder / "wanfa_noise-1.0.dist-info" / "entry_points.txt").write_text("[wanfa.playbooks]\nnoise\n")

    registry = load_playbooks()

    assert {"FLASH_SALE", "DRAW", "HALF"} <= set(registry.loaded)
    assert "NOISE" not in registry.loaded


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("raise SystemExit(3)", "SystemExit: 3 (strange_broken/__init__.py:1)"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("def f(:", "SyntaxError: invalid syntax (strange_broken/__init__.py:1)"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        ("import re\n\nre.compile('(')", "error: "),
        ("from engine.sdk import hookimpl\n@hookimpl\ndef wanfa_playbook():\n  {}['a']", "KeyError: 'a' (strange_"),
        ("class E(Exception):\n  def __str__(self): raise self\nraise E", "E"),
        ("raise ValueError('x' * 9999)", "ValueError: xxx"),
    ],
)
def test_one_that_cannot_be_imported_however_it_fails(strangers: Strangers, module: str, error: str) -> None:
    """Not even one that asks the whole process to end."""
    strangers.install("broken", module=module)

    registry = load_playbooks()

    assert {"FLASH_SALE", "GROUP_BUY"} <= set(registry.loaded)
    assert set(registry.quarantined) == {"broken"}
    assert registry.quarantined["broken"].startswith(error)
    assert re.search(r" \(strange_broken/__init__.py:\d\)$", registry.quarantined["broken"])
    assert len(registry.quarantined["broken"]) <= 1000


@pytest.mark.parametrize("sdk", [">=1,<2", "==1.*", "~=1.0", ">=1.1", ""])
def test_one_written_for_this_sdk(stranger: Made, sdk: str) -> None:
    assert quarantined(stranger("lottery", group_buy_but(code="LOTTERY", sdk=sdk)), more={"LOTTERY"}) == {}


@pytest.mark.parametrize("sdk", [">=2,<3", "<1", "==1.0.1", ">=1.2"])
def test_one_written_for_another_sdk(stranger: Made, sdk: str) -> None:
    """The error says both versions and what to do."""
    found = quarantined(stranger("lottery", group_buy_but(code="LOTTERY", sdk=sdk)))

    assert found == {
        "LOTTERY": f"it was written for engine.sdk {sdk}, and this wanfa has {SDK_VERSION}: "
        "install a version of it, or of wanfa, that fits the other"
    }


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"$ref": "https://example.com/rules.json"}, "'https://example.com/rules.json'"),
        ({"items": [{"not": {"$ref": "file:///etc/passwd"}}]}, "'file:///etc/passwd'"),
        ({"$dynamicRef": "other.json#x"}, "'other.json#x'"),
        ({"$ref": 7}, "refers to 7"),
    ],
)
def test_one_whose_form_refers_to_elsewhere(stranger: Made, extra: dict[str, object], named: str) -> None:
    """A form is complete: checking it never asks another server."""
    rules = msgspec.defstruct(
        "Remote",
        [("prize", Annotated[str, msgspec.Meta(extra_json_schema=extra)])],
        bases=(Rules,),
        frozen=True,
        kw_only=True,
    )

    assert named in quarantined(stranger("remote", group_buy_but(code="LOTTERY", rules=rules)))["LOTTERY"]


def test_one_whose_form_refers_to_itself(stranger: Made) -> None:
    """A Struct in a Struct is a `$ref` within the document."""
    prize = msgspec.defstruct("Prize", [("name", str)], frozen=True)
    rules = msgspec.defstruct("Local", [("prizes", list[prize])], bases=(Rules,), frozen=True, kw_only=True)  # type: ignore[valid-type]  # made at run time

    assert quarantined(stranger("local", group_buy_but(code="LOTTERY", rules=rules)), more={"LOTTERY"}) == {}


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
        ({"code": "LOTTERY", "step": "while true do"}, "step.lua:1: a block begins that no 'end' ends"),
        ({"code": "LOTTERY", "step": "return {}\nend end redis = 1"}, "step.lua:2: 'end' ends no block"),
        ({"code": "LOTTERY", "rules": object}, "object"),
        ({"code": 7}, "its code is 7, not a text"),
        ({"sdk": ("1",)}, "its sdk is ('1',), not a text like '>=1,<2'"),
        ({"sdk": "one or two"}, "its sdk is 'one or two', which is no range"),
        ({"code": "LOTTERY", "actions": "cut"}, "its actions is 'cut', not a tuple of verbs"),
        ({"code": "LOTTERY", "reserves": {"open", "join"}}, "not a tuple of verbs"),
        ({"code": "LOTTERY", "actions": ("open",)}, "'open' is a verb of every playbook"),
        ({"code": "LOTTERY", "reserves": ("cut",)}, "its reserves name 'cut', which is neither open, join nor"),
        ({"code": "LOTTERY", "actions": ("cut",), "early": ("join",)}, "its early name 'join', which is not one"),
        ({"code": "LOTTERY", "view": View(join="x", actions={"cut": "y"})}, "its view.actions name 'cut'"),
        ({"code": "LOTTERY", "totals": ("two words",)}, "'two words', which cannot be the name of a cell"),
        ({"code": "LOTTERY", "states": States(moves={Status.PENDING: (2,)})}, "not all a Status"),  # type: ignore[dict-item]  # what is wrong
        ({"code": "LOTTERY", "metrics": (len,)}, "its metrics is"),
        ({"code": "LOTTERY", "sessions": ()}, "its sessions is (), not a function"),
    ],
)
def test_one_whose_manifest_is_wrong(stranger: Made, changes: dict[str, object], named: str) -> None:
    """The error names what is wrong with it; the playbook is known by its code, if that is one."""
    ((name, error),) = quarantined(stranger("wrong", group_buy_but(**changes))).items()

    assert named in error
    code = changes.get("code", "GROUP_BUY (strange_wrong)")
    assert name == (code if changes.get("code") not in ("lottery", "L", "LOTTERY'] = nil --", 7) else "wrong")


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
    assert registry.disabled_unknown == ()


def test_one_that_is_switched_off_and_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """A code that is misspelt would leave its playbook on sale: it is said."""
    registry = load_playbooks(disabled=["GROUP_BYE"], points=[GOOD, ALSO_GOOD])
    registry.log_quarantined()

    assert set(registry.loaded) == {"FLASH_SALE", "GROUP_BUY"}
    assert registry.disabled_unknown == ("GROUP_BYE",)
    assert "playbooks.disabled names GROUP_BYE" in caplog.text
