"""The value object a playbook's hook returns: its manifest."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

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
    `wake_at` is when the `deadline` step first runs (None: never).
    """

    suffix: str
    status: Status = Status.PENDING
    target: int = 0
    wake_at: datetime | None = None
    cells: Mapping[str, int | str | bool] = {}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Words on the consumer's button."""

    open: str | None = None  # None: consumers cannot open instances
    join: str


def no_sessions(_rules: Any, _window: Window) -> tuple[Session, ...]:
    """Instances are opened by consumers only."""
    return ()


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the engine knows of a playbook; the reference is plugins/README.md.

    `step` is Lua source that returns a table of pure functions: any of open, join, paid, released,
    deadline and the verbs in `actions`. A verb in `reserves` takes stock and makes an order.
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
    sessions: Callable[[Any, Window], tuple[Session, ...]] = no_sessions
    sdk: str = ">=1,<2"


def step_beside(manifest: str) -> str:
    """The source of the `step.lua` in the same folder as `manifest` (pass `__file__`)."""
    return Path(manifest).with_name("step.lua").read_text(encoding="utf-8")
