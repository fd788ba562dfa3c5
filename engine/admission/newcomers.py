"""Who is new: nobody of whose orders is paid, in any store.

Clicks wait for the answer, so it is asked for many of them at once, one query at a time, and remembered for
a moment: being paid for makes a veteran for long, being new is over with the first payment.
"""

import asyncio
import time
from itertools import islice

import asyncpg

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
