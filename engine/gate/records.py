"""What lies in Redis, as bytes: the msgpack records that Python and Lua share.

Lua writes text only (its msgpack has no binary type), so every string here is text as well.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

import msgspec

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY_LENGTH = 16  # characters of an order's id that tell it from the person's others
PERSON_RELEASED_MAX = 256  # released orders of a person on a config; who has had so many is given no further one

_encode = msgspec.msgpack.Encoder().encode


class HeadStatus(IntEnum):
    """The life of a config as the gate sees it; a DRAFT is not in Redis."""

    PUBLISHED = 1
    PAUSED = 2
    ENDED = 3


class EffectState(IntEnum):
    """What became of one of a person's clicks, as Redis knows it (orders.gate_state)."""

    RELEASED = 0
    HELD = 1
    PAID = 2
    ACTION = 3


class Effect(msgspec.Struct, array_like=True, gc=False):
    """A click in a person's record that had an effect; `status`, `current` and `target` are what it was answered with.

    Lua gets the places of the fields as constants (`EFFECT_KEY`, …): engine/playbooks/script.py.
    """

    key: str  # the start of its order's or action's id
    fingerprint: int
    state: EffectState
    quantity: int  # 0 of what holds no units
    suffix: str
    pay_before_ms: int
    status: int
    current: int
    target: int


_decode_person = msgspec.msgpack.Decoder(list[dict[str, Any] | Effect]).decode


def ms(moment: datetime) -> int:
    """Whole milliseconds since 1970; in integers, because a float is at times one too few."""
    return (moment - UNIX_EPOCH) // timedelta(milliseconds=1)


def head(
    *,
    code: str,
    status: HeadStatus,
    starts_at: datetime,
    ends_at: datetime,
    price_fen: int,
    limit: int,
    rules: Mapping[str, Any],
) -> bytes:
    """The `head` field of a config: all the gate must know of it. `limit` 0 means none."""
    return _encode(
        {
            "code": code,
            "status": int(status),
            "starts": ms(starts_at),
            "ends": ms(ends_at),
            "price": price_fen,
            "limit": limit,
            "rules": rules,
        }
    )


def cells(
    *,
    status: int,
    current: int,
    target: int,
    wake_at_ms: int,
    rev: int,
    own: Mapping[str, int | str | bool],
    left: int | None = None,
) -> bytes:
    """An instance's field: the engine's cells and the playbook's own. `left`: units of a stock of its own."""
    engines = {"status": status, "current": current, "target": target, "wakeAt": wake_at_ms, "rev": rev}
    return _encode({**own, **engines} if left is None else {**own, **engines, "left": left})


def effect(
    *,
    order_id: str,
    fingerprint: int,
    state: EffectState,
    quantity: int,
    suffix: str,
    pay_before_ms: int,
    receipt: Sequence[int],
) -> Effect:
    """One click in a person's record; `receipt` is the status, current and target it was answered with."""
    return Effect(order_id[:KEY_LENGTH], fingerprint, state, quantity, suffix, pay_before_ms, *receipt)


def person(effects: Sequence[Effect], me: Mapping[str, int | str | bool] | None = None) -> bytes:
    """A person's field: their effects, oldest first; before them their own cells with `rev`, if they have any."""
    return _encode([me, *effects] if me else effects)


def read_person(field: bytes) -> tuple[dict[str, Any], list[Effect]]:
    """A person's own cells, and their effects, of their field."""
    record = _decode_person(field)
    mine = record[0] if record and isinstance(record[0], dict) else {}
    return mine, [one for one in record if isinstance(one, Effect)]
