"""Cut the end off an append-only file, as a disk that lied would."""

import re
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

_STREAM_ID = re.compile(rb"\d+-\d+")


class Cut(NamedTuple):
    """What was cut off: batches of clicks, and the span of Unix ms in which they were decided."""

    batches: int
    since_ms: int
    until_ms: int

    def covers(self, moment: datetime) -> bool:
        """Redis decided then and forgot it."""
        return self.since_ms <= moment.timestamp() * 1000 <= self.until_ms


def cut_tail(valkey_home: Path, transactions: int, *, half: bool = False) -> Cut:
    """Remove the last `transactions` of the newest AOF part; with `half`, leave the first of them torn in two.

    A script's writes are one MULTI … EXEC in the file. The server must not run.
    """
    files = list(valkey_home.glob("appendonlydir/*.incr.aof"))
    newest = max(files, key=lambda path: int(path.name.split(".")[-3]))
    data = newest.read_bytes()
    starts = transaction_starts(data)
    keep_to = starts[-min(transactions, len(starts))] if starts else len(data)
    if half:
        following = starts[starts.index(keep_to) + 1] if keep_to != starts[-1] else len(data)
        keep_to += (following - keep_to) // 2
    decided_ms = _batches_after(data, starts, keep_to)
    with newest.open("r+b") as file:
        file.truncate(keep_to)
    now_ms = int(time.time() * 1000)
    return Cut(len(decided_ms), min(decided_ms, default=now_ms), now_ms)


def _batches_after(data: bytes, starts: list[int], offset: int) -> list[int]:
    """When the batches were decided whose transactions reach beyond `offset`: the times in their stream ids."""
    first = max((start for start in starts if start <= offset), default=0)
    times: list[int] = []
    while first < len(data):
        words, first = _command(data, first)
        if words[0].upper() == b"XADD":
            times += [int(word.split(b"-")[0]) for word in words[2:] if _STREAM_ID.fullmatch(word)][:1]
    return times


def transaction_starts(data: bytes) -> list[int]:
    """Offsets at which a MULTI, or a command outside of one, begins."""
    starts: list[int] = []
    offset, inside = 0, False
    while offset < len(data):
        begin = offset
        words, offset = _command(data, offset)
        name = words[0].upper()
        if not inside:
            starts.append(begin)
        inside = name == b"MULTI" or (inside and name != b"EXEC")
    return starts


def _command(data: bytes, offset: int) -> tuple[list[bytes], int]:
    """One command in the wire format, and where the next begins."""
    if data[offset : offset + 1] == b"#":  # an annotation, such as a time stamp
        return [b"#"], data.index(b"\r\n", offset) + 2
    end = data.index(b"\r\n", offset)
    count, offset = int(data[offset + 1 : end]), end + 2
    words = []
    for _ in range(count):
        end = data.index(b"\r\n", offset)
        size = int(data[offset + 1 : end])
        words.append(data[end + 2 : end + 2 + size])
        offset = end + 2 + size + 2
    return words, offset
