"""A run of stream entries merged into one batch."""

from typing import Any

import msgspec
import pytest

from engine.gate.outcome import Outcome
from engine.orders.intents import Entry, EventIntent, Followed, Payload, decode, follow, merge, plain_cells

ORDER = ["0" * 32, "c1", "s1", "u1", "r1", 1, 990, 60_000, 7, 2, 0, 0]


def entry(epoch: int = 1, **parts: Any) -> Entry:
    """An entry that went through msgpack, as Lua writes it."""
    payload = [1000, *(parts.get(name, []) for name in ("orders", "actions", "events", "instances"))]
    return decode(b"5-1", {b"e": str(epoch).encode(), b"p": msgspec.msgpack.encode(payload)})


def test_an_entry_of_an_earlier_epoch_is_only_looked_at_for_its_orders() -> None:
    batch = merge([entry(1, orders=[ORDER], instances=[["c1", "s1", 1, 2, 0, 0, 0, {}]]), entry(2)], epoch=2)
    assert (len(batch.orders), len(batch.fenced), len(batch.instances)) == (0, 1, 0)


def test_the_newest_snapshot_counts_wherever_it_stands() -> None:
    batch = merge([entry(instances=[["c1", "s1", rev, 2, rev, 0, 0, {"seats": rev}]]) for rev in (3, 5, 4)], epoch=1)
    (newest,) = batch.instances.values()
    assert (newest.rev, newest.current, plain_cells(newest)) == (5, 5, {"seats": 5})


def test_lua_writes_an_empty_map_as_a_list() -> None:
    batch = merge([entry(instances=[["c1", "s1", 1, 2, 0, 0, 0, []]])], epoch=1)
    assert plain_cells(batch.instances["c1.s1"]) == {}


def test_configs_are_locked_in_the_order_of_their_ids() -> None:
    orders = [[*ORDER[:1], config, *ORDER[2:]] for config in ("c3", "c1", "c2", "c1")]
    assert merge([entry(orders=orders)], epoch=1).config_ids() == ["c1", "c2", "c3"]


@pytest.mark.parametrize(
    "fields", [{}, {b"e": b"x", b"p": b""}, {b"e": b"1", b"p": b"\xc1"}, {b"e": b"1", b"p": b"\x90"}]
)
def test_what_is_not_an_entry_is_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises((ValueError, KeyError)):
        decode(b"1-1", fields)


def followed(*events: tuple[str, int, int]) -> Followed:
    """What (kind, state, outcome) after one another come to."""
    result = Followed("c1")
    for kind, state, outcome in events:
        follow(result, EventIntent("0" * 32, "c1", kind, state, outcome))
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


def test_payload_fields_stand_in_the_order_of_the_script() -> None:
    assert Payload.__struct_fields__ == ("now_ms", "orders", "actions", "events", "instances")
