"""What the gate is told of a person who clicks, where a config asks for it (engine/sdk/facts.py).

Devices and addresses are kept as keyed hashes only: enough to see that two are the same, not what they are.
"""

from collections.abc import Collection
from hashlib import blake2b

import asyncpg

from engine.admission.newcomers import Newcomers
from engine.sdk import Fact

HASH_BYTES = 8

Facts = dict[str, bool | str]


class Admission:
    """For one process. `secret` keys the hashes, so that nobody else can compare them."""

    def __init__(self, pool: asyncpg.Pool, secret: str) -> None:
        self.newcomers = Newcomers(pool)
        self._key = blake2b(secret.encode()).digest()

    async def facts(self, asks: Collection[str], user: str, *, device: str, address: str) -> Facts:
        """Those facts that are asked for, by name. Raises Unavailable when one cannot be had just now.

        `device` and `address` are what the client's request says of them, "" when nothing is known.
        """
        facts: Facts = {}
        if Fact.NEWCOMER in asks:
            facts[Fact.NEWCOMER.value] = await self.newcomers.is_newcomer(user)
        if Fact.DEVICE in asks:
            facts[Fact.DEVICE.value] = self._hash(Fact.DEVICE, device)
        if Fact.ADDRESS in asks:
            facts[Fact.ADDRESS.value] = self._hash(Fact.ADDRESS, address)
        return facts

    async def close(self) -> None:
        """Stop asking."""
        await self.newcomers.close()

    def _hash(self, fact: Fact, text: str) -> str:
        """Another hash for each kind of fact; what is not known stays "", and so is like nobody else's."""
        if not text:
            return ""
        return blake2b(text.encode(), digest_size=HASH_BYTES, key=self._key, person=fact.value.encode()).hexdigest()
