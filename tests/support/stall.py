"""A playbook that does what the built-in ones do not need, and a way to have engines with it or without others."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from unittest.mock import patch

from msgspec import Meta

from engine.playbooks.registry import Registry, load_playbooks
from engine.sdk import Counters, Fact, Metric, Offer, Playbook, Problem, Rules, Session, States, Status, View, Window

STEP = """
local step = {}
function step.join(click, rules, cells, me)
  me.said = tostring(click.newcomer) .. ' ' .. tostring(click.device) .. ' ' .. tostring(click.address)
  cells.current = cells.current + click.quantity
  cells.status = ACTIVE
end
function step.subscribe(click, rules, cells) cells.subscribers = (cells.subscribers or 0) + 1 end
function step.haggle(click, rules, cells)
  cells.priceFen = (cells.priceFen or click.price) - 1
  cells.cuts = (cells.cuts or 0) + 1
end
return step
"""


class StallRules(Rules, frozen=True):
    """摆摊规则"""

    facts: Annotated[tuple[str, ...], Meta(title="询问", description="点击时附带的信息")] = ()
    session_stock: Annotated[int, Meta(title="场次库存", description="0 表示不单独限制")] = 0
    floor_fen: Annotated[int, Meta(title="底价", description="不能高于售价")] = 0


def _sessions(rules: StallRules, _window: Window) -> tuple[Session, ...]:
    return tuple(Session(suffix=suffix, stock=rules.session_stock or None) for suffix in ("s1", "s2"))


def _problems(rules: StallRules, offer: Offer) -> Iterable[Problem]:
    if rules.floor_fen > offer.price_fen:
        yield Problem("floorFen", f"底价不能高于售价 {offer.price_fen}")
        yield Problem("", "请检查规则")


def _cuts(counters: Counters) -> float | None:
    return counters.total("cuts") / counters.instances_opened if counters.instances_opened else None


def _broken(_: Counters) -> float | None:
    raise ZeroDivisionError("dice")


def make_stall(**changes: Any) -> Playbook:
    """Two sessions; joining notes the facts it was told; haggling takes a fen off; subscribing is possible early."""
    fields: dict[str, Any] = {
        "code": "STALL",
        "name": "摆摊",
        "version": "1.0.0",
        "unit_name": "份",
        "rules": StallRules,
        "states": States(moves={Status.PENDING: (Status.ACTIVE,), Status.ACTIVE: (Status.SUCCESS, Status.FAILED)}),
        "step": STEP,
        "sessions": _sessions,
        "view": View(join="买一份", actions={"haggle": "还价", "subscribe": "提醒我"}),
        "actions": ("haggle", "subscribe"),
        "early": ("subscribe",),
        "asks": lambda rules: tuple(Fact(fact) for fact in rules.facts),
        "problems": _problems,
        "totals": ("cuts", "never"),
        "metrics": (
            Metric(key="cuts", label="平均还价", unit="次", compute=_cuts),
            Metric(key="broken", label="坏", unit="%", compute=_broken),
            Metric(key="endless", label="无穷", unit="%", compute=lambda _: float("inf")),
        ),
    }
    return Playbook(**fields | changes)


@contextmanager
def installed(*playbooks: Playbook, without: Collection[str] = ()) -> Iterator[None]:
    """Engines opened meanwhile have these playbooks besides the others, and those in `without` not any more."""

    def load(*words: Any, **options: Any) -> Registry:
        registry = load_playbooks(*words, **options)
        for playbook in playbooks:
            registry.loaded[playbook.code] = playbook
            registry.sources[playbook.code] = __name__
        for code in without:
            registry.loaded.pop(code, None)
        return registry

    with patch("engine.runtime.bootstrap.load_playbooks", load):
        yield
