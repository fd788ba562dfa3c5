"""What `wanfa up` tells of a product that runs, but not with everything that is installed."""

import asyncio
import re
from collections.abc import Iterable, Mapping

import msgspec

from engine.catalog.life import PLAYBOOK_MISSING
from engine.core.connections import close_pool, open_pool
from engine.core.settings import Settings

_PAUSED = """
SELECT template_code AS code, count(*) AS paused FROM play_configs WHERE paused_why = $1 AND ends_at > now()
 GROUP BY template_code ORDER BY template_code
"""

ENGLISH = "Accept-Language: en\r\n"  # a developer reads it


class Health(msgspec.Struct, frozen=True):
    """Playbook -> why it is quarantined; and -> how many products are paused because it is not loaded."""

    quarantined: Mapping[str, str] = {}
    paused: Mapping[str, int] = {}

    @property
    def limits(self) -> str:
        """What follows "ready"; nothing when all is well."""
        count = sum(self.paused.values())
        without = f" without {', '.join(sorted(self.quarantined))}" if self.quarantined else ""
        return without + (f"; {products(count)} paused" if count else "")


def products(count: int) -> str:
    """So many, in words."""
    return "1 product" if count == 1 else f"{count} products"


async def health_of(settings: Settings, readyz: str) -> Health:
    """By the body of /readyz and the database. Raises ServerUnreachable."""
    pool = await open_pool(settings.postgres.url, size_max=1)
    try:
        paused = await pool.fetch(_PAUSED, PLAYBOOK_MISSING)
    finally:
        await close_pool(pool)
    return Health(msgspec.json.decode(readyz)["quarantined"], {row["code"]: row["paused"] for row in paused})


class Conditions:
    """What is wrong just now, said when it begins and when it is over. A number in it may change meanwhile."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def news(self, warnings: Iterable[str]) -> list[str]:
        """The lines to say, now that these are the warnings of /readyz."""
        now = {re.sub(r"[0-9]+", "0", warning): warning for warning in warnings}
        began = [f"warning: {now[key]}" for key in now if key not in self._said]
        over = [f"over: {self._said[key]}" for key in self._said if key not in now]
        self._said = now
        return began + over


def warnings_of(readyz: str) -> list[str]:
    """The warnings in the body of /readyz, of whatever status; none in what is no such body."""
    try:
        return list(msgspec.json.decode(readyz, type=_Told).warnings)
    except msgspec.DecodeError:
        return []


class _Told(msgspec.Struct):
    warnings: list[str]


async def get(host: str, port: int, path: str) -> str:
    """Status and body of a GET, as one line. OSError when nobody listens."""
    reader, writer = await asyncio.open_connection("127.0.0.1" if host in ("0.0.0.0", "") else host, port)  # noqa: S104
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{ENGLISH}Connection: close\r\n\r\n".encode())
        async with asyncio.timeout(5):
            answer = (await reader.read()).decode(errors="replace")
    except TimeoutError:
        raise ConnectionError("no answer") from None
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return f"{head.split(' ', 1)[-1].split(' ', 1)[0]} {body.strip()}"
