"""Configs in the order of lists, apart for whatever lists filter by: so a list costs what it returns.

A config stands under labels: ON_SALE while it is that or paused, ANY while it has an instance, and each status that an
instance of it is in. Under a label it is found by every combination of its store, city and playbook.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import product
from operator import itemgetter
from typing import NamedTuple

from engine.gate.records import HeadStatus
from engine.live.entries import LiveConfig
from engine.sdk import Status

ON_SALE, ANY = "ON_SALE", "ANY"

Placed = tuple[str, LiveConfig]

_place = itemgetter(0)


class Filters(NamedTuple):
    """What a list shows: None is no filter."""

    store_id: str | None
    city: str | None
    play_code: str | None
    label: str


class Shelf:
    """The configs of one process, and the suffixes of their instances by status."""

    def __init__(self) -> None:
        self._rows: dict[Filters, list[Placed]] = {}

    def sell(self, live: LiveConfig) -> None:
        """Its head's status has changed: it is on sale from now on, or not any more."""
        on_sale = live.head_status in (HeadStatus.PUBLISHED, HeadStatus.PAUSED)
        if on_sale and ON_SALE not in live.suffixes:
            live.suffixes[ON_SALE] = []
            self._stand(live, ON_SALE)
        elif not on_sale and ON_SALE in live.suffixes:
            self._leave(live, ON_SALE)

    def file(self, live: LiveConfig, suffix: str, was: Status | None, now: Status | None) -> None:
        """An instance has come (it `was` nothing), gone (it is nothing `now`), or has moved to another status."""
        if was is now:
            return
        for label in ([] if was is None else [was.name]) + ([ANY] if now is None else []):
            filed = live.suffixes[label]
            del filed[bisect_left(filed, suffix)]
            if not filed:
                self._leave(live, label)
        for label in ([] if now is None else [now.name]) + ([ANY] if was is None else []):
            if label not in live.suffixes:
                live.suffixes[label] = []
                self._stand(live, label)
            insort(live.suffixes[label], suffix)

    def remove(self, live: LiveConfig) -> None:
        """Nothing of it is listed any more."""
        for label in list(live.suffixes):
            self._leave(live, label)

    def configs(self, filters: Filters, place: str = "") -> Iterator[LiveConfig]:
        """Those that fit, from `place` on."""
        row = self._rows.get(filters, [])
        for index in range(bisect_left(row, place, key=_place), len(row)):
            yield row[index][1]

    def _stand(self, live: LiveConfig, label: str) -> None:
        for key in _keys(live, label):
            insort(self._rows.setdefault(key, []), (live.place, live), key=_place)

    def _leave(self, live: LiveConfig, label: str) -> None:
        del live.suffixes[label]
        for key in _keys(live, label):
            row = self._rows[key]
            del row[bisect_left(row, live.place, key=_place)]
            if not row:
                del self._rows[key]


def _keys(live: LiveConfig, label: str) -> list[Filters]:
    config = live.config
    each = product((None, config.store_id), (None, config.city), (None, config.template_code))
    return [Filters(*one, label) for one in each]
