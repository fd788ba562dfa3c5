"""Time that passes without waiting for it."""

import msgspec

from engine.gate import keys
from tests.support.gate import SHARD, Sale


async def run_out(sale: Sale, suffix: str = "s1") -> None:
    """The instance's time is over: its end is moved into the past, as waiting would do."""
    cells = await sale.cells(suffix) | {"endsAt": 1}
    key = keys.cells(SHARD, sale.config_id)
    packed = msgspec.msgpack.encode(cells)
    await sale.redis.execute_command("HSET", key, suffix, packed)
