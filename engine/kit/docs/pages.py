"""A playbook's page for operators, in Chinese: everything that can be read off its manifest."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from engine.kit.docs import graph
from engine.kit.manifest.forms import said
from engine.sdk import Example, Playbook

Schema = Mapping[str, Any]
Defs = Mapping[str, Schema]

WORDS = {"boolean": "是 / 否", "object": "见下", "null": "不填"}


class RuleRow(NamedTuple):
    """One rule as the form shows it; `values` and `default` in words."""

    title: str
    field: str
    values: str
    default: str
    help: str


def rule_rows(playbook: Playbook) -> list[RuleRow]:
    """Every rule, in the order of the form, read from the schema; below a list or a group the rules of its parts."""
    document = msgspec.json.schema(playbook.rules)
    return list(_rows(document, document.get("$defs", {}), ""))


def rules_table(playbook: Playbook) -> list[str]:
    """The rules as lines of a Markdown table; the table every playbook's README keeps."""
    return _table(
        ("规则", "字段", "取值", "默认", "说明"),
        ((row.title, f"`{row.field}`", row.values, row.default, row.help) for row in rule_rows(playbook)),
    )


def operator_page(playbook: Playbook) -> str:
    """The whole page as Markdown."""
    lines = [f"# {playbook.name} {playbook.code}", "", f"版本 {playbook.version}，计量单位：{playbook.unit_name}。"]
    lines += ["", "## 规则", "", *rules_table(playbook), "", "价格、库存、开始与结束时间在营销商品上填写。"]
    lines += _examples(playbook.examples)
    lines += ["", "## 状态", "", "```mermaid", *graph.mermaid(playbook).splitlines(), "```", ""]
    lines += _table(
        ("状态", "含义", "已付款的订单"),
        ((status.name, graph.WORDS[status], graph.ending(playbook, status) or "—") for status in graph.shown(playbook)),
    )
    lines += ["", "未付款的订单在 5 分钟后失效，库存立即归还。" + _late(playbook)]
    lines += ["", "## 消费者能做什么", "", *_table(("操作", "按钮", "作用"), _deeds(playbook))]
    lines += ["", "## 指标", ""]
    if playbook.metrics:
        lines += _table(("指标", "单位", "字段"), ((m.label, m.unit, f"`{m.key}`") for m in playbook.metrics))
    else:
        lines += ["这个玩法没有自己的指标。"]
    return "\n".join(lines) + "\n"


def _examples(examples: tuple[Example, ...]) -> list[str]:
    if not examples:
        return []
    rows = (
        (f"{example.price_fen / 100:.2f}", str(example.stock), str(example.hours), _rules_of(example))
        for example in examples
    )
    return ["", "例如：", "", *_table(("价格（元）", "库存", "售卖小时", "规则"), rows)]


def _rules_of(example: Example) -> str:
    return "，".join(f"`{name}` {_shown(value)}" for name, value in example.rules.items()) or "全部默认"


def _late(playbook: Playbook) -> str:
    if playbook.reseats:
        return "失效之后才到账的付款会安排到其他进行中的实例，无处可去时全额退款。"
    return "失效之后才到账的付款全额退款。"


def _deeds(playbook: Playbook) -> Iterable[tuple[str, str, str]]:
    words = {"open": playbook.view.open, "join": playbook.view.join, **playbook.view.actions}
    for verb in ("open", "join", *playbook.actions):
        if verb == "open" and playbook.view.open is None:
            continue
        effect = "锁定库存并生成订单，请在 5 分钟内付款" if verb in playbook.reserves else "不占库存，不生成订单"
        early = "；开售前也可使用" if verb in playbook.early else ""
        yield f"`{verb}`", words.get(verb) or "—", effect + early


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    text = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]
    text[1] = "|---" * len(head) + "|"
    return text


def _rows(form: Schema, defs: Defs, under: str) -> Iterator[RuleRow]:
    form = _resolved(form, defs)
    required = form.get("required", ())
    for name, field in form.get("properties", {}).items():
        default = "必填" if name in required else _shown(field.get("default"))
        yield RuleRow(
            said(field, "title") or name, under + name, _values(field, defs), default, said(field, "description")
        )
        yield from _parts(_resolved(field, defs), defs, under + name)


def _parts(field: Schema, defs: Defs, path: str) -> Iterator[RuleRow]:
    """The rows below a field: of a group `path.name`, of a list `path[]` or `path[].name`."""
    if "properties" in field:
        yield from _rows(field, defs, f"{path}.")
    elif each := field.get("items"):
        if "properties" in _resolved(each, defs):
            yield from _rows(each, defs, f"{path}[].")
        else:
            yield RuleRow(said(each, "title"), f"{path}[]", _values(each, defs), "—", said(each, "description"))


def _resolved(schema: Schema, defs: Defs) -> Schema:
    """A schema without its `$ref`: msgspec refers to Structs and enums by `#/$defs/Name`."""
    reference = schema.get("$ref")
    return {**defs[reference.rpartition("/")[2]], **schema} if reference else schema


def _values(schema: Schema, defs: Defs) -> str:
    schema = _resolved(schema, defs)
    if "anyOf" in schema:
        return "，或".join(_values(branch, defs) for branch in schema["anyOf"])
    if "enum" in schema:
        return " / ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _range(schema) or ("整数" if kind == "integer" else "数字")
    if kind == "array":
        return _count(schema, "minItems", "maxItems", "项") or "多项"
    return _text(schema) if kind == "string" else WORDS.get(str(kind), "任意内容")


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{low}–{high}"
    bounds = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    return "，".join(f"{sign} {schema[key]}" for key, sign in bounds if key in schema)


def _count(schema: Schema, least: str, most: str, unit: str) -> str:
    low, high = schema.get(least, 0), schema.get(most)
    if high is None:
        return f"至少 {low} {unit}" if low else ""
    return f"{low} {unit}" if low == high else f"{low}–{high} {unit}"


def _text(schema: Schema) -> str:
    if "examples" in schema:
        return "如 " + "、".join(f"`{example}`" for example in schema["examples"])
    kind = {"date-time": "日期时间", "date": "日期", "time": "时刻"}.get(schema.get("format", ""), "文本")
    pattern = f"格式 `{schema['pattern']}`" if "pattern" in schema else ""
    return "，".join(part for part in (kind, _count(schema, "minLength", "maxLength", "个字符"), pattern) if part)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, Mapping):
        return "（" + "，".join(f"`{name}` {_shown(part)}" for name, part in value.items()) + "）"
    if isinstance(value, list | tuple):
        return "、".join(_shown(part) for part in value) or "空"
    if value is None or value == "":
        return "不填"
    return f"`{value}`" if isinstance(value, str) else str(value)
