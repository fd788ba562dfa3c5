"""Lists that consumers browse: pages as ready bytes, built when first asked for after a change.

What a page shows changes all the time, but its place in the list never does (newest config first, then
by id), so a cursor holds while the list lives on.
"""

import re
from binascii import crc32
from bisect import bisect_right
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import Answer
from api.schema.queries import INSTANCES, OFFERS, Parameter, checked
from engine.core import errors
from engine.core.pages import LIMIT_DEFAULT, LIMIT_MAX, Page
from engine.live.entries import LiveConfig, LiveInstance
from engine.live.live import Live
from engine.live.offer import OfferView, offer_view
from engine.live.shelf import ANY, ON_SALE, Filters
from engine.live.view import InstanceView, instance_view, next_change_ms

PAGES_MAX = 1000  # different queries remembered between two changes
NEVER_MS = 1 << 62
# See place_of in engine/live/entries.py.
CONFIG_PLACE = re.compile(r"(?P<config>[0-9a-f]{13}\.[0-9a-z]{1,32})")
INSTANCE_PLACE = re.compile(rf"{CONFIG_PLACE.pattern}\.(?P<suffix>[0-9a-z]{{1,32}})")

CACHE_CONTROL = ("cache-control", "public, max-age=0, s-maxage=1, stale-while-revalidate=5")


class OfferQuery(msgspec.Struct, forbid_unknown_fields=True, rename="camel", frozen=True, kw_only=True):
    """Filters of the list of play configs; all of them must hold."""

    store_id: str | None = None
    city: str | None = None
    play_code: str | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT


class InstanceQuery(OfferQuery, forbid_unknown_fields=True, rename="camel", frozen=True, kw_only=True):
    """Filters of the list of instances."""

    # UNSET and not None: `status=null` is no status.
    status: Literal["PENDING", "ACTIVE", "SUCCESS", "FAILED"] | UnsetType = UNSET


Q = TypeVar("Q", bound=OfferQuery)


class Lists:
    """The lists of one process."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._encode = msgspec.json.Encoder().encode
        self._pages: dict[tuple[str, str], Answer] = {}
        self._version = -1
        self._until_ms = 0

    def instances(self, query: str) -> Answer:
        """A page of instances. Raises BadInput or CursorInvalid."""
        return self._answer("instances", query, self._instances_page)

    def offers(self, query: str) -> Answer:
        """A page of play configs that are on sale or paused. Raises BadInput or CursorInvalid."""
        return self._answer("offers", query, self._offers_page)

    def _answer(self, kind: str, query: str, build: "Callable[[str], Page[Any]]") -> Answer:
        if self._version != self._live.version or self._live.now_ms() >= self._until_ms:
            self._pages.clear()
            self._version = self._live.version
            self._until_ms = NEVER_MS
        answer = self._pages.get((kind, query))
        if answer is None:
            body = self._encode(build(query))
            etag = f'"{len(body):x}-{crc32(body):08x}"'
            answer = 200, [("content-type", "application/json"), CACHE_CONTROL, ("etag", etag)], body
            if len(self._pages) < PAGES_MAX:
                self._pages[kind, query] = answer
        return answer

    def _instances_page(self, text: str) -> Page[InstanceView]:
        query = _parsed(text, InstanceQuery, INSTANCES)
        label = ANY if query.status is UNSET else query.status
        place, suffix = _cursor(query.cursor, INSTANCE_PLACE)
        items: list[InstanceView] = []
        last = None
        for live in self._live.shelf.configs(_filters(query, label), place):
            suffixes = live.suffixes[label]
            start = bisect_right(suffixes, suffix) if live.place == place else 0
            for suffix in suffixes[start : start + query.limit + 1 - len(items)]:
                if len(items) == query.limit:
                    return Page(items, last)
                items.append(self.instance(live.instances[suffix]))
                last = f"{live.place}.{suffix}"
        return Page(items, None)

    def _offers_page(self, text: str) -> Page[OfferView]:
        query = _parsed(text, OfferQuery, OFFERS)
        place, _ = _cursor(query.cursor, CONFIG_PLACE)
        items: list[OfferView] = []
        last = None
        for live in self._live.shelf.configs(_filters(query, ON_SALE), place):
            if live.place == place:
                continue
            if len(items) == query.limit:
                return Page(items, last)
            items.append(self._offer(live))
            last = live.place
        return Page(items, None)

    def instance(self, instance: LiveInstance) -> InstanceView:
        """An instance's view now."""
        live = instance.config
        now_ms = self._live.now_ms()
        view = instance_view(
            live.config, live.head_status, live.to_sell(now_ms), live.playbook, instance.id, instance.state, now_ms
        )
        self._until_ms = min(self._until_ms, changes_at_ms(live, view, now_ms))
        return view

    def _offer(self, live: LiveConfig) -> OfferView:
        now_ms = self._live.now_ms()
        edges = (live.starts_ms, live.ends_ms, live.reopens_ms)
        self._until_ms = min(self._until_ms, *(edge for edge in edges if edge > now_ms), NEVER_MS)
        return offer_view(live, now_ms)


def changes_at_ms(live: LiveConfig, view: InstanceView, now_ms: int) -> int:
    """When time alone changes the view."""
    edge = next_change_ms(live.config, view, now_ms)
    return min(edge, live.reopens_ms) if live.reopens_ms > now_ms else edge


def _parsed(query: str, kind: type[Q], taken: tuple[Parameter, ...]) -> Q:
    """The query as a `kind`. Raises what `checked` raises."""
    asked: dict[str, Any] = checked(query, taken)
    if "limit" in asked:
        asked["limit"] = int(asked["limit"])  # by hand: msgspec's lax mode takes the text "null" for None as well
    return msgspec.convert(asked, kind)


def _filters(query: OfferQuery, label: str) -> Filters:
    return Filters(query.store_id, query.city, query.play_code, label)


def _cursor(cursor: str | None, place: re.Pattern[str]) -> tuple[str, str]:
    """The place of the last config that has been shown, and the suffix of its last instance. Raises CursorInvalid."""
    if cursor is None:
        return "", ""
    found = place.fullmatch(cursor)
    if found is None:
        raise errors.CursorInvalid
    return found["config"], found.groupdict().get("suffix", "")
