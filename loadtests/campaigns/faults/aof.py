"""Cut the end off an append-only file, or fill a part with zeros, as a disk that lied would."""

import random
import re
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from loadtests.auditor.evidence import millis

FOLDER = "appendonlydir"
ZEROS = (300, 2000)
_STREAM_ID = re.compile(rb"\d+-\d+")


class Cut(NamedTuple):
    """What was cut off: batches of clicks, and the span of Unix ms in which they were decided."""

    batches: int
    since_ms: int
    until_ms: int

    def covers(self, moment: datetime) -> bool:
        """Redis decided then and forgot it."""
        return self.since_ms <= millis(moment) <= self.until_ms


class Transaction(NamedTuple):
    """A MULTI … EXEC of the file, or a command outside of one. A script's writes are one."""

    start: int
    decided_ms: int | None  # the time in the id of the stream entry that it adds


def cut_tail(valkey_home: Path, transactions: int, *, since_ms: int | None = None, half: bool = False) -> Cut:
    """Remove the last `transactions` of the newest AOF part, and all from the first batch on that was decided at
    `since_ms` or later; with `half`, leave the first of them torn in two. The server must not run.
    """
    newest = valkey_home / FOLDER / parts_of(valkey_home / FOLDER)[-1]
    data = newest.read_bytes()
    found = transactions_of(data)
    first = max(0, len(found) - transactions)
    if since_ms is not None:
        since = (i for i, one in enumerate(found) if one.decided_ms is not None and one.decided_ms >= since_ms)
        first = min(first, next(since, first))
    ends = [one.start for one in found[1:]] + [len(data)]
    keep_to = found[first].start if found else len(data)
    if half and found:
        keep_to += (ends[first] - keep_to) // 2
    with newest.open("r+b") as file:
        file.truncate(keep_to)
    decided_ms = [one.decided_ms for one in found[first:] if one.decided_ms is not None]
    now_ms = int(time.time() * 1000)
    return Cut(len(decided_ms), min(decided_ms, default=now_ms), now_ms)


def zero_middle(valkey_home: Path, chance: random.Random) -> int:
    """Zeros over the beginning of a transaction in the middle of the newest AOF part; the server must not run.

    Since when (Unix ms) the batches were decided that no reader reaches any more. Elsewhere the zeros could lie
    inside of one value, and the file would still be one.
    """
    newest = valkey_home / FOLDER / parts_of(valkey_home / FOLDER)[-1]
    data = newest.read_bytes()
    found = transactions_of(data)
    hit = chance.randrange(len(found) // 4, max(1, len(found) - len(found) // 4))
    offset = max(0, found[hit].start - chance.randint(0, 10))  # its end belongs to the one before
    with newest.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(chance.randint(*ZEROS)))
    lost = (one.decided_ms for one in found[max(0, hit - 1) :] if one.decided_ms is not None)
    return next(lost, int(time.time() * 1000))


def parts_of(folder: Path) -> list[str]:
    """The files that the manifest names, in order: a base, and what was appended since."""
    words = [line.split() for line in (folder / "appendonly.aof.manifest").read_text().splitlines()]
    return [word[1] for word in words if len(word) == 6 and word[5] in "bi"]


def transactions_of(data: bytes) -> list[Transaction]:
    """All that are whole, in order."""
    found: list[Transaction] = []
    offset = begin = 0
    decided_ms: int | None = None
    inside = False
    while offset < len(data):
        if not inside:
            begin, decided_ms = offset, None
        try:
            words, offset = _command(data, offset)
        except ValueError:  # torn
            break
        name = words[0].upper()
        if name == b"XADD":
            decided_ms = next(int(word.split(b"-")[0]) for word in words[2:] if _STREAM_ID.fullmatch(word))
        inside = name == b"MULTI" or (inside and name != b"EXEC")
        if not inside:
            found.append(Transaction(begin, decided_ms))
    return found


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
