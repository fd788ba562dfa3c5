"""Who is new: nobody of whose orders is paid, in any store. Asked at the click, and once more when money has landed.

Clicks wait for the answer, so it is asked for many of them at once, one query at a time, and remembered for
a moment: being paid for makes a veteran for long, being new is over with the first payment.
"""

import asyncio
import time
from itertools import islice
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from engine.core.errors import Overloaded, Unavailable
from engine.core.tasks import end_tasks
from engine.core.transact import UNREACHABLE

ASKED_AT_ONCE = 500
WAITING_MAX = 8192  # people; more are told OVERLOADED
KNOWN_MAX = 100_000  # people; then everybody is asked for anew
VETERAN_S = 60.0
NEWCOMER_S = 1.0
QUERY_TIMEOUT_S = 2.0

VETERANS = """
SELECT u.id FROM unnest($1::text[]) AS u(id)
 WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.status = 'PAID')
"""
# Payments of one person are judged one after the other, whichever processes they land in: a lock for (this, person).
PERSON_LOCKS = 0x6E657763
LOCK_PERSON = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
# Who is paid for and waits for a seat may be PAID any moment without being asked again.
HAS_ANOTHER = """
SELECT EXISTS (SELECT FROM orders WHERE user_id = $1 AND id <> $2 AND (status = 'PAID' OR seat_asked))
"""


async def is_still_newcomer(connection: PoolConnectionProxy, user: str, order_id: UUID) -> bool:
    """Whether the user has no paid order beside this one, until the transaction ends: who else asks waits so long."""
    await connection.execute(LOCK_PERSON, PERSON_LOCKS, user)
    return not await connection.fetchval(HAS_ANOTHER, user, order_id)


class Newcomers:
    """Answers for one process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: dict[str, tuple[bool, float]] = {}  # user -> is new, until when that is believed
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def is_newcomer(self, user: str) -> bool:
        """Whether none of the user's orders is paid. Raises Unavailable while Postgres is away, or Overloaded."""
        known = self._known.get(user)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        answer = self._waiting.get(user)
        if answer is None:
            if len(self._waiting) >= WAITING_MAX:
                raise Overloaded
            answer = self._waiting[user] = asyncio.get_running_loop().create_future()
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(answer)  # somebody else may wait for it as well

    async def close(self) -> None:
        """Stop asking; who still waits is told Unavailable."""
        if self._asking is not None:
            await end_tasks([self._asking])
        self._refuse(list(self._waiting), Unavailable())

    async def _ask(self) -> None:
        """One query after the other until nobody waits; who comes meanwhile is in the next one."""
        while self._waiting:
            users = list(islice(self._waiting, ASKED_AT_ONCE))
            try:
                async with asyncio.timeout(QUERY_TIMEOUT_S):
                    veterans = {row["id"] for row in await self._pool.fetch(VETERANS, users)}
            except UNREACHABLE:
                self._refuse(users, Unavailable())
            except Exception as error:  # noqa: BLE001  # theirs to report; nobody may wait for ever
                self._refuse(users, error)
            else:
                self._answer(users, veterans)

    def _answer(self, users: list[str], veterans: set[str]) -> None:
        if len(self._known) + len(users) > KNOWN_MAX:
            self._known.clear()
        now = time.monotonic()
        for user in users:
            is_new = user not in veterans
            self._known[user] = is_new, now + (NEWCOMER_S if is_new else VETERAN_S)
            self._waiting.pop(user).set_result(is_new)

    def _refuse(self, users: list[str], error: Exception) -> None:
        for user in users:
            answer = self._waiting.pop(user)
            answer.set_exception(error)
            answer.exception()  # whoever asked may have gone
