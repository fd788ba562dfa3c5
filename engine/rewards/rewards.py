"""Rewards that playbooks promised: frozen until the refund window has closed, then granted, flagged or void.

A row is one promise. Whether it is granted is decided here, once: the order it hangs on must still be PAID,
and whoever bought must be one person, as far as a device, a network address and a payer tell.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from engine.core.pages import Page, page_of, unmark_moment
from engine.core.settings import RewardsSettings
from engine.core.transact import transact

RewardKind = Literal["ASSET", "CREDIT", "CASH"]
RewardStatus = Literal["FROZEN", "GRANTED", "FLAGGED", "VOID"]

GRANT_UNBOUND = """
UPDATE rewards SET status = 'GRANTED', updated_at = now()
 WHERE (source, number) IN (
     SELECT source, number FROM rewards
      WHERE status = 'FROZEN' AND unfreezes_at <= now() AND order_id IS NULL
      ORDER BY unfreezes_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING 1
"""
# Whether more than so many people of the config have the buyer's cell; "" is nobody's.
_COMPANY = """
(SELECT count(*) FROM (
    SELECT FROM people other WHERE other.config_id = due.config_id AND other.cells ? '{cell}'
       AND other.cells ->> '{cell}' = me.cells ->> '{cell}' AND me.cells ->> '{cell}' <> ''
     LIMIT {most} + 1) same) > {most}
"""
# Whether who paid for this order stands behind more than so many people of the config: those they paid for,
# and themselves (a WeChat payer is named by the openid they log in with).
_PAYER = """
(SELECT count(*) FROM (
    (SELECT o.user_id
       FROM payments mine JOIN payments p ON p.payer = mine.payer JOIN orders o ON o.id = p.order_id
      WHERE mine.order_id = due.order_id AND p.status = 'PAID' AND o.config_id = due.config_id
      GROUP BY o.user_id LIMIT $4 + 1)
    UNION
    SELECT u.id FROM payments mine JOIN users u ON u.openid = mine.payer
      JOIN people themselves ON themselves.config_id = due.config_id AND themselves.user_id = u.id
     WHERE mine.order_id = due.order_id) same) > $4
"""
# The order stays as it is until the decision is committed: whoever takes it out of PAID voids what is FROZEN
# afterwards. One that is HELD has not decided yet. It never waits for a lock, so it is in no deadlock.
_SETTLE = """
WITH due AS (
    SELECT r.source, r.number, r.config_id, o.id AS order_id, o.user_id, o.status
      FROM rewards r JOIN orders o ON o.id = r.order_id
     WHERE r.status = 'FROZEN' AND r.unfreezes_at <= now() AND o.status <> 'HELD'
     ORDER BY r.unfreezes_at LIMIT $1 FOR NO KEY UPDATE OF r SKIP LOCKED FOR SHARE OF o SKIP LOCKED
), judged AS (
    SELECT due.source, due.number, due.status = 'PAID' AS paid,
           CASE WHEN due.status IN ('REFUNDING', 'REFUNDED') THEN 'ORDER_REFUNDED'
                WHEN due.status <> 'PAID' THEN 'ORDER_NOT_PAID'
                WHEN {device} THEN 'SHARED_DEVICE'
                WHEN {address} THEN 'SHARED_ADDRESS'
                WHEN {payer} THEN 'SHARED_PAYER' END AS reason
      FROM due LEFT JOIN people me ON me.config_id = due.config_id AND me.user_id = due.user_id
)
UPDATE rewards r
   SET status = CASE WHEN NOT j.paid THEN 'VOID' WHEN j.reason IS NULL THEN 'GRANTED' ELSE 'FLAGGED' END,
       reason = j.reason, updated_at = now()
  FROM judged j WHERE r.source = j.source AND r.number = j.number
RETURNING 1
"""
SETTLE_BOUND = _SETTLE.format(
    device=_COMPANY.format(cell="device", most="$2::int"),
    address=_COMPANY.format(cell="address", most="$3::int"),
    payer=_PAYER,
)

# What is promised for an order that has ended unpaid, or was paid back, is void from the start. A step's click may
# also be no order: then nothing that happens to one concerns the promise.
PROMISE = """
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
VOID = """
UPDATE rewards SET status = 'VOID', reason = $2, updated_at = now()
 WHERE order_id = ANY($1::uuid[]) AND status = 'FROZEN'
"""

# An id tells nothing: the source names an order that is often somebody else's.
_REWARDS = """
SELECT * FROM (
    SELECT left(encode(sha256(convert_to(source || '/' || number, 'UTF8')), 'hex'), 32) AS id, rewards.*
      FROM rewards WHERE {whose} AND created_at <= coalesce($2::timestamptz, 'infinity')) r
 WHERE (created_at, id) < (coalesce($2, 'infinity'), coalesce($3, ''))
 ORDER BY created_at DESC, id DESC LIMIT $4
"""
OF_USER = _REWARDS.format(whose="user_id = $1")
OF_STATUS = _REWARDS.format(whose="status = $1")


class Reward(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A reward as its owner sees it. `amount`: units of the service (ASSET) or fen (CREDIT, CASH)."""

    id: str
    source_instance_id: str
    kind: RewardKind
    amount: int
    status: RewardStatus
    reason: str | None
    unfreezes_at: datetime
    created_at: datetime


class RewardRecord(Reward, frozen=True, rename="camel", kw_only=True):
    """A reward as headquarters see it: with whose it is, and the order it hangs on."""

    user_id: str
    order_id: str | None


class Rewards:
    """Settles rewards, and lists them. Any number of processes may."""

    def __init__(self, pool: asyncpg.Pool, settings: RewardsSettings) -> None:
        self._pool = pool
        self._people_max = settings.device_people_max, settings.address_people_max, settings.payer_people_max

    async def settle_due(self, limit: int) -> int:
        """Grant, flag or void up to `limit` rewards that are due, and as many that hang on no order; how many.

        For the worker.
        """
        return await transact(self._pool, partial(self._settle, limit=limit))

    async def for_user(self, user: str, cursor: str | None, limit: int) -> Page[Reward]:
        """The user's rewards, newest first. Raises CursorInvalid."""
        rows = await self._pool.fetch(OF_USER, user, *unmark_moment(cursor), limit + 1)
        return page_of([Reward(**_facts(row)) for row in rows], limit, _place)

    async def with_status(self, status: RewardStatus, cursor: str | None, limit: int) -> Page[RewardRecord]:
        """Everybody's rewards of one status, newest first. Raises CursorInvalid."""
        rows = await self._pool.fetch(OF_STATUS, status, *unmark_moment(cursor), limit + 1)
        records = [
            RewardRecord(**_facts(row), user_id=row["user_id"], order_id=row["order_id"] and row["order_id"].hex)
            for row in rows
        ]
        return page_of(records, limit, _place)

    async def _settle(self, connection: PoolConnectionProxy, limit: int) -> int:
        unbound = await connection.fetch(GRANT_UNBOUND, limit)
        bound = await connection.fetch(SETTLE_BOUND, limit, *self._people_max)
        return len(unbound) + len(bound)


async def promise(connection: PoolConnectionProxy, columns: Sequence[Sequence[Any]]) -> None:
    """Rewards that steps have promised, each once; the orders that they hang on are rows already.

    Columns: source, number, config id, suffix, order id or "", user, kind, amount, when it unfreezes in ms.
    """
    await connection.execute(PROMISE, *columns)


async def void_unpaid(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """What was promised for orders that have ended without a payment."""
    await connection.execute(VOID, [row["id"] for row in moved], "ORDER_NOT_PAID")


async def void_refunded(connection: PoolConnectionProxy, moved: Sequence[asyncpg.Record]) -> None:
    """What was promised for orders that are paid back."""
    await connection.execute(VOID, [row["id"] for row in moved], "ORDER_REFUNDED")


def _facts(row: asyncpg.Record) -> dict[str, Any]:
    facts = {name: row[name] for name in Reward.__struct_fields__ if name != "source_instance_id"}
    return facts | {"source_instance_id": row["instance_id"]}


def _place(reward: Reward) -> tuple[str, str]:
    return reward.created_at.isoformat(), reward.id
