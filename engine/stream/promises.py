"""What steps have kept of people and promised them, as rows: each newer, each once, however often it is drained."""

from collections.abc import Collection

import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.notices.notices import queue
from engine.rewards.rewards import promise
from engine.stream.intents import EntryRun, columns, plain_cells

UPSERT_PEOPLE = """
INSERT INTO people AS p (config_id, user_id, rev, cells)
SELECT config_id, user_id, rev, cells::jsonb
  FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS n(config_id, user_id, rev, cells)
ON CONFLICT (config_id, user_id) DO UPDATE SET cells = excluded.cells, rev = excluded.rev
 WHERE excluded.rev > p.rev
"""


async def keep_promises(connection: PoolConnectionProxy, run: EntryRun, config_ids: Collection[str]) -> None:
    """People, rewards and notices of configs that Postgres knows; the run's orders and events are rows already."""
    if people := [person for person in run.people.values() if person.config_id in config_ids]:
        cells = [msgspec.json.encode(plain_cells(person)).decode() for person in people]
        await connection.execute(UPSERT_PEOPLE, *columns(people)[:3], cells)
    if rewards := [reward for reward in run.rewards if reward.config_id in config_ids]:
        await promise(connection, columns(rewards))
    if notices := [notice for notice in run.notices if notice.config_id in config_ids]:
        await queue(connection, columns(notices))
