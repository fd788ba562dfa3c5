"""Time that passes without waiting for it."""

import msgspec

from engine.gate import keys
from tests.support.gate import SHARD, Sale


async def run_out(sale: Sale, suffix: str = "s1") -> None:
    """The instance's time is over: its end is moved into the past, as waiting would do."""
    await _move(sale, suffix, "endsAt")


async def begin(sale: Sale, suffix: str = "s1") -> None:
    """The instance's time has come: its opening is moved into the past."""
    await _move(sale, suffix, "opensAt")


async def _move(sale: Sale, suffix: str, cell: str) -> None:
    cells = await sale.cells(suffix) | {cell: 1}
    key = keys.cells(SHARD, sale.config_id)
    packed = msgspec.msgpack.encode(cells)
    await sale.redis.execute_command("HSET", key, suffix, packed)
