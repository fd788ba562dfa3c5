"""A second open that is refused names the instance that the person has opened already."""

import asyncio
import logging

from api.errors import AWAY, Answer, rendered
from engine.core.ids import instance_id
from engine.core.texts import Language
from engine.gate.gate import Gate
from engine.gate.outcome import REFUSALS, Outcome

log = logging.getLogger("wanfa.api")

LOOK_S = 0.3

# What an open may be refused with because one has opened before.
SECOND = frozenset({int(Outcome.LIMIT_REACHED), int(Outcome.CONFLICT)})


class Own:
    """Looks it up in Redis, so it is there at once; only where an open was refused, so no other click pays for it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def refused(self, outcome: int, shard: int, config_id: str, user: str, language: Language) -> Answer:
        """The refusal with `instanceId`; without it when there is none, or it cannot be had just now."""
        suffix = None
        try:
            async with asyncio.timeout(LOOK_S):
                suffix = await self._gate.opened_by(shard, config_id, user)
        except AWAY as error:
            log.warning("a refusal is answered without the instance it means: %r", error)
        named = {"instance_id": instance_id(config_id, suffix)} if suffix else {}
        return rendered(REFUSALS[Outcome(outcome)](**named), language)
