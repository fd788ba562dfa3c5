"""Numbers a playbook shows of itself: pure functions over counters."""

from collections.abc import Callable

import msgspec


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine counts for one config; units in the names."""

    instances_opened: int = 0
    instances_succeeded: int = 0
    instances_failed: int = 0
    orders_held: int = 0
    orders_paid: int = 0
    orders_expired: int = 0
    orders_refunded: int = 0
    units_stock: int = 0
    units_sold: int = 0
    gmv_fen: int = 0


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One number on a playbook's own card. `compute` never fails; None shows as a dash."""

    key: str
    label: str  # Chinese
    unit: str  # "%", "人" …
    compute: Callable[[Counters], float | None]


def ratio(part: int, whole: int) -> float | None:
    """`part / whole` in percent; None when there is no whole yet."""
    return None if whole == 0 else 100.0 * part / whole
