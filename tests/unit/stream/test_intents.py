"""A run of stream entries merged into one batch."""

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gate.outcome import Outcome
from engine.stream.intents import Entry, EventIntent, Followed, Payload, Seat, decode, follow, merge, plain_cells

ORDER = ["0" * 32, "c1", "s1", "u1", "r1", 1, 990, 60_000, 7, 2, 0, 0]
REWARD = ["0" * 32 + ":paid", 0, "c1", "s1", "0" * 32, "u1", "CASH", 5, 60_000]
NOTICE = ["0" * 32 + ":remind", 0, "c1", "s1", "u1", "SALE_OPENS", 60_000]
PARTS = ("orders", "actions", "events", "instances", "people", "rewards", "notices")


def entry(epoch: int = 1, parts_max: int = len(PARTS), **parts: Any) -> Entry:
    """An entry that went through msgpack, as Lua writes it; an earlier version wrote four parts."""
    payload = [1000, *(parts.get(name, []) for name in PARTS[:parts_max])]
    return decode(b"5-1", {b"e": str(epoch).encode(), b"p": msgspec.msgpack.encode(payload)})


def test_an_entry_of_an_earlier_epoch_is_only_looked_at_for_its_orders() -> None:
    parts: dict[str, Any] = {"instances": [["c1", "s1", 1, 2, 0, 0, 0, {}]], "people": [["c1", "u1", 1, {}]]}
    batch = merge([entry(1, orders=[ORDER], rewards=[REWARD], notices=[NOTICE], **parts), entry(2)], epoch=2)
    assert (len(batch.orders), len(batch.fenced), len(batch.instances)) == (0, 1, 0)
    assert (batch.people, batch.rewards, batch.notices) == ({}, [], [])


def test_the_newest_snapshot_counts_wherever_it_stands() -> None:
    batch = merge([entry(instances=[["c1", "s1", rev, 2, rev, 0, 0, {"seats": rev}]]) for rev in (3, 5, 4)], epoch=1)
    (newest,) = batch.instances.values()
    assert (newest.rev, newest.current, plain_cells(newest)) == (5, 5, {"seats": 5})


@given(st.permutations(range(1, 6)))
def test_the_newest_cells_of_a_person_count_wherever_they_stand(revs: list[int]) -> None:
    batch = merge([entry(people=[["c1", "u1", rev, {"cuts": rev, "rev": rev}]]) for rev in revs], epoch=1)
    (newest,) = batch.people.values()
    assert (newest.rev, plain_cells(newest)) == (5, {"cuts": 5})


def test_people_of_two_configs_are_two() -> None:
    batch = merge([entry(people=[["c1", "u1", 1, []], ["c2", "u1", 1, {"at": "s1"}]])], epoch=1)
    assert {key: plain_cells(person) for key, person in batch.people.items()} == {
        ("c1", "u1"): {},
        ("c2", "u1"): {"at": "s1"},
    }


def test_what_the_engine_counts_is_no_cell_of_the_playbook() -> None:
    """`left` is counted from orders; a snapshot's would be out of date as soon as it is read back."""
    batch = merge([entry(instances=[["c1", "s1", 1, 2, 0, 0, 0, {"left": 3, "seats": 2}]])], epoch=1)
    assert plain_cells(batch.instances["c1.s1"]) == {"seats": 2}


def test_an_entry_of_the_version_before_is_read() -> None:
    """A stream may hold some when the new version starts: shorter payloads, shorter events."""
    old = entry(parts_max=4, orders=[ORDER], events=[["1" * 32, "c1", "paid", 2, Outcome.DONE]])
    batch = merge([old], epoch=1)
    assert (len(batch.orders), batch.events["1" * 32].paid, batch.people, batch.rewards) == (1, True, {}, [])


def test_lua_writes_an_empty_map_as_a_list() -> None:
    batch = merge([entry(instances=[["c1", "s1", 1, 2, 0, 0, 0, []]])], epoch=1)
    assert plain_cells(batch.instances["c1.s1"]) == {}


def test_configs_are_locked_in_the_order_of_their_ids() -> None:
    orders = [[*ORDER[:1], config, *ORDER[2:]] for config in ("c3", "c1", "c2", "c1")]
    assert merge([entry(orders=orders)], epoch=1).config_ids() == ["c1", "c2", "c3"]


@pytest.mark.parametrize("part", [{"people": [["c9", "u1", 1, {}]]}, {"rewards": [[*REWARD[:2], "c9", *REWARD[3:]]]}])
def test_what_is_kept_of_people_locks_its_config_too(part: dict[str, Any]) -> None:
    assert merge([entry(**part)], epoch=1).config_ids() == ["c9"]


@pytest.mark.parametrize(
    "fields", [{}, {b"e": b"x", b"p": b""}, {b"e": b"1", b"p": b"\xc1"}, {b"e": b"1", b"p": b"\x90"}]
)
def test_what_is_not_an_entry_is_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises((ValueError, KeyError)):
        decode(b"1-1", fields)


