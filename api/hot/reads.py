"""One instance's detail: ready bytes from memory with an ETag, built when first asked for after a change."""

from binascii import crc32
from collections.abc import Awaitable

import msgspec

from api.errors import Answer
from api.hot.lists import CACHE_CONTROL, Lists, changes_at_ms
from engine.core import errors
from engine.live.entries import LiveInstance
from engine.live.live import Live
from engine.live.missed import Missed


class Reads:
    """The details that one process serves."""

    def __init__(self, live: Live, lists: Lists, missed: Missed) -> None:
        self._live = live
        self._missed = missed
        self._view = lists.instance
        self._encode = msgspec.json.Encoder().encode

    def detail(self, instance_id: str, if_none_match: str | None) -> Answer | Awaitable[Answer]:
        """One instance's view; 304 for a client that has it. Raises InstanceNotFound, and what Missed raises."""
        instance = self._live.instances.get(instance_id)
        return self._looked_up(instance_id, if_none_match) if instance is None else self.answer(instance, if_none_match)

    async def _looked_up(self, instance_id: str, if_none_match: str | None) -> Answer:
        instance = await self._missed.instance(instance_id)
        if instance is None:
            raise errors.InstanceNotFound
        return self.answer(instance, if_none_match)

    def answer(self, instance: LiveInstance, if_none_match: str | None) -> Answer:
        """Its view, as ready bytes."""
        if self._live.now_ms() >= instance.valid_until_ms:
            self._build(instance)
        if if_none_match is not None and if_none_match == instance.etag:
            return 304, instance.headers, b""
        return 200, instance.headers, instance.body

    def _build(self, instance: LiveInstance) -> None:
        now_ms = self._live.now_ms()  # before the view is drawn: an edge that passes meanwhile must count as ahead
        view = self._view(instance)
        instance.body = self._encode(view)
        instance.etag = f'"{len(instance.body):x}-{crc32(instance.body):08x}"'
        instance.headers = [("content-type", "application/json"), CACHE_CONTROL, ("etag", instance.etag)]
        instance.valid_until_ms = changes_at_ms(instance.config, view, now_ms)
