"""Numbers a playbook shows of itself: pure functions over counters."""

from collections.abc import Callable, Mapping

import msgspec


class Counters(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the engine counts for one config; units in the names.

    Instances completed by simulation (cell `simulated`) are in none of them. `totals` has the sum of each
    cell named in `Playbook.totals`. Of what paid orders cost (`gmv_fen`), `rebate_fen` are owed or paid back
    while they stay paid, and `net_fen` remain.
    """

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
    rebate_fen: int = 0
    net_fen: int = 0
    totals: Mapping[str, int] = {}

    def total(self, cell: str) -> int:
        """The sum of a cell over all instances; 0 when there is none."""
        return self.totals.get(cell, 0)


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One number on a playbook's own card. `compute` never fails; None shows as a dash."""

    key: str
    label: str  # Chinese
    unit: str  # "%", "人" …
    compute: Callable[[Counters], float | None]


def ratio(part: int, whole: int) -> float | None:
    """`part / whole` in percent; None when there is no whole yet."""
    return None if whole == 0 else 100.0 * part / whole
