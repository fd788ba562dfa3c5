"""What `docs` and `graph` say of a playbook, and how a playbook is named on the command line."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import Meta
from rich.cells import cell_len

from engine.kit.commands import playbook as commands
from engine.kit.docs import graph, pages
from engine.kit.docs.renew import renewed
from engine.kit.find import find_playbook
from engine.playbooks.registry import load_playbooks
from engine.sdk import Playbook, Rules, States, Status, View

CHECKOUT = Path(__file__).resolve().parents[2]
LOADED = load_playbooks().loaded
INSTALLED = [pytest.param(playbook, id=code) for code, playbook in sorted(LOADED.items())]

PACKAGE = """
from engine.sdk import Playbook, Rules, States, View, hookimpl

@hookimpl
def wanfa_playbook():
    return Playbook(code="{code}", name="抽签", version="1", unit_name="份", rules=Rules,
                    states=States(moves={{}}), step="return {{}}", view=View(join="抽"))
"""


def make(**changes: object) -> Playbook:
    """A playbook with nothing in it."""
    manifest = {
        "code": "DRAW",
        "name": "抽签",
        "version": "1.0.0",
        "unit_name": "份",
        "rules": Rules,
        "states": States(moves={Status.PENDING: (Status.SUCCESS, Status.FAILED)}, orders={Status.FAILED: "refund"}),
        "step": "return {}",
        "view": View(join="抽一签"),
    }
    return Playbook(**{**manifest, **changes})  # type: ignore[arg-type]


# The rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("playbook", INSTALLED)
def test_a_playbooks_readme_keeps_the_table_that_docs_prints(playbook: Playbook) -> None:
    """Line by line: who changes a rule prints the table and pastes it."""
    readme = (CHECKOUT / "plugins" / playbook.code.lower() / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in pages.rules_table(playbook) if line not in readme] == []


class Shape(StrEnum):
    """Of a thing."""

    EVEN = "even"
    FRONT = "front"


class Tier(msgspec.Struct, frozen=True, rename="camel"):
    """One of several."""

    people: Annotated[int, Meta(ge=2, le=100, title="人数", description="多少人")]
    price_fen: Annotated[int, Meta(ge=1, title="价格（分）", description="多少钱")] = 1


class ManyRules(Rules, frozen=True):
    """Every kind of field."""

    count: Annotated[int, Meta(ge=1, le=9, title="数量", description="几个")]
    tiers: Annotated[tuple[Tier, ...], Meta(max_length=5, title="阶梯", description="甲|乙")] = ()
    times: Annotated[
        tuple[Annotated[str, Meta(title="时刻", description="几点", examples=["10:00"])], ...],
        Meta(min_length=1, max_length=8, title="场次", description="每天几场"),
    ] = ("10:00", "20:00")
    shape: Annotated[Shape, Meta(title="形状", description="怎么分")] = Shape.EVEN
    on: Annotated[bool, Meta(title="开关", description="开不开")] = False
    most: Annotated[int, Meta(ge=1, title="上限", description="最多几个")] | None = None
    note: Annotated[str, Meta(max_length=20, title="备注", description="写什么")] = ""
    best: Annotated[Tier, Meta(title="最好", description="最好的一档")] = Tier(people=9)


@pytest.mark.parametrize(
    "row",
    [
        "| 数量 | `count` | 1–9 | 必填 | 几个 |",
        "| 阶梯 | `tiers` | 0–5 项 | 空 | 甲\\|乙 |",
        "| 人数 | `tiers[].people` | 2–100 | 必填 | 多少人 |",
        "| 价格（分） | `tiers[].priceFen` | ≥ 1 | 1 | 多少钱 |",
        "| 场次 | `times` | 1–8 项 | `10:00`、`20:00` | 每天几场 |",
        "| 时刻 | `times[]` | 如 `10:00` | — | 几点 |",
        "| 形状 | `shape` | `even` / `front` | `even` | 怎么分 |",
        "| 开关 | `on` | 是 / 否 | 否 | 开不开 |",
        "| 上限 | `most` | ≥ 1，或不填 | 不填 | 最多几个 |",
        "| 备注 | `note` | 文本，0–20 个字符 | 不填 | 写什么 |",
        "| 最好 | `best` | 见下 | （`people` 9，`priceFen` 1） | 最好的一档 |",
        "| 人数 | `best.people` | 2–100 | 必填 | 多少人 |",
        "| 每人限购 | `limitPerPerson` | 0–1000 | 1 | 每人最多可购买的份数，0 表示不限 |",
    ],
)
def test_a_rule_of_any_kind_is_readable(row: str) -> None:
    """Lists and groups have a row for each of their parts; nothing breaks the table."""
    assert row in pages.rules_table(make(rules=ManyRules))


# The page ------------------------------------------------------------------------------------


@pytest.mark.parametrize("playbook", INSTALLED)
def test_the_page_leaves_nothing_of_the_manifest_out(playbook: Playbook) -> None:
    """Rules, states, buttons, actions, metrics."""
    page = pages.operator_page(playbook)
    words = [playbook.name, playbook.code, playbook.version, *playbook.view.actions.values()]
    words += [f"`{verb}`" for verb in playbook.actions]
    words += [metric.label for metric in playbook.metrics]
    words += filter(None, [playbook.view.open])
    assert [word for word in words if word not in page] == []
    assert graph.mermaid(playbook) in page


def test_the_page_says_what_an_action_does_and_when() -> None:
    playbook = make(actions=("cut",), view=View(join="买", actions={"cut": "砍一刀"}), early=("cut",))
    page = pages.operator_page(playbook)
    assert "| `cut` | 砍一刀 | 不占库存，不生成订单；开售前也可使用 |" in page
    assert "| `join` | 买 | 锁定库存并生成订单，请在 5 分钟内付款 |" in page
    assert "`open`" not in page


@pytest.mark.parametrize(("reseats", "words"), [(True, "安排到其他进行中的实例"), (False, "到账的付款全额退款")])
def test_the_page_says_where_a_late_payment_goes(reseats: bool, words: str) -> None:
    assert words in pages.operator_page(make(reseats=reseats))


def test_docs_prints_the_page_or_writes_it(tmp_path: Path) -> None:
    runner = CliRunner()
    printed = runner.invoke(commands, ["docs", "flash-sale"])
    written = runner.invoke(commands, ["docs", "flash-sale", "--out", str(tmp_path / "page.md")])
    nowhere = runner.invoke(commands, ["docs", "flash-sale", "--out", str(tmp_path / "no" / "page.md")])
    assert printed.output == pages.operator_page(LOADED["FLASH_SALE"])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == printed.output
    assert written.exit_code == 0
    assert nowhere.exit_code == 1
    assert "No such file or directory" in nowhere.output


def test_docs_touches_a_file_only_when_told_to(tmp_path: Path) -> None:
    """A README with more in it than the manifest knows is not changed by a slip, and never lost."""
    page = tmp_path / "README.md"
    page.write_text("mine", encoding="utf-8")
    arguments = ["docs", "flash-sale", "--out", str(page)]

    refused = CliRunner().invoke(commands, arguments)

    assert refused.exit_code == 1
    assert f"{page} exists; --force renews its tables and keeps what else is in it" in refused.output
    assert page.read_text(encoding="utf-8") == "mine"
    assert CliRunner().invoke(commands, [*arguments, "--force"]).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "\nmine\n" in text
    assert set(pages.rules_table(LOADED["FLASH_SALE"])) <= set(text.splitlines())


OLD_PAGE = """# 秒杀，我们店的写法

