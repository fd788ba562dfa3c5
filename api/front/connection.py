"""One connection: bytes in, its requests in order, answers out.

One request is answered at a time; what came behind it waits. A click that only Redis can decide waits in its lane, and
there the connection itself is the ticket: no task, no future, and nothing handed over between threads.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from api.errors import Answer, rendered
from api.front.frames import CONTINUE
from api.front.parser import Parser, Request
from api.hot.clicks import Asked
from api.languages import language_of
from engine.core.errors import (
    BodyTooSlow,
    ExpectationFailed,
    HeadTooSlow,
    MalformedRequest,
    Overloaded,
    WanfaError,
)

if TYPE_CHECKING:
    from api.front.listener import Listener

log = logging.getLogger("wanfa.api")

PIPELINE_MAX = 64  # requests in one read; who sends more is answered so many, and has to ask the others again
HELD_BYTES_MAX = 65_536  # unread bytes behind a request that is being answered
SWALLOWED_BYTES_MAX = 1_000_000  # what somebody may still send after the last answer
LINGER_S = 2.0  # so long they may take to read it


class Connection(asyncio.Protocol):
    """One client. `answering` is the request that is being answered."""

    __slots__ = (
        "_advancing",
        "_asked",
        "_continued",
        "_ending",
        "_eof",
        "_fault",
        "_gone",
        "_held",
        "_listener",
        "_parser",
        "_pipeline",
        "_since_s",
        "_stalled",
        "_swallowed",
        "_task",
        "answering",
        "peer",
        "source",
        "transport",
    )

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._pipeline: deque[Request] = deque()  # whole, and not yet begun to be answered
        self._held = b""  # unread, behind those
        self._fault: WanfaError | None = None  # what is wrong with what came behind those
        self.answering: Request | None = None
        self._asked: Asked | None = None
        self._task: asyncio.Task[None] | None = None
        self._advancing = False
        self._continued: Request | None = None
        self._eof = False  # they will send no more
        self._ending = False  # nothing of theirs is read any more
        self._gone = False
        self._stalled = False  # they read too slowly
        self._swallowed = 0
        self._since_s = listener.now_s  # when what we wait for began
        self.source: asyncio.ReadTransport | None = None  # where a relayed answer comes from

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self.transport = cast("asyncio.Transport", transport)
        peer = self.transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else ""
        self._parser = Parser(self.peer, self._listener.limits.body_bytes_max, self._pipeline.append)
        if not self._listener.admit(self):
            self._refuse(Overloaded())

    def connection_lost(self, _error: Exception | None) -> None:
        """They have gone: what is under way for them alone is ended. A click of theirs that is decided stays so."""
        self._gone = True
        self._listener.forget(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of several."""
        if self._ending:
            self._swallow(len(data))
        elif self.answering is not None or self._pipeline:
            self._hold(data)
        else:
            self._feed(data)
            self._advance()

    def eof_received(self) -> bool:
        """They will send no more, and may still listen."""
        self._eof = True
        if self._ending:
            return False
        self._advance()
        return not self._ending or bool(self.transport.get_write_buffer_size())

    def pause_writing(self) -> None:
        """They read too slowly: read nothing of theirs, nor what is relayed to them."""
        self._stalled = True
        self._since_s = self._listener.now_s
        self._pause()
        if self.source is not None:
            self.source.pause_reading()

    def resume_writing(self) -> None:
        """They have caught up."""
        self._stalled = False
        self._since_s = self._listener.now_s
        self._resume()
        if self.source is not None:
            self.source.resume_reading()

    # The lane's ticket.

    def done(self) -> bool:
        """Whether nobody waits for the lane's reply any more."""
        return self._gone

    def set_result(self, reply: Any, /) -> None:
        """The lane's reply to the click that is being answered."""
        asked, request = self._asked, self.answering
        assert asked is not None
        assert request is not None
        self._asked = None
        try:
            answer = self._listener.doors.told(asked, reply, request)
        except Exception as error:  # noqa: BLE001  # the last door: an unexpected error is logged and becomes a 500
            answer = _problem(error, request)
        self._settle(answer)
        self._advance()

    def set_exception(self, error: Any, /) -> None:
        """There is no reply."""
        assert self.answering is not None
        self._asked = None
        self._settle(_problem(error, self.answering))
        self._advance()

    # Time, as the listener sees it pass.

    def look(self, now_s: float) -> None:
        """Give up on who takes too long."""
        limit_s, give_up = self._time_limit()
        if now_s - self._since_s > limit_s:
            give_up()

    def _time_limit(self) -> tuple[float, Callable[[], None]]:
        """For what it is waiting just now, in seconds, and what becomes of it then."""
        limits = self._listener.limits
        if self._stalled:
            return limits.write_timeout_s, self.transport.abort
        if self._ending:
            return LINGER_S, self.transport.abort
        if self.answering is not None:  # whoever answers has a time-out of its own
            return math.inf, self.transport.abort
        if self._parser.begun is not None:
            return limits.body_timeout_s, partial(self._refuse, BodyTooSlow())
        if self._parser.in_head:
            return limits.head_timeout_s, partial(self._refuse, HeadTooSlow())
        return limits.idle_timeout_s, self.transport.close

    def drain(self) -> None:
        """End with the answer that is under way, or at once when there is none."""
        if self.answering is None and not self._pipeline and self._parser.begun is None and not self._parser.in_head:
            self.transport.close()

    def ends_after(self, request: Request) -> bool:
        """Whether the answer to that request is the connection's last."""
        return not request.keep_alive or self._listener.draining

    # Reading.

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        begun = parser.begun
        if begun is None and not parser.in_head:
            self._since_s = self._listener.now_s
        try:
            parser.feed(data)
        except WanfaError as error:
            self._fault = error
        if parser.begun is not begun:
            self._since_s = self._listener.now_s
        if len(self._pipeline) > PIPELINE_MAX:
            while len(self._pipeline) > PIPELINE_MAX:
                self._pipeline.pop()
            self._pipeline[-1].keep_alive = False

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > HELD_BYTES_MAX:
            self._pause()

    def _release(self) -> None:
        data, self._held = self._held, b""
        self._resume()
        self._feed(data)

    def _pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _resume(self) -> None:
        if not (self._stalled or len(self._held) > HELD_BYTES_MAX or self.transport.is_closing()):
            self.transport.resume_reading()

    def _swallow(self, count: int) -> None:
        self._swallowed += count
        if self._swallowed > SWALLOWED_BYTES_MAX:
            self.transport.abort()

    # Answering.

    def _advance(self) -> None:
        """Answer what has come, as far as that is possible without waiting."""
        if self._advancing:
            return
        self._advancing = True
        while self.answering is None and not self._ending:
            if self._pipeline:
                self._begin(self._pipeline.popleft())
            elif self._fault is not None:
                self._refuse(self._fault)
            elif self._held:
                self._release()
            elif self._eof:
                self._cut()
            else:
                self._invite()
                break
        self._advancing = False

    def _begin(self, request: Request) -> None:
        self.answering = request
        try:
            _check_expectation(request)
            answer = self._listener.doors.answer(request, self)
            if isinstance(answer, Asked):
                self._asked = answer
                self._listener.doors.enter(answer, self)
                return
        except Exception as error:  # noqa: BLE001  # the last door, as above
            answer = _problem(error, request)
        self._settle(answer)

    def _settle(self, answer: Answer | Awaitable[Answer | None]) -> None:
        if isinstance(answer, tuple):
            self._write(answer)
        else:
            self._task = self._listener.loop.create_task(self._wait_for(answer))

    async def _wait_for(self, coming: Awaitable[Answer | None]) -> None:
        assert self.answering is not None
        try:
            answer = await coming
        except Exception as error:  # noqa: BLE001  # the last door, as above
            answer = _problem(error, self.answering)
        self._task = None
        if answer is None:
            self._finish(last=self.ends_after(self.answering))
        else:
            self._write(answer)
        self._advance()

    def _write(self, answer: Answer) -> None:
        request = self.answering
        assert request is not None
        last = self.ends_after(request)
        self.transport.write(self._listener.frames.frame(answer, bodiless=request.method == "HEAD", last=last))
        self._finish(last=last)

    def _finish(self, *, last: bool) -> None:
        self.answering = None
        self._since_s = self._listener.now_s
        if last:
            self._end()

    def _invite(self) -> None:
        """Tell who waits for that to send the body."""
        request = self._parser.begun
        if request is None or request.expects is None or request is self._continued:
            return
        self._continued = request
        try:
            _check_expectation(request)
        except ExpectationFailed as error:
            self._refuse(error)
        else:
            self.transport.write(CONTINUE)

    def _cut(self) -> None:
        """They have sent their last byte, and nothing is left to answer."""
        if self._parser.in_head or self._parser.begun is not None:
            self._refuse(MalformedRequest())
        else:
            self._end()

    def _refuse(self, error: WanfaError) -> None:
        """The last answer, to what is no request."""
        language = language_of(self._parser.begun.headers.get("accept-language")) if self._parser.begun else "zh"
        bodiless = self._parser.begun is not None and self._parser.begun.method == "HEAD"
        self.transport.write(self._listener.frames.frame(rendered(error, language), bodiless=bodiless, last=True))
        self._end()

    def _end(self) -> None:
        """Close, but not before they have read the answer: what they still send would take it back from the wire."""
        self._ending = True
        self._since_s = self._listener.now_s
        self._pipeline.clear()
        self._held = b""
        if self._eof or not self.transport.can_write_eof():
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()
            self._resume()


def _problem(error: BaseException, request: Request) -> Answer:
    return rendered(error, language_of(request.headers.get("accept-language")))


def _check_expectation(request: Request) -> None:
    if request.expects is not None and request.expects.lower() != b"100-continue":
        raise ExpectationFailed
