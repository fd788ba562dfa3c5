"""Lists and details as ready bytes: what is in them, when they are built anew, and what tells two of them apart."""

import json
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from api.hot.lists import Lists
from api.hot.reads import Reads
from engine.core.errors import CursorInvalid
from engine.gate.records import HeadStatus
from engine.live.entries import LiveConfig, LiveInstance
from engine.live.shelf import Shelf
from engine.live.view import POLL_LIVE_MS, InstanceState
from engine.sdk import Status
from tests.unit.live.test_view import NOW_MS, PLAYBOOK, make_config


class Shop:
    """What a process knows: configs and their instances, at a time that does not pass."""

    def __init__(self) -> None:
        self.configs: dict[str, LiveConfig] = {}
        self.instances: dict[str, LiveInstance] = {}
        self.version = 0
        live: Any = SimpleNamespace(
            now_ms=lambda: NOW_MS, **{name: getattr(self, name) for name in ("configs", "instances")}
        )
        self.live = live
        live.version = 0
        live.shelf = Shelf()
        self.lists = Lists(live)
        self.reads = Reads(live, self.lists, cast("Any", None))

    def add(self, number: int, status: int = HeadStatus.PUBLISHED) -> LiveConfig:
        """One more config, with an instance."""
        config = LiveConfig(msgspec.structs.replace(make_config(), id=f"c{number:012}"), PLAYBOOK)
        config.head_status, config.left = status, 5
        instance = LiveInstance(f"{config.config.id}.s1", config, InstanceState(Status.ACTIVE, 1, 3, {}))
        self.configs[config.config.id] = config
        self.instances[instance.id] = config.instances["s1"] = instance
        self.live.shelf.sell(config)
        self.live.shelf.file(config, "s1", None, Status.ACTIVE)
        self.changed()
        return config

    def open(self, config: LiveConfig, suffix: str, status: Status) -> None:
        """One more instance of it."""
        instance = LiveInstance(f"{config.config.id}.{suffix}", config, InstanceState(status, 1, 3, {}))
        self.instances[instance.id] = config.instances[suffix] = instance
        self.live.shelf.file(config, suffix, None, status)
        self.changed()

    def changed(self) -> None:
        """Something was read anew."""
        self.live.version += 1
        for instance in self.instances.values():
            instance.valid_until_ms = 0

    def offers(self, query: str = "") -> tuple[list[str], str | None, dict[str, str]]:
        """Ids on a page, the next cursor, the headers."""
        _, headers, body = self.lists.offers(query)
        page = json.loads(body)
        return [item["id"] for item in page["items"]], page["nextCursor"], dict(headers)

    def detail(self) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = self.reads.answer(next(iter(self.instances.values())), None)
        return status, dict(headers), body


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(
    ("status", "listed"), [(HeadStatus.PUBLISHED, 1), (HeadStatus.PAUSED, 1), (HeadStatus.ENDED, 0), (0, 0)]
)
def test_what_is_on_sale_or_paused_is_listed(shop: Shop, status: int, listed: int) -> None:
    """What has ended is not, nor what Redis does not know."""
    shop.add(1, status)
    assert len(shop.offers()[0]) == listed


def test_a_page_goes_on_where_the_one_before_ended(shop: Shop) -> None:
    for number in range(5):
        shop.add(number)
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        ids, cursor, _headers = shop.offers("limit=2" + (f"&cursor={cursor}" if cursor else ""))
        found += ids
    assert (sorted(set(found)), cursor) == (sorted(shop.configs), None)
    assert len(found) == 5


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
def test_pages_of_instances_go_through_their_configs_in_order(shop: Shop, limit: int) -> None:
    """The newest config first, in it by id; each once, and only those in the status that is asked for."""
    expected = []
    for number in range(3):
        config = shop.add(number)
        for suffix in ("b", "d", "c"):
            shop.open(config, suffix, Status.SUCCESS)
        shop.open(config, "a", Status.FAILED)
        expected += [f"{config.config.id}.{suffix}" for suffix in ("b", "c", "d")]
    found: list[str] = []
    cursor: str | None = ""
    for _ in range(20):
        query = f"status=SUCCESS&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = json.loads(shop.lists.instances(query)[2])
        found += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert (found, cursor) == (expected, None)


