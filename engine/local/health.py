"""What `wanfa up` tells of a product that runs, but not with everything that is installed."""

import asyncio
from collections.abc import Mapping

import msgspec

from engine.catalog.life import PLAYBOOK_MISSING
from engine.core.connections import close_pool, open_pool
from engine.core.settings import Settings

_PAUSED = """
SELECT template_code AS code, count(*) AS paused FROM play_configs WHERE paused_why = $1 AND ends_at > now()
 GROUP BY template_code ORDER BY template_code
"""


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


async def get(host: str, port: int, path: str) -> str:
    """Status and body of a GET, as one line. OSError when nobody listens."""
    reader, writer = await asyncio.open_connection("127.0.0.1" if host in ("0.0.0.0", "") else host, port)  # noqa: S104
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(5):
            answer = (await reader.read()).decode(errors="replace")
    except TimeoutError:
        raise ConnectionError("no answer") from None
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return f"{head.split(' ', 1)[-1].split(' ', 1)[0]} {body.strip()}"