版本 0.0.1，计量单位：张。

我写的开头。

```
# 不是标题

| 不是表格 |
```

## 规则

我写的第一段。
| 规则 | 字段 | 取值 | 默认 | 说明 |
|---|---|---|---|---|
| 旧规则 | `old` | 1 | 1 | 旧 |

我写的第二段。

| 我的 | 表 |
|---|---|
| a | b |

## 我的常见问题

- **问？** 答。

- **再问？** 再答。
"""


def test_a_page_that_is_renewed_keeps_all_that_was_written() -> None:
    """Tables, drawings and version are as `docs` makes them now, in their place; nobody's words are lost."""
    page = pages.operator_page(LOADED["FLASH_SALE"])
    text = renewed(OLD_PAGE, page)

    kept = [
        line
        for line in OLD_PAGE.splitlines()
        if line not in ("", "```") and "旧" not in line[:4] and line[:2] != "版本"
    ]
    assert [line for line in text.splitlines() if line in kept] == kept
    left_out = {line for line in page.splitlines() if line not in text.splitlines()}
    assert left_out == {page.splitlines()[0], "价格、库存、开始与结束时间在营销商品上填写。"}
    assert "\n\n例如：\n\n| 价格（元） |" in text
    assert "旧规则" not in text
    assert "0.0.1" not in text
    table = "\n".join(pages.rules_table(LOADED["FLASH_SALE"]))
    assert f"我写的第一段。\n\n{table}\n\n我写的第二段。" in text


