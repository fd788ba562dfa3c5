"""The author's stage: a real gate, a clock that is moved by hand, and the events that workers would send."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from engine.core.errors import ServerUnreachable
from engine.kit import stage as door
from engine.kit.stage import Click, EffectState, Event, HeadStatus, Order, Outcome, Stage, open_stage
from engine.kit.stage.harness import HOLD_TTL_MS
from engine.local.running import Running
from engine.sdk import Example, Status
from tests.kit.broken.good import GOOD

HOUR_MS = 3_600_000
README = Path(door.__file__).with_name("README.md")


@pytest.fixture
def stage(valkey: Running) -> Iterator[Stage]:
    with open_stage([GOOD], url=valkey.url, database=3) as opened:
        opened.publish(GOOD)
        yield opened


def test_a_round_is_opened_filled_and_paid_for(stage: Stage) -> None:
    opened = stage.click("open", "ann")
    for user in ("bob", "cid"):
        assert stage.click("join", user, suffix=opened.suffix).outcome == Outcome.RESERVED
    assert stage.click("join", "dan", suffix=opened.suffix).outcome == Outcome.INSTANCE_FULL

    for order_id in stage.orders:
        assert stage.pay(order_id).outcome == Outcome.DONE

    assert stage.cells(opened.suffix)["status"] == Status.SUCCESS
    assert stage.left() == 7
    assert [order.state for order in stage.orders.values()] == [EffectState.PAID] * 3


def test_time_stands_until_it_is_moved(stage: Stage) -> None:
    """Holds and deadlines fall due by the stage's clock, and only then."""
    opened = stage.click("open", "ann")
    stage.advance(HOLD_TTL_MS - 1)
    assert stage.catch_up() == []

    stage.advance(1)
    (event, reply) = stage.catch_up()[0]

    assert (event.kind, reply.outcome) == ("released", Outcome.DONE)
    assert stage.left() == 10
    stage.advance(HOUR_MS)
    assert [event.kind for event, _reply in stage.catch_up()] == ["deadline"]
    assert stage.cells(opened.suffix)["status"] == Status.FAILED


def test_a_failed_round_pays_everyone_back(stage: Stage) -> None:
    """What the states say of its orders becomes due as soon as it has failed; a payment after that goes back, too."""
    opened = stage.click("open", "ann")
    stage.advance(HOUR_MS - 1)
    stage.click("join", "bob", suffix=opened.suffix)
    ann, bob = stage.orders
    stage.pay(ann)
    stage.advance(1)

    assert [event.kind for event, _reply in stage.catch_up()] == ["deadline", "released"]
    assert stage.pay(bob).outcome == Outcome.ENDED
    assert [event.order_id for event, _reply in stage.catch_up()] == [bob]
    assert stage.left() == 10


@pytest.mark.parametrize("by_time", [True, False])
def test_what_waits_in_a_sale_that_is_over_is_due(stage: Stage, by_time: bool) -> None:
    """Though its own time has not come; once nobody is to pay there any more, and in what is only paused not at all."""
    stage.advance(stage.sale.ends_ms - stage.now_ms - 1)
    opened = stage.click("open", "ann")
    stage.set_status(HeadStatus.PAUSED)
    assert (stage.over, stage.due()) == (False, [])

    if by_time:
        stage.advance(1)
    else:
        stage.set_status(HeadStatus.ENDED)
    assert (stage.over, stage.due()) == (True, [])
    (ann,) = stage.orders
    stage.pay(ann)

    assert [event.kind for event, _reply in stage.catch_up()] == ["deadline", "released"]
    assert stage.cells(opened.suffix)["status"] == Status.FAILED
    assert stage.cells(opened.suffix)["endsAt"] > stage.now_ms


