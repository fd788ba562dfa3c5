"""Instances that memory does not have: just opened, final for long, or of a product that is archived.

The first comes with the next refresh, which costs Redis nothing more however many wait for it; the others are rows.
"""

import asyncio
import re
from collections.abc import Mapping

import asyncpg

from engine.catalog.configs import load_play_configs
from engine.core.bounded import Bounded
from engine.core.errors import Paused
from engine.core.ids import split_instance_id
from engine.gate.keys import FIELDS_OF_CONFIG
from engine.gate.records import HeadStatus
from engine.live.entries import LiveConfig, LiveInstance
from engine.live.live import FINAL, Live
from engine.live.view import InstanceState
from engine.sdk import Playbook, Status

LOOKS_AT_ONCE = 2  # who guesses ids takes no connection from those who pay
WAITING_MAX = 256
KEPT_MAX = 1000  # archived instances, which never change
CONFIG_ID = re.compile(r"c[0-9a-f]{12}")
INSTANCE_ID = re.compile(r"c[0-9a-f]{12}\.[0-9a-z]{1,32}")

# Units of an instance without a stock of its own are the config's.
FIND = """
SELECT i.status, i.current, i.target, i.cells, c.archived_at IS NOT NULL AS archived, s.total - s.reserved AS left,
       t.total - t.reserved AS own
  FROM instances i JOIN play_configs c ON c.id = i.config_id JOIN stock s ON s.config_id = c.id
  LEFT JOIN session_stock t ON t.instance_id = i.id
 WHERE i.id = $1 AND c.status <> 'DRAFT'
"""
# What is on sale or paused is in memory, or on its way there.
FIND_CONFIG = """
SELECT s.total - s.reserved AS left FROM play_configs c JOIN stock s ON s.config_id = c.id
 WHERE c.id = $1 AND c.archived_at IS NOT NULL
"""


class Missed:
    """Finds them for one process."""

    def __init__(self, pool: asyncpg.Pool, live: Live, playbooks: Mapping[str, Playbook]) -> None:
        self._pool = pool
        self._live = live
        self._playbooks = playbooks
        self._looks: dict[str, asyncio.Task[LiveInstance | None]] = {}
        self._bounds = Bounded(LOOKS_AT_ONCE, WAITING_MAX)
        self._archived: dict[str, LiveInstance] = {}

    async def instance(self, instance_id: str) -> LiveInstance | None:
        """The instance, None where there is none.

        Raises Paused while nobody can know; Overloaded; whatever Postgres raises when it cannot be asked.
        """
        config_id, suffix = split_instance_id(instance_id)
        if not INSTANCE_ID.fullmatch(instance_id) or suffix in FIELDS_OF_CONFIG:
            return None
        if live := self._live.configs.get(config_id):
            if not await self._live.caught_up(live.shard):
                raise Paused
            if found := self._live.instances.get(instance_id):
                return found
        return self._archived.get(instance_id) or await self._looked_up(instance_id)

    async def config(self, config_id: str) -> LiveConfig | None:
        """A product that is archived; None: it is not. Raises Overloaded, and whatever Postgres raises."""
        if not CONFIG_ID.fullmatch(config_id):
            return None
        async with self._bounds:
            left = await self._pool.fetchval(FIND_CONFIG, config_id)
            return None if left is None else await self._of_rows(config_id, left)

    async def _of_rows(self, config_id: str, left: int) -> LiveConfig:
        (config,) = await load_play_configs(self._pool, [config_id], live_only=False)
        live = LiveConfig(config, self._playbooks.get(config.template_code))
        live.head_status, live.left = HeadStatus[config.status], left
        return live

    async def _looked_up(self, instance_id: str) -> LiveInstance | None:
        """What Postgres has; one question at a time, however many ask it."""
        look = self._looks.get(instance_id)
        if look is None:
            look = self._looks[instance_id] = asyncio.create_task(self._find(instance_id))
            look.add_done_callback(lambda _: self._looks.pop(instance_id))
        return await asyncio.shield(look)  # who goes away takes nobody along

    async def _find(self, instance_id: str) -> LiveInstance | None:
        async with self._bounds:
            row = await self._pool.fetchrow(FIND, instance_id)
            if row is None:
                return None
            config_id, suffix = split_instance_id(instance_id)
            archived = await self._of_rows(config_id, row["left"])
        cells = row["cells"] if row["own"] is None else {**row["cells"], "left": row["own"]}
        state = InstanceState(Status[row["status"]], row["current"], row["target"], cells)
        live = self._live.configs.get(config_id)
        if live and state.status in FINAL:
            return self._live.instances.get(instance_id) or self._live.admit(live, suffix, state)
        instance = LiveInstance(instance_id, archived, state)
        if row["archived"]:
            while len(self._archived) >= KEPT_MAX:
                del self._archived[next(iter(self._archived))]
            self._archived[instance_id] = instance
        return instance
