"""What steps have kept of people and promised them, as rows: each newer, each once, however often it is drained."""

from collections.abc import Collection

import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.stream.intents import Batch, columns, plain_cells

UPSERT_PEOPLE = """
INSERT INTO people AS p (config_id, user_id, rev, cells)
SELECT config_id, user_id, rev, cells::jsonb
  FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS n(config_id, user_id, rev, cells)
ON CONFLICT (config_id, user_id) DO UPDATE SET cells = excluded.cells, rev = excluded.rev
 WHERE excluded.rev > p.rev
"""
# What is promised for an order that has ended unpaid, or was paid back, is void from the start. A step's click may
# also be no order: then nothing that happens to one concerns the promise.
INSERT_REWARDS = """
INSERT INTO rewards (source, number, config_id, instance_id, order_id, user_id, kind, amount, unfreezes_at, status,
                     reason)
SELECT source, number, r.config_id, r.config_id || '.' || suffix, o.id, r.user_id, kind, amount,
       to_timestamp(unfreezes_ms::float8 / 1000),
       CASE WHEN o.status NOT IN ('HELD', 'PAID') THEN 'VOID' ELSE 'FROZEN' END,
       CASE WHEN o.status IN ('REFUNDING', 'REFUNDED') THEN 'ORDER_REFUNDED'
            WHEN o.status IN ('EXPIRED', 'CANCELLED') THEN 'ORDER_NOT_PAID' END
  FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
              $9::bigint[])
    AS r(source, number, config_id, suffix, order_id, user_id, kind, amount, unfreezes_ms)
  LEFT JOIN orders o ON o.id = nullif(r.order_id, '')::uuid
ON CONFLICT (source, number) DO NOTHING
"""
INSERT_NOTICES = """
INSERT INTO notices (source, number, config_id, instance_id, user_id, topic, due_at)
SELECT source, number, config_id, config_id || '.' || suffix, user_id, topic, to_timestamp(due_ms::float8 / 1000)
  FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
    AS n(source, number, config_id, suffix, user_id, topic, due_ms)
ON CONFLICT (source, number) DO NOTHING
"""


async def keep_promises(connection: PoolConnectionProxy, batch: Batch, config_ids: Collection[str]) -> None:
    """People, rewards and notices of configs that Postgres knows; the batch's orders and events are rows already."""
    if people := [person for person in batch.people.values() if person.config_id in config_ids]:
        cells = [msgspec.json.encode(plain_cells(person)).decode() for person in people]
        await connection.execute(UPSERT_PEOPLE, *columns(people)[:3], cells)
    if rewards := [reward for reward in batch.rewards if reward.config_id in config_ids]:
        await connection.execute(INSERT_REWARDS, *columns(rewards))
    if notices := [notice for notice in batch.notices if notice.config_id in config_ids]:
        await connection.execute(INSERT_NOTICES, *columns(notices))
