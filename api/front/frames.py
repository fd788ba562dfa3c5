"""Answers as bytes: status line, headers and length in front of a body."""

from email.utils import formatdate
from http import HTTPStatus

from api.errors import Answer, Headers

KEPT_MAX = 4096
LINES = {status: f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS = frozenset({204, 304})


class Frames:
    """Builds them. What stands in front of a body is the same for a whole second, so it is kept that long."""

    def __init__(self) -> None:
        # By the list's id; the list is kept as well, so that the id means it and no later one.
        self._kept: dict[tuple[int, int], tuple[Headers, bytes]] = {}
        self._date = b""

    def tick(self, now_s: float) -> None:
        """Another second has begun."""
        self._date = f"date: {formatdate(now_s, usegmt=True)}\r\n".encode()
        self._kept.clear()

    def frame(self, answer: Answer, *, bodiless: bool = False, last: bool = False) -> bytes:
        """All of an answer; `bodiless` leaves out the body but not its length, `last` says that the connection ends."""
        status, headers, body = answer
        key = id(headers), status
        found = self._kept.get(key)
        if found is not None and found[0] is headers:
            front = found[1]
        else:
            front = self._front(status, headers)
            if len(self._kept) < KEPT_MAX:
                self._kept[key] = headers, front
        if bodiless or last or status in BODILESS:
            return self._odd(front, answer, bodiless=bodiless, last=last)
        return b"%bcontent-length: %d\r\n\r\n%b" % (front, len(body), body)

    def _front(self, status: int, headers: Headers) -> bytes:
        lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers]
        return b"".join((LINES[HTTPStatus(status)], self._date, *lines))

    @staticmethod
    def _odd(front: bytes, answer: Answer, *, bodiless: bool, last: bool) -> bytes:
        status, _headers, body = answer
        length = b"" if status in BODILESS else b"content-length: %d\r\n" % len(body)
        ending = b"connection: close\r\n" if last else b""
        return b"%b%b%b\r\n%b" % (front, length, ending, b"" if bodiless or status in BODILESS else body)
