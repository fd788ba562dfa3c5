"""What a list is taken from, against the same by looking at everything."""

from itertools import product
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gate.records import HeadStatus
from engine.live.entries import LiveConfig
from engine.live.shelf import ANY, ON_SALE, Filters, Shelf
from engine.sdk import Status
from tests.unit.live.test_view import PLAYBOOK, make_config

STORES, CITIES, PLAYS = ("1", "2"), ("杭州", "上海"), ("FLASH_SALE", "GROUP_BUY")
CONFIGS = 4
changes = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), st.integers(0, CONFIGS - 1), st.booleans()),
        st.tuples(
            st.just("file"), st.integers(0, CONFIGS - 1), st.sampled_from("abc"), st.sampled_from([None, *Status])
        ),
        st.tuples(st.just("remove"), st.integers(0, CONFIGS - 1)),
    ),
    max_size=40,
)


def config_of(number: int) -> LiveConfig:
    """Each pair of them alike in some of what lists filter by."""
    more = {
        "id": f"c{number:012}",
        "store_id": STORES[number % 2],
        "city": CITIES[number // 2 % 2],
        "template_code": PLAYS[number % 3 % 2],
    }
    return LiveConfig(msgspec.structs.replace(make_config(), **more), PLAYBOOK)


class Model:
    """The same by looking at everything."""

    def __init__(self) -> None:
        self.configs = [config_of(number) for number in range(CONFIGS)]
        self.shelf = Shelf()
        self.on_sale: set[int] = set()
        self.status: dict[tuple[int, str], Status] = {}

    def change(self, kind: str, number: int, *how: Any) -> None:
        """One change, in both."""
        config = self.configs[number]
        if kind == "sell":
            config.head_status = HeadStatus.PAUSED if how[0] else HeadStatus.ENDED
            self.shelf.sell(config)
            self.on_sale = self.on_sale | {number} if how[0] else self.on_sale - {number}
        elif kind == "file":
            suffix, now = how
            self.shelf.file(config, suffix, self.status.pop((number, suffix), None), now)
            self.status |= {} if now is None else {(number, suffix): now}
        else:
            self.shelf.remove(config)
            self.on_sale -= {number}
            self.status = {key: one for key, one in self.status.items() if key[0] != number}

    def listed(self, filters: Filters) -> list[tuple[str, list[str]]]:
        """(config, suffixes) that a list shows."""
        found = []
        for number, live in enumerate(self.configs):
            config = live.config
            has = config.store_id, config.city, config.template_code
            owned = [(suffix, one.name) for (owner, suffix), one in sorted(self.status.items()) if owner == number]
            suffixes = [suffix for suffix, name in owned if filters.label in (ANY, name)]
            there = number in self.on_sale if filters.label == ON_SALE else suffixes
            if there and all(asked in (None, one) for asked, one in zip(filters[:3], has, strict=True)):
                found.append((config.id, suffixes))
        return found


@given(changes)
@settings(deadline=None)
def test_every_list_shows_what_fits_and_nothing_else(changes: list[tuple[Any, ...]]) -> None:
    """Whatever comes, goes and changes, under every combination of filters; and nothing is kept for what is gone."""
    model = Model()
    for change in changes:
        model.change(*change)
    labels = (ON_SALE, ANY, *(one.name for one in Status))
    for filters in (Filters(*one) for one in product((None, *STORES), (None, *CITIES, "x"), (None, *PLAYS), labels)):
        found = [(live.config.id, live.suffixes[filters.label]) for live in model.shelf.configs(filters)]
        assert found == model.listed(filters), filters
    for number in range(CONFIGS):
        model.change("remove", number)
    assert model.shelf._rows == {}


def test_a_list_goes_on_from_a_place() -> None:
    """Also from one whose config is not there any more."""
    shelf = Shelf()
    configs = [config_of(number) for number in range(CONFIGS)]
    for config in configs:
        config.head_status = HeadStatus.PUBLISHED
        shelf.sell(config)
    everything = Filters(None, None, None, ON_SALE)
    configs[1].head_status = HeadStatus.ENDED
    shelf.sell(configs[1])
    assert [live.config.id for live in shelf.configs(everything, configs[1].place)] == [
        configs[2].config.id,
        configs[3].config.id,
    ]
