"""The value object a playbook's hook returns: its manifest."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.sdk.facts import Fact
from engine.sdk.metrics import Metric
from engine.sdk.rules import Rules
from engine.sdk.states import States, Status


class Window(msgspec.Struct, frozen=True):
    """When a config is on sale; both ends are aware datetimes, `ends_at` excluded."""

    starts_at: datetime
    ends_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that exists from publication on (a flash sale's 场次).

    `suffix` is 1 to 32 of [0-9a-z] and unique within the config; `cells` are what its steps first see;
    `wake_at` is when the `deadline` step first runs, or earlier when the sale is over (None: never, not even then);
    `stock` are the units this session alone may sell (None: as many as the config has).
    """

    suffix: str
    status: Status = Status.PENDING
    target: int = 0
    wake_at: datetime | None = None
    stock: int | None = None
    cells: Mapping[str, int | str | bool] = {}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Words on the consumer's buttons. `actions` maps a verb of `Playbook.actions` to its words.

    `verb` is what the instance's one button sends, join or an action; the actions in `final` are offered
    once the instance has reached a final status, too.
    """

    open: str | None = None  # None: consumers cannot open instances
    join: str
    verb: str = "join"
    actions: Mapping[str, str] = {}
    final: tuple[str, ...] = ()


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What rules are checked against before a config is published: money in fen, stock in units."""

    price_fen: int
    stock: int
    window: Window


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with rules beyond their schema: `field` in camelCase ("" for all of them), `message` in Chinese.

    `english`: the same for who reads English; without it they are shown the Chinese.
    """

    field: str
    message: str
    english: str = ""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Rules as a store would fill them in (JSON names), with a price, for demo products, `check` and `play`."""

    rules: Mapping[str, Any] = {}
    price_fen: int = 9900
    stock: int = 100
    hours: int = 24  # on sale


def no_sessions(_rules: Any, _window: Window) -> tuple[Session, ...]:
    """Instances are opened by consumers only."""
    return ()


def asks_nothing(_rules: Any) -> tuple[Fact, ...]:
    """Clicks say who and what, nothing more."""
    return ()


def for_everybody(_rules: Any) -> tuple[str, ...]:
    """Nothing is for newcomers only."""
    return ()


def no_problems(_rules: Any, _offer: Offer) -> tuple[Problem, ...]:
    """The schema says it all."""
    return ()


def same_rules(rules: dict[str, Any], _version: str) -> dict[str, Any]:
    """What was right in an earlier version still is."""
    return rules


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the engine knows of a playbook; the reference is plugins/README.md.

    `step` is Lua source that returns a table of pure functions: any of open, join, paid, released,
    deadline, late and the verbs in `actions`. A verb in `reserves` takes stock and makes an order; one in
    `early` may be used before the config is on sale. `totals` names whole-number cells that are summed
    over all instances for the metrics. `newcomers_only` names those of `reserves` that refuse who is no newcomer,
    under these rules: of several orders that somebody held at once as a newcomer, only the first is kept.
    """

    code: str
    name: str
    version: str
    unit_name: str
    rules: type[Rules]
    states: States
    step: str
    view: View
    metrics: tuple[Metric, ...] = ()
    actions: tuple[str, ...] = ()
    reserves: tuple[str, ...] = ("open", "join")
    early: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    sessions: Callable[[Any, Window], tuple[Session, ...]] = no_sessions
    asks: Callable[[Any], tuple[Fact, ...]] = asks_nothing
    newcomers_only: Callable[[Any], tuple[str, ...]] = for_everybody
    problems: Callable[[Any, Offer], Iterable[Problem]] = no_problems
    upgrade_rules: Callable[[dict[str, Any], str], dict[str, Any]] = same_rules
    reseats: bool = False
    examples: tuple[Example, ...] = ()
    sdk: str = ">=1,<2"


def step_beside(manifest: str) -> str:
    """The source of the `step.lua` in the same folder as `manifest` (pass `__file__`)."""
    return Path(manifest).with_name("step.lua").read_text(encoding="utf-8")
