"""What holds for every installed playbook: its metrics are total, its states lead somewhere."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.playbooks.registry import load_playbooks
from engine.sdk import Counters, Metric, Playbook, Status, ratio

REGISTRY = load_playbooks()
PLAYBOOKS = [pytest.param(playbook, id=code) for code, playbook in sorted(REGISTRY.loaded.items())]
METRICS = [
    pytest.param(metric, id=f"{code}-{metric.key}")
    for code, playbook in sorted(REGISTRY.loaded.items())
    for metric in playbook.metrics
]
TOTALS = sorted({cell for playbook in REGISTRY.loaded.values() for cell in playbook.totals})
COUNTERS = st.builds(
    Counters,
    **{name: st.integers(0, 2**53) for name in Counters.__struct_fields__ if name != "totals"},
    totals=st.dictionaries(st.sampled_from(TOTALS), st.integers(0, 2**53)),
)
BOUNDS = {"integer": {"minimum", "maximum"}, "string": {"pattern", "examples"}, "array": {"maxItems"}, "boolean": set()}


def test_the_built_in_playbooks_load() -> None:
    """Through the entry points, as a stranger's do."""
    assert REGISTRY.quarantined == {}
    assert {"BARGAIN", "FLASH_SALE", "GROUP_BUY"} <= set(REGISTRY.loaded)


@pytest.mark.parametrize("metric", METRICS)
@given(counters=COUNTERS)
def test_a_metric_never_fails(metric: Metric, counters: Counters) -> None:
    """Whatever was counted, the answer is a finite number or a dash; asked again, it is the same."""
    value = metric.compute(counters)

    assert value is None or math.isfinite(value)
    assert metric.compute(counters) == value


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_of_nothing_is_a_dash(metric: Metric) -> None:
    """Before anything happened there is no rate."""
    assert metric.compute(Counters()) is None


@given(part=st.integers(0, 10**9), rest=st.integers(0, 10**9))
def test_a_ratio_is_a_percentage(part: int, rest: int) -> None:
    value = ratio(part, part + rest)

    assert (value is None) == (part + rest == 0)
    assert value is None or 0 <= value <= 100


@pytest.mark.parametrize(
    ("key", "counters", "expected"),
    [
        ("GROUP_BUY-successRate", Counters(instances_opened=9, instances_succeeded=3, instances_failed=1), 75.0),
        ("BARGAIN-successRate", Counters(instances_opened=9, instances_succeeded=1, instances_failed=3), 25.0),
        ("BARGAIN-helpersPerBargain", Counters(instances_opened=4, totals={"current": 10}), 2.5),
        ("BARGAIN-payRate", Counters(orders_paid=1, orders_expired=3), 25.0),
        ("FLASH_SALE-reminders", Counters(totals={"reminders": 3}), 3.0),
        ("FLASH_SALE-sellThrough", Counters(units_stock=200, units_sold=50), 25.0),
        ("FLASH_SALE-payRate", Counters(orders_paid=2, orders_refunded=1, orders_held=1, orders_expired=2), 50.0),
    ],
)
def test_metrics_by_example(key: str, counters: Counters, expected: float) -> None:
    """As the operators' READMEs explain them."""
    code, _, name = key.partition("-")
    (metric,) = [metric for metric in REGISTRY.loaded[code].metrics if metric.key == name]

    assert metric.compute(counters) == expected


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_state_is_reached_and_leads_on(playbook: Playbook) -> None:
    """From PENDING every status can be reached, and from each one that is not final an end can be."""
    moves, final = playbook.states.moves, playbook.states.final()
    reached, edge = {Status.PENDING}, [Status.PENDING]
    while edge:
        fresh = set(moves.get(edge.pop(), ())) - reached
        reached |= fresh
        edge += fresh

    assert reached == set(Status)
    assert final
    for status in set(Status) - set(final):
        assert set(moves[status]) - {status}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_money_back_is_decided_at_an_end(playbook: Playbook) -> None:
    """A status that pays everyone back is one nothing follows: nobody is paid back and then counted as paid."""
    assert set(playbook.states.refunds()) <= set(playbook.states.final())


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_rules_are_a_form_an_operator_can_read(playbook: Playbook) -> None:
    """Each field, also of what stands in a list, has a Chinese title, help and bounds; JSON knows it in camelCase."""
    structs = msgspec.json.schema(playbook.rules)["$defs"]

    for struct in structs.values():
        assert struct["additionalProperties"] is False
        for name, field in struct["properties"].items():
            assert "_" not in name
            items = field.get("items", {})
            for each in (field, items) if items and "$ref" not in items else (field,):
                bounds: set[str] = {"enum"} if "enum" in each else BOUNDS[each["type"]]
                assert {"title", "description"} | bounds <= set(each)
                assert not each["title"].isascii()
