"""What the gate's Python writes for Lua, and makes of its answers."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from engine.gate import records
from engine.gate.outcome import REFUSALS, Outcome
from engine.gate.records import KEY_LENGTH, EffectState

decode = msgspec.msgpack.decode


def test_a_moment_is_whole_milliseconds() -> None:
    """Each of them, though a float is one too few for some."""
    start = datetime(2038, 4, 25, 6, 32, 15, tzinfo=UTC)
    first = records.ms(start)
    assert int((start + timedelta(milliseconds=2272)).timestamp() * 1000) == first + 2271
    assert [records.ms(start + timedelta(milliseconds=n)) for n in range(5000)] == list(range(first, first + 5000))


def test_the_engines_cells_are_the_engines() -> None:
    """Whatever a playbook calls its own."""
    own = {"status": 9, "rev": 9, "wakeAt": 9, "seats": 3}
    packed = decode(records.cells(status=1, current=2, target=3, wake_at_ms=4, rev=5, own=own))
    assert packed == {"status": 1, "current": 2, "target": 3, "wakeAt": 4, "rev": 5, "seats": 3}


@pytest.mark.parametrize("left", [0, 7])
def test_a_session_may_have_stock_of_its_own(left: int) -> None:
    packed = records.cells(status=1, current=0, target=0, wake_at_ms=0, rev=0, own={"left": 99}, left=left)
    assert decode(packed)["left"] == left


def test_an_effect_is_known_by_the_start_of_its_id() -> None:
    """As many characters as Lua looks for."""
    order_id = "0123456789abcdef" * 2
    effect = records.effect(
        order_id=order_id,
        fingerprint=1,
        state=EffectState.HELD,
        quantity=1,
        suffix="s1",
        pay_before_ms=2,
        receipt=(3, 4, 5),
    )
    assert (effect.key, len(effect.key)) == (order_id[:KEY_LENGTH], KEY_LENGTH)
    assert (effect.status, effect.current, effect.target) == (3, 4, 5)


@pytest.mark.parametrize("me", [None, {}, {"rev": 3, "at": "s1"}])
def test_a_person_is_led_by_their_own_cells_if_they_have_any(me: dict[str, int | str | bool] | None) -> None:
    """Lua takes whatever map comes first for them."""
    field = records.person([], me)
    assert decode(field) == ([me] if me else [])
    assert records.read_person(field) == (me or {}, [])


def test_every_refusal_is_the_error_of_its_name() -> None:
    assert {outcome.name: error.code for outcome, error in REFUSALS.items()} == {
        outcome.name: outcome.name for outcome in Outcome if outcome > Outcome.UNCHANGED
    }
