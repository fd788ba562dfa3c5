"""Reads of instances: ready bytes from memory, with ETags. Built when first asked for after a change."""

from binascii import crc32
from bisect import bisect_right
from operator import itemgetter
from typing import Annotated, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from engine import errors
from engine.catalog.live import Live, LiveInstance
from engine.catalog.view import InstanceView, instance_view, next_change_ms

Headers = list[tuple[str, str]]

LIMIT_DEFAULT = 20
PAGES_MAX = 1000  # different list queries remembered between two changes

CACHE_CONTROL = ("cache-control", "public, max-age=0, s-maxage=1, stale-while-revalidate=5")


class Query(msgspec.Struct, forbid_unknown_fields=True, rename="camel", frozen=True):
    """Filters of the list; all of them must hold."""

    store_id: str | None = None
    city: str | None = None
    status: Literal["PENDING", "ACTIVE", "SUCCESS", "FAILED"] | None = None
    play_code: str | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = LIMIT_DEFAULT


class Page(msgspec.Struct, rename="camel"):
    """A page of the list; `next_cursor` null: that was all."""

    items: list[InstanceView]
    next_cursor: str | None


class Reads:
    """Answers of one process's reads."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._encode = msgspec.json.Encoder().encode
        self._version = -1
        self._sorted: list[tuple[str, LiveInstance]] = []
        self._pages: dict[str, tuple[int, Headers, bytes]] = {}
        self._pages_until_ms = 0

    def detail(self, instance_id: str, if_none_match: str | None) -> tuple[int, Headers, bytes]:
        """One instance's view. Raises InstanceNotFound."""
        instance = self._live.instances.get(instance_id)
        if instance is None:
            raise errors.InstanceNotFound
        if self._live.now_ms() >= instance.valid_until_ms:
            self._build(instance)
        if if_none_match is not None and if_none_match == instance.etag:
            return 304, instance.headers, b""
        return 200, instance.headers, instance.body

    def page(self, query: str) -> tuple[int, Headers, bytes]:
        """A page of views. Raises BadInput or CursorInvalid."""
        if self._version != self._live.version or self._live.now_ms() >= self._pages_until_ms:
            self._forget_pages()
        answer = self._pages.get(query)
        if answer is None:
            answer = self._page(_parsed(query))
            if len(self._pages) < PAGES_MAX:
                self._pages[query] = answer
        return answer

    def _forget_pages(self) -> None:
        if len(self._sorted) != len(self._live.instances):
            keyed = ((_place(instance), instance) for instance in self._live.instances.values())
            self._sorted = sorted(keyed, key=itemgetter(0))
        self._pages.clear()
        self._version = self._live.version
        self._pages_until_ms = 1 << 62

    def _page(self, query: Query) -> tuple[int, Headers, bytes]:
        start = _start_of(query.cursor)
        items: list[InstanceView] = []
        last, next_cursor = "", None
        for place, instance in self._sorted[bisect_right(self._sorted, start, key=itemgetter(0)) :]:
            if not _matches(query, instance):
                continue
            if len(items) == query.limit:
                next_cursor = last
                break
            items.append(self._view(instance))
            last = place
        page = Page(items, next_cursor)
        return 200, [("content-type", "application/json"), CACHE_CONTROL], self._encode(page)

    def _view(self, instance: LiveInstance) -> InstanceView:
        live = instance.config
        now_ms = self._live.now_ms()
        view = instance_view(
            live.config, live.head_status, live.left, live.playbook.view, instance.id, instance.state, now_ms
        )
        self._pages_until_ms = min(self._pages_until_ms, next_change_ms(view, now_ms))
        return view

    def _build(self, instance: LiveInstance) -> None:
        view = self._view(instance)
        instance.body = self._encode(view)
        instance.etag = f'"{len(instance.body):x}-{crc32(instance.body):08x}"'
        instance.headers = [("content-type", "application/json"), CACHE_CONTROL, ("etag", instance.etag)]
        instance.valid_until_ms = next_change_ms(view, self._live.now_ms())


def _parsed(query: str) -> Query:
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
    try:
        return msgspec.convert(dict(pairs), Query, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise errors.BadInput(f"查询参数不符合要求（{error}）") from None


def _matches(query: Query, instance: LiveInstance) -> bool:
    config = instance.config.config
    return (
        (query.store_id is None or query.store_id == config.store_id)
        and (query.city is None or query.city == config.city)
        and (query.play_code is None or query.play_code == config.template_code)
        and (query.status is None or query.status == instance.state.status.name)
    )


def _place(instance: LiveInstance) -> str:
    """Where an instance stands in the list: newest config first, then by id. Never changes, so cursors hold."""
    created_ms = int(instance.config.config.created_at.timestamp() * 1000)
    return f"{(1 << 48) - created_ms:013x}.{instance.id}"


def _start_of(cursor: str | None) -> str:
    if cursor is None:
        return ""
    if len(cursor) > 80 or cursor[13:14] != "." or not cursor.isascii():
        raise errors.CursorInvalid
    return cursor
