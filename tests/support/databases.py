"""Fresh databases, cloned from the migrated template in a few hundredths of a second."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


def with_database(url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@asynccontextmanager
async def cloned_database(server_url: str, template: str = "wanfa") -> AsyncIterator[str]:
    """The URL of a database of its own; gone afterwards, with whoever is still connected."""
    name = "t_" + secrets.token_hex(6)
    admin = await asyncpg.connect(with_database(server_url, "postgres"))
    try:
        for attempt in range(50):
            try:
                await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
                break
            except asyncpg.ObjectInUseError:  # somebody else is cloning or connected to it
                await asyncio.sleep(0.02 * (attempt + 1))
        else:
            raise RuntimeError(f"somebody stays connected to the template {template}")
    finally:
        await admin.close()
    try:
        yield with_database(server_url, name)
    finally:
        admin = await asyncpg.connect(with_database(server_url, "postgres"))
        try:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await admin.close()