def test_a_batch_is_decided_in_order(stage: Stage) -> None:
    """The fourth of four who click at once finds no seat."""
    suffix = stage.click("open", "ann").suffix
    stage.release(next(iter(stage.orders)))

    replies = stage.batch([Click("join", user, "r1", suffix) for user in ("bob", "cid", "dan", "eve")])

    assert [reply.outcome for reply in replies] == [Outcome.RESERVED] * 3 + [Outcome.INSTANCE_FULL]


def test_the_same_request_is_answered_again(stage: Stage) -> None:
    first = stage.click("open", "ann", request_id="r1")
    before = stage.snapshot()

    assert stage.click("open", "ann", request_id="r1") == first._replace(state=EffectState.HELD)
    assert stage.click("open", "ann", request_id="r1", quantity=2).outcome == Outcome.REQUEST_ID_REUSED
    assert stage.snapshot() == before


def test_two_stages_with_the_same_history_look_the_same(stage: Stage, valkey: Running) -> None:
    """Whether clicks came in one batch or each alone: what a purity check compares."""
    with open_stage([GOOD], url=valkey.url, database=4) as other:
        other.publish(GOOD)
        clicks = [stage.pack(Click("open", user, "r1")) for user in ("ann", "bob", "cid")]
        stage.send(clicks)
        for click in clicks:
            other.send([click])

        assert other.snapshot() == stage.snapshot()
        assert len(other.intents()) == 3


def test_a_sale_that_has_not_begun_is_not_open(stage: Stage) -> None:
    stage.publish(GOOD, Example(rules={"seats": 2}), starts_in_ms=HOUR_MS)
    assert stage.click("open", "ann").outcome == Outcome.NOT_STARTED

    stage.advance(HOUR_MS)
    assert stage.click("open", "ann").outcome == Outcome.RESERVED
    stage.set_status(HeadStatus.PAUSED)
    assert stage.click("open", "bob").outcome == Outcome.PAUSED


def test_a_deadline_of_no_instance_changes_nothing(stage: Stage) -> None:
    assert stage.deadline("nowhere").outcome == Outcome.UNCHANGED
    assert stage.batch([Event("deadline", "nowhere")])[0].outcome == Outcome.UNCHANGED


def test_a_database_in_use_is_not_emptied(valkey: Running) -> None:
    """A stage clears what it stands on, so it stands only on what is empty or was a stage."""
    with redis.Redis.from_url(valkey.url) as client:
        client.set("somebody", "else's")

        with pytest.raises(ServerUnreachable, match="in use"):
            Stage(valkey.url, [GOOD])

        assert client.get("somebody") == b"else's"


@pytest.mark.parametrize("kind", [Stage, Order])
def test_the_readme_names_every_public_member(kind: type, stage: Stage) -> None:
    """And no other; of methods every parameter, too."""
    stage.click("open", "ann")
    thing: object = stage if kind is Stage else next(iter(stage.orders.values()))
    (table,) = re.findall(rf"^`{kind.__name__}`, .*\n\n((?:\|.*\n)+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    first = " ".join(row.split("|")[1] for row in table.splitlines()[2:])

    said = {name: re.findall(r"\w+", given) for name, given in re.findall(r"`(\w+)(?:\((.*?)\))?`", first)}

    assert said == {name: parameters(getattr(thing, name)) for name in dir(thing) if not name.startswith("_")}


def test_the_readme_names_all_that_tests_import() -> None:
    """Each name of the author's door has a row."""
    (table,) = re.findall(r"^Tests import .*\n\n((?:\|.*\n)+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    first = " ".join(row.split("|")[1] for row in table.splitlines()[2:])

    assert set(re.findall(r"`(\w+)", first)) == set(door.__all__)


def parameters(member: object) -> list[str]:
    return list(inspect.signature(member).parameters) if inspect.ismethod(member) else []


def test_a_stage_can_have_a_valkey_of_its_own() -> None:
    with open_stage([GOOD]) as opened:
        opened.publish(GOOD)
        assert opened.click("open", "ann").outcome == Outcome.RESERVED
