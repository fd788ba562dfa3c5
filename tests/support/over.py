"""Products that are over, and what Redis still says of them."""

from datetime import timedelta

from engine.gate import keys
from tests.support.hot import Room

ENDED_AGO = """
UPDATE play_configs SET starts_at = now() - interval '1 day', ends_at = now() - $1::interval, updated_at = now(),
       warmed_ms = (extract(epoch FROM now() - interval '1 day') * 1000)::bigint
"""
LONG, NOT_LONG = timedelta(minutes=61), timedelta(minutes=59)


async def archive(room: Room) -> int:
    """The worker's job, and this process has heard of it."""
    archived: int = await room.engine.catalog.archive_ended(10)
    await room.caught_up()
    return archived


async def over(room: Room, *, cancel: bool = True) -> tuple[str, str]:
    """(config, its first order) of a flash sale that was over two hours ago; the order was cancelled."""
    config_id = await room.publish()
    await room.caught_up()
    order_id = (await room.join(f"{config_id}.s1")).json()["orderId"]
    await room.market.drain_all()
    if cancel:
        await room.engine.orders.cancel(order_id, "u1")
    await room.market.settle()
    await room.market.pool.execute(ENDED_AGO, LONG)
    await room.market.pool.execute("UPDATE instances SET wake_at = NULL, status = 'FAILED'")
    return config_id, order_id


async def keys_of(room: Room, config_id: str) -> list[bytes]:
    """All in Redis that speaks of a config."""
    names = [name for name in await room.market.redis.keys("*") if config_id.encode() in name]
    changed = await room.market.redis.zrange(keys.changed(0), 0, -1)
    gone = await room.market.redis.zrange(keys.gone(0), 0, -1)
    return names + [member for member in changed if config_id.encode() in member and member not in gone]
