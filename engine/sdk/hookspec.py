"""The one hook. pluggy finds it; the engine calls it once at start and then reads a plain dict."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from engine.sdk.playbook import Playbook

PROJECT = "wanfa"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class PlaybookSpec:
    """What a playbook module implements."""

    @hookspec
    def wanfa_playbook(self) -> "Playbook":  # type: ignore[empty-body]  # a specification has no body
        """Return this module's playbook."""
