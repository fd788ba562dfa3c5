"""What Redis knows, to compare; and what it knew once, to fall back to."""

from typing import Any

import msgspec

from engine.gate.records import read_person


async def redis_state(redis: Any) -> dict[str, Any]:
    """All that Redis knows of configs and people; effects in any order, without the deadline that tests move."""
    state: dict[str, Any] = {}
    for key in [*await redis.keys("*:cells"), *await redis.keys("*:people")]:
        for field, value in (await redis.hgetall(key)).items():
            name = f"{key.decode()} {field.decode()}"
            if key.endswith(b":people"):
                state[name] = _record(value)
            else:
                state[name] = int(value) if field in (b"left", b"reopens") else msgspec.msgpack.decode(value)
    return state


def _record(packed: bytes) -> tuple[dict[str, Any], list[Any]]:
    """A person's own cells and their effects."""
    mine, effects = read_person(packed)
    return mine, sorted(msgspec.structs.astuple(msgspec.structs.replace(one, pay_before_ms=0)) for one in effects)


class Tail:
    """Redis as it was at some moment, to go back to: what a lost tail of the log looks like."""

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}

    async def mark(self, redis: Any) -> None:
        self._keys = {key: await redis.dump(key) for key in await redis.keys("*")}

    async def lose(self, redis: Any) -> None:
        """Restart with what had been marked; the script cache is gone, as after every restart."""
        await redis.flushall()
        for key, value in self._keys.items():
            await redis.restore(key, 0, value)
        await redis.script_flush()
