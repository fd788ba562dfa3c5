"""What is wrong with a playbook's metrics."""

import math
import re
from collections.abc import Iterator

import hypothesis
from hypothesis import HealthCheck, Verbosity
from hypothesis import strategies as st

from engine.kit.manifest.forms import is_chinese
from engine.sdk import Counters, Metric, Playbook

EXAMPLES = 100
COUNT_MAX = 2**53
KEY = re.compile(r"[a-z][A-Za-z0-9]*")


def metric_faults(playbook: Playbook) -> Iterator[str]:
    """Metrics that fail, are no number, say something of nothing, or change their mind; and wrong names."""
    keys = [metric.key for metric in playbook.metrics]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"two metrics are called {key}"
    for metric in playbook.metrics:
        if not KEY.fullmatch(metric.key):
            yield f"metric {metric.key!r}: its key must be a camelCase name"
        if not is_chinese(metric.label):
            yield f"metric {metric.key}: its label is no Chinese"
        nothing = Counters(totals=dict.fromkeys(playbook.totals, 0))
        said = _said(metric, nothing)
        if said is None and metric.compute(nothing) is not None:
            said = f"is {metric.compute(nothing)} where nothing was counted: None shows as a dash"
        if said := said or _fault(playbook, metric):
            yield f"metric {metric.key} {said}"


def _fault(playbook: Playbook, metric: Metric) -> str | None:
    counts = st.integers(0, COUNT_MAX)
    fields = {name: counts for name in Counters.__struct_fields__ if name != "totals"}
    totals = st.fixed_dictionaries({}, optional=dict.fromkeys(playbook.totals, st.integers(-COUNT_MAX, COUNT_MAX)))
    faults: list[str] = []

    @hypothesis.settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @hypothesis.given(st.builds(Counters, **fields, totals=totals))
    def computed(counters: Counters) -> None:
        if said := _said(metric, counters):
            faults.append(said)
        assert said is None

    try:
        computed()
    except AssertionError:
        return faults[-1]  # Hypothesis ends with the smallest
    return None


def _said(metric: Metric, counters: Counters) -> str | None:
    try:
        value, again = metric.compute(counters), metric.compute(counters)
    except Exception as error:  # noqa: BLE001  # a stranger's function may raise anything
        return f"raised {type(error).__name__}: {error}; for {_shown(counters)}"
    if value is not None and (not isinstance(value, int | float) or not math.isfinite(value)):
        return f"is {value!r}, no finite number; for {_shown(counters)}"
    if value != again:
        return f"is {value} and then {again}; for {_shown(counters)}"
    return None


def _shown(counters: Counters) -> str:
    values = {name: getattr(counters, name) for name in counters.__struct_fields__}
    return ", ".join(f"{name} {value}" for name, value in values.items() if value) or "nothing counted"
