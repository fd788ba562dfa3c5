"""Give back what orders held: the stock, what was promised for them, and the news to Redis. Here only, so once."""

from collections.abc import Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

# In the order of ids, like everyone who locks more than one: no two transactions wait for each other.
LOCK_STOCK = "SELECT 1 FROM stock WHERE config_id = ANY($1::text[]) ORDER BY config_id FOR NO KEY UPDATE"

RELEASE = """
WITH freed AS (
    SELECT f.id, f.config_id, f.quantity, o.instance_id, o.status
      FROM unnest($1::uuid[], $2::text[], $3::int[]) AS f(id, config_id, quantity) JOIN orders o ON o.id = f.id
), given_back AS (
    UPDATE stock SET reserved = reserved - f.units
      FROM (SELECT config_id, sum(quantity)::int AS units FROM freed GROUP BY config_id) f
     WHERE stock.config_id = f.config_id
), given_back_to_session AS (
    UPDATE instances SET reserved = reserved - f.units
      FROM (SELECT instance_id, sum(quantity)::int AS units FROM freed GROUP BY instance_id) f
     WHERE instances.id = f.instance_id AND instances.stock IS NOT NULL
), voided AS (
    UPDATE rewards SET status = 'VOID', updated_at = now(),
                       reason = CASE WHEN freed.status = 'REFUNDING' THEN 'ORDER_REFUNDED' ELSE 'ORDER_NOT_PAID' END
      FROM freed WHERE rewards.order_id = freed.id AND rewards.status = 'FROZEN'
)
INSERT INTO gate_events (order_id, kind, config_id) SELECT id, 'released', config_id FROM freed
ON CONFLICT (order_id, kind) DO NOTHING
"""


async def release(connection: PoolConnectionProxy, left: Sequence[asyncpg.Record]) -> None:
    """Give back the units of orders that this transaction has just taken out of HELD or PAID.

    Each row has `id`, `config_id` and `quantity`. The caller's `UPDATE … WHERE status = …` is the
    arbiter that makes it happen once for each order.
    """
    if not left:
        return
    config_ids = [row["config_id"] for row in left]
    await connection.execute(LOCK_STOCK, sorted(set(config_ids)))
    await connection.execute(RELEASE, [row["id"] for row in left], config_ids, [row["quantity"] for row in left])