@pytest.mark.parametrize("playbook", INSTALLED)
def test_renewing_a_page_again_changes_nothing(playbook: Playbook) -> None:
    """Neither one that docs wrote, nor one of ours, which people wrote around the table."""
    page = pages.operator_page(playbook)
    ours = (CHECKOUT / "plugins" / playbook.code.lower() / "README.md").read_text(encoding="utf-8")
    assert renewed(page, page) == page
    once = renewed(ours, page)
    assert renewed(once, page) == once
    assert [line for line in ours.splitlines() if line and line not in once.splitlines()] == []


# The drawing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("playbook", INSTALLED)
def test_mermaid_draws_exactly_the_moves_there_are(playbook: Playbook) -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", graph.mermaid(playbook), re.MULTILINE))
    assert drawn == {
        (before.name, after.name)
        for before, following in playbook.states.moves.items()
        for after in following
        if before in graph.shown(playbook)
    }


def test_mermaid_says_where_it_begins_and_what_an_end_means() -> None:
    source = graph.mermaid(make())
    assert source == (
        "stateDiagram-v2\n"
        '    state "等待 PENDING" as PENDING\n'
        '    state "成功 SUCCESS" as SUCCESS\n'
        '    state "失败 FAILED" as FAILED\n'
        "    [*] --> PENDING\n"
        "    PENDING --> SUCCESS\n"
        "    PENDING --> FAILED\n"
        "    SUCCESS --> [*]\n"
        "    FAILED --> [*]\n"
        "    note right of SUCCESS : 订单保留\n"
        "    note right of FAILED : 订单全额退款，库存归还\n"
    )


def test_the_terminals_drawing_says_the_same() -> None:
    assert graph.drawing(make()) == (
        "● PENDING 等待 ─┬─▶ SUCCESS\n"
        "                └─▶ FAILED\n"
        "  SUCCESS 成功 ■  订单保留\n"
        "  FAILED 失败  ■  订单全额退款，库存归还\n"
        "\n"
        "● begins here   ■ nothing follows\n"
    )


@pytest.mark.parametrize("playbook", INSTALLED)
def test_a_drawing_fits_a_narrow_terminal(playbook: Playbook) -> None:
    assert max(map(cell_len, graph.drawing(playbook).splitlines())) <= 80


def test_graph_prints_either() -> None:
    runner = CliRunner()
    assert runner.invoke(commands, ["graph", "flash_sale"]).output == graph.drawing(LOADED["FLASH_SALE"])
    assert runner.invoke(commands, ["graph", "FLASH_SALE", "--mermaid"]).output == graph.mermaid(LOADED["FLASH_SALE"])


# Its name ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GROUP_BUY", "group-buy", "Group_Buy", str(CHECKOUT / "plugins" / "group_buy")])
def test_a_playbook_has_many_names(name: str) -> None:
    """Its code in any case, with dashes, its entry point, its folder."""
    found = find_playbook(name)
    assert found.playbook is not None
    assert (found.playbook.code, found.module, found.error) == ("GROUP_BUY", "plugins.group_buy", "")


@pytest.mark.parametrize("layout", ["flat", "src"])
def test_a_project_need_not_be_installed(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pyproject.toml says which module it is."""
    monkeypatch.setattr("sys.path", [*sys.path])
    root = tmp_path / "src" if layout == "src" else tmp_path
    package = root / f"stranger_{layout}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PACKAGE.format(code="STRANGER"), encoding="utf-8")
    lines = f'[project.entry-points."wanfa.playbooks"]\nstranger = "stranger_{layout}"\n'
    (tmp_path / "pyproject.toml").write_text(lines, encoding="utf-8")

    for folder in (tmp_path, package):
        found = find_playbook(str(folder))
        assert found.playbook is not None, found.error
        assert (found.playbook.code, found.module) == ("STRANGER", f"stranger_{layout}")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import nothing_of_the_kind", "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("x = 1", "has no @hookimpl named wanfa_playbook"),
        (PACKAGE.format(code="low case"), "must be upper case"),
    ],
)
def test_one_that_cannot_be_loaded_is_found_with_its_error(
    source: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    package = tmp_path / tmp_path.name
    package.mkdir()
    (package / "__init__.py").write_text(source, encoding="utf-8")

    found = find_playbook(str(package))

    assert found.playbook is None
    assert found.module == package.name
    assert why in found.error


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("NO_SUCH", "no playbook is called NO_SUCH; there are "),
        ("./no-such", "no-such is not a folder"),
        (str(CHECKOUT / "config"), "config is neither a package (no __init__.py) nor a project (no pyproject.toml)"),
        (str(CHECKOUT), "pyproject.toml names plugins."),
    ],
)
def test_what_is_no_playbook_is_told_so(name: str, why: str) -> None:
    found = find_playbook(name)
    assert found.playbook is None
    assert why in found.error
    assert all(code in found.error for code in LOADED if name == "NO_SUCH")
