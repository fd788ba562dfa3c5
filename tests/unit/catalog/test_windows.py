"""When something may be on sale, and what the gate is told of a session."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.catalog import life
from engine.catalog.drafts import check_window
from engine.core.errors import BadInput
from engine.gate.records import ms

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "now"),
    [
        (NOON, NOON + MOMENT, None),
        (datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC), None),
        (NOON, NOON + 2 * MOMENT, NOON + MOMENT),
    ],
)
def test_a_window_with_a_moment_in_it_is_one(starts_at: datetime, ends_at: datetime, now: datetime | None) -> None:
    check_window(starts_at, ends_at, now)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "now", "field"),
    [
        (NOON, NOON, None, "/endsAt"),
        (NOON, NOON - MOMENT, None, "/endsAt"),
        (NOON, datetime(2100, 1, 1, tzinfo=UTC), None, "/endsAt"),
        (datetime(1999, 12, 31, tzinfo=UTC), NOON, None, "/startsAt"),
        (NOON - MOMENT, NOON, NOON, "/endsAt"),
    ],
    ids=["empty", "backwards", "too late", "too early", "over"],
)
def test_any_other_is_refused_with_its_field(
    starts_at: datetime, ends_at: datetime, now: datetime | None, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        check_window(starts_at, ends_at, now)
    assert [wrong.pointer for wrong in refused.value.extra["errors"]] == [field]


@pytest.mark.parametrize(("wake_at", "stock"), [(NOON, 3), (None, None)])
def test_the_gate_is_told_all_of_a_session(wake_at: datetime | None, stock: int | None) -> None:
    row: Any = {"status": "ACTIVE", "target": 5, "wake_at": wake_at, "cells": {"opensAt": 7}, "stock": stock}
    expected = {"status": 2, "current": 0, "target": 5, "wakeAt": ms(NOON) if wake_at else 0, "rev": 0, "opensAt": 7}
    told = msgspec.msgpack.decode(life._cells(row))
    assert told == expected | ({"left": stock} if stock else {})
