"""Lists that consumers browse: pages as ready bytes, built when first asked for after a change.

What a page shows changes all the time, but its place in the list never does (newest config first, then
by id), so a cursor holds while the list lives on.
"""

import re
from binascii import crc32
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import islice
from operator import itemgetter
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.errors import Answer
from api.requests import parameters, wrong_parameter
from engine.core import errors
from engine.core.pages import LIMIT_DEFAULT, LIMIT_MAX, Page
from engine.gate.records import HeadStatus, ms
from engine.live.live import Live, LiveConfig, LiveInstance
from engine.live.offer import OfferView, offer_view
from engine.live.view import InstanceView, instance_view, next_change_ms

Placed = tuple[str, Any]

PAGES_MAX = 1000  # different queries remembered between two changes
NEVER_MS = 1 << 62
PLACE = re.compile(r"[0-9a-f]{13}\.[!-~]{1,64}")  # see _place
NUMBER = re.compile(r"[0-9]{1,9}")

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


class Shelf:
    """Things in the order of their places, and apart for each store."""

    def __init__(self) -> None:
        self._count = 0
        self._stores: dict[str | None, list[Placed]] = {None: []}

    def stock(self, things: "Iterable[tuple[LiveConfig, str, Any]]", count: int) -> None:
        """Add what has come since; nothing ever leaves. Sorting what is nearly sorted is cheap, placing it is not."""
        if count == self._count:
            return
        grown = set()
        for live, thing_id, thing in islice(things, self._count, None):
            placed = _place(live, thing_id), thing
            for store_id in (None, live.config.store_id):
                self._stores.setdefault(store_id, []).append(placed)
                grown.add(store_id)
        for store_id in grown:
            self._stores[store_id].sort(key=itemgetter(0))
        self._count = count

    def after(self, store_id: str | None, cursor: str | None) -> list[Placed]:
        """What stands after the cursor. Raises CursorInvalid."""
        shelf = self._stores.get(store_id, [])
        return shelf if cursor is None else shelf[bisect_right(shelf, _checked(cursor), key=itemgetter(0)) :]


class Lists:
    """The lists of one process."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._encode = msgspec.json.Encoder().encode
        self._instances = Shelf()
        self._offers = Shelf()
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
        query = _parsed(text, InstanceQuery)
        live = self._live.instances
        self._instances.stock(((one.config, one.id, one) for one in live.values()), len(live))
        wanted = self._instances.after(query.store_id, query.cursor)

        def matches(one: LiveInstance) -> bool:
            return _matches(query, one.config) and query.status in (UNSET, one.state.status.name)

        return _page(wanted, query.limit, matches, self.instance)

    def _offers_page(self, text: str) -> Page[OfferView]:
        query = _parsed(text, OfferQuery)
        live = self._live.configs
        self._offers.stock(((one, one.config.id, one) for one in live.values()), len(live))
        wanted = self._offers.after(query.store_id, query.cursor)

        def matches(one: LiveConfig) -> bool:
            return one.head_status in (HeadStatus.PUBLISHED, HeadStatus.PAUSED) and _matches(query, one)

        return _page(wanted, query.limit, matches, self._offer)

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


def _page(placed: list[Placed], limit: int, matches: Callable[[Any], bool], view: Callable[[Any], Any]) -> Page[Any]:
    items: list[Any] = []
    last = None
    for place, thing in placed:
        if not matches(thing):
            continue
        if len(items) == limit:
            return Page(items, last)
        items.append(view(thing))
        last = place
    return Page(items, None)


def _parsed(query: str, kind: type[Q]) -> Q:
    """The query as a `kind`. Raises MalformedQuery, or BadInput that names the parameter."""
    asked: dict[str, Any] = parameters(query)
    if NUMBER.fullmatch(asked.get("limit", "")):
        asked["limit"] = int(asked["limit"])  # by hand: msgspec's lax mode takes the text "null" for None as well
    for name in asked:
        if name not in kind.__struct_encode_fields__:
            raise errors.BadInput(errors=[wrong_parameter(name)])
    try:
        return msgspec.convert(asked, kind)
    except msgspec.ValidationError as error:
        raise errors.BadInput(errors=[wrong_parameter(str(error).rpartition("$.")[2].rstrip("`"))]) from None


def _matches(query: OfferQuery, live: LiveConfig) -> bool:
    config = live.config
    return query.city in (None, config.city) and query.play_code in (None, config.template_code)


def _place(live: LiveConfig, thing_id: str) -> str:
    return f"{(1 << 48) - ms(live.config.created_at):013x}.{thing_id}"


def _checked(cursor: str) -> str:
    if not PLACE.fullmatch(cursor):
        raise errors.CursorInvalid
    return cursor