def test_a_page_shows_what_is_known_now(shop: Shop) -> None:
    """Built once for everyone who asks, and anew when anything has changed."""
    config = shop.add(1)
    first = shop.lists.offers("")
    assert shop.lists.offers("") is first
    config.left = 4
    shop.changed()
    assert shop.lists.offers("") != first


def test_two_pages_of_one_length_have_two_tags(shop: Shop) -> None:
    """Lists and details: a client that has the one is not told that it has the other."""
    config = shop.add(1)
    before = shop.offers()[2]["etag"], shop.detail()[1]["etag"]
    config.left = 4
    shop.changed()
    after = shop.offers()[2]["etag"], shop.detail()[1]["etag"]
    assert [b == a for b, a in zip(before, after, strict=True)] == [False, False]
    assert [len(tag) for tag in before] == [len(tag) for tag in after]


def left_in(answer: Any) -> int:
    """The units that an answer shows, of a detail or of the one item of a page."""
    found = json.loads(answer[2])
    left: int = found.get("items", [found])[0]["stockLeft"]
    return left


@pytest.mark.parametrize("what", ["instances", "offers", "detail"])
def test_units_that_came_back_show_when_they_are_sold(shop: Shop, what: str) -> None:
    """Nothing is read anew then: time alone makes a page and a detail old."""
    config = shop.add(1)
    config.reopens_ms = NOW_MS + 10
    (instance,) = shop.instances.values()
    shown = []
    for now_ms in (NOW_MS, NOW_MS + 9, NOW_MS + 10):
        shop.live.now_ms = lambda now_ms=now_ms: now_ms
        ask = {"instances": shop.lists.instances, "offers": shop.lists.offers}.get(what)
        shown.append(left_in(ask("") if ask else shop.reads.answer(instance, None)))
    assert shown == [0, 0, 5]


@pytest.mark.parametrize(
    ("edge", "reasons"), [("starts_ms", ["NOT_STARTED", "NOT_STARTED", None]), ("ends_ms", [None, None, "ENDED"])]
)
def test_a_page_of_products_shows_that_time_has_passed(shop: Shop, edge: str, reasons: list[str | None]) -> None:
    setattr(shop.add(1), edge, NOW_MS + 10)
    shown = []
    for now_ms in (NOW_MS, NOW_MS + 9, NOW_MS + 10):
        shop.live.now_ms = lambda now_ms=now_ms: now_ms
        shown.append(json.loads(shop.lists.offers("")[2])["items"][0]["button"]["reason"])
    assert shown == reasons


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_moment_that_passes_while_a_detail_is_drawn_is_not_missed(shop: Shop, looks: int) -> None:
    """Drawn before it, and kept as if it had been drawn afterwards, it would be wrong until somebody clicks."""
    config = shop.add(1)
    config.reopens_ms = NOW_MS + 1
    (instance,) = shop.instances.values()
    clock = iter([NOW_MS] * looks)  # at the time, before the moment passes
    shop.live.now_ms = lambda: next(clock, NOW_MS + 1)
    shop.reads.answer(instance, None)
    assert left_in(shop.reads.answer(instance, None)) == 5


def test_a_shared_cache_keeps_nothing_for_longer_than_a_client_would(shop: Shop) -> None:
    """Who asks every second, as a client does while something is on, is not shown what is older than that."""
    shop.add(1)
    for headers in (shop.offers()[2], shop.detail()[1]):
        said = dict(part.partition("=")[::2] for part in headers["cache-control"].split(", "))
        assert (said["max-age"], int(said["s-maxage"]) * 1000) == ("0", POLL_LIVE_MS)


@pytest.mark.parametrize("cursor", ["x", "1.c1", "0" * 13, "g" * 13 + ".c1", "0" * 13 + ".", "0" * 13 + ".c 1"])
def test_only_a_place_is_a_cursor(shop: Shop, cursor: str) -> None:
    shop.add(1)
    with pytest.raises(CursorInvalid):
        shop.lists.offers(f"cursor={cursor}")