def followed(*events: tuple[str, int, int]) -> Followed:
    """What (kind, state, outcome) after one another come to; each sits in an instance named after its moment."""
    result = Followed("c1")
    for now_ms, (kind, state, outcome) in enumerate(events, 1):
        follow(result, EventIntent("0" * 32, "c1", kind, state, outcome, f"s{now_ms}"), now_ms)
    return result


def test_released_is_never_undone_by_a_late_paid() -> None:
    """The gate's answers may be drained in any order."""
    for events in ([("paid", 2, 1), ("released", 0, 1)], [("released", 0, 1), ("paid", 2, 1)]):
        assert followed(*events).gate_state == 0


def test_a_refusal_of_the_playbook_asks_for_the_money_back() -> None:
    refused = followed(("paid", 1, Outcome.ENDED))
    assert (refused.refused, refused.done, refused.gate_state) == (True, {"paid"}, None)


@pytest.mark.parametrize(("kind", "state", "done"), [("paid", -1, False), ("paid", 1, False), ("released", -1, True)])
def test_what_had_no_effect_is_sent_again(kind: str, state: int, done: bool) -> None:
    """Except a release that Redis has nothing to release for."""
    assert bool(followed((kind, state, Outcome.UNCHANGED)).done) is done


def test_a_late_payer_sits_where_redis_put_them_last() -> None:
    """Their seat is not the released state of before, nor a repeated answer of after."""
    result = followed(("released", 0, Outcome.DONE), ("late", 2, Outcome.DONE), ("late", 2, Outcome.UNCHANGED))
    assert result.seat == Seat("s2", 2, taken=True)
    assert (result.gate_state, result.now_ms, result.done) == (0, 1, {"released", "late"})
    assert followed(("late", 2, Outcome.DONE), ("released", 0, Outcome.DONE), ("late", 2, Outcome.DONE)).seat == Seat(
        "s3", 3, taken=True
    )


def test_a_seat_that_was_given_in_an_answer_nobody_saw() -> None:
    """The repeated answer tells of it as well."""
    assert followed(("late", 2, Outcome.UNCHANGED)).seat == Seat("s1", 1, taken=False)


@pytest.mark.parametrize(("state", "outcome"), [(0, Outcome.INSTANCE_FULL), (0, Outcome.SOLD_OUT), (-1, 2)])
def test_a_late_payer_nobody_takes_in_is_turned_away(state: int, outcome: int) -> None:
    refused = followed(("late", state, outcome))
    assert (refused.turned_away, refused.seat, refused.done, refused.gate_state) == (True, None, {"late"}, None)


def test_answers_to_a_late_payment_may_be_read_in_any_order() -> None:
    answers = [
        EventIntent("0" * 32, "c1", "released", 0, Outcome.DONE, "s1"),
        EventIntent("0" * 32, "c1", "late", 2, Outcome.DONE, "s2"),
        EventIntent("0" * 32, "c1", "late", 2, Outcome.UNCHANGED, "s2"),
    ]
    results = []
    for order in permutations(range(3)):
        result = Followed("c1")
        for number in order:
            follow(result, answers[number], 10 + number)
        results.append(result)
    assert all(result == results[0] for result in results)
    assert results[0].seat == Seat("s2", 11, taken=True)


def test_payload_fields_stand_in_the_order_of_the_script() -> None:
    assert Payload.__struct_fields__ == ("now_ms", *PARTS)


def test_an_instance_is_as_old_as_the_first_that_is_told_of_it() -> None:
    """Whatever became of it in the same run."""
    first, then = entry(instances=[["c1", "s1", 1, 2, 0, 0, 0, {}]]), entry(instances=[["c1", "s1", 2, 2, 1, 0, 0, {}]])
    then = msgspec.structs.replace(then, payload=msgspec.structs.replace(then.payload, now_ms=5000))
    batch = merge([first, then], epoch=1)
    assert (batch.instances["c1.s1"].rev, batch.instances_ms["c1.s1"]) == (2, 1000)


def event(kind: str, state: int, outcome: Outcome = Outcome.DONE) -> EventIntent:
    return EventIntent("0" * 32, "c1", kind, state, outcome)


@pytest.mark.parametrize(("state", "done"), [(0, {"released"}), (-1, {"released"}), (1, set()), (2, set())])
def test_a_release_is_done_when_redis_has_let_go(state: int, done: set[str]) -> None:
    """Of what it still holds it is told again."""
    followed = Followed("c1")
    follow(followed, event("released", state, Outcome.UNCHANGED), 1000)
    assert followed.done == done


def test_an_order_that_is_paid_in_redis_is_refused_by_nothing() -> None:
    """A repeated event is refused by a step that has counted the payment before."""
    followed = Followed("c1")
    follow(followed, event("paid", 2, Outcome.INSTANCE_FULL), 1000)
    assert (followed.refused, followed.paid, followed.done) == (False, True, {"paid"})


@pytest.mark.parametrize("moments", [*permutations((1000, 2000, 3000))])
def test_the_time_of_an_answer_is_that_of_the_last(moments: tuple[int, ...]) -> None:
    followed = Followed("c1")
    for now_ms in moments:
        follow(followed, event("paid", 2), now_ms)
    assert followed.now_ms == 3000
