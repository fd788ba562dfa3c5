"""Whether the history of every order is whole: one chain of allowed moves from its birth to what its row says."""

from typing import Any

import asyncpg

from engine.orders.moves import MOVES

ORDERS = "SELECT id, status, reason FROM orders ORDER BY id"
EVENTS = "SELECT order_id, from_status, to_status, why, by_whom, at FROM order_events ORDER BY order_id, id"

# (from, to, why) -> whether the row's reason becomes the why.
ALLOWED = {
    (source, move.target, why): not move.keeps_reason for move in MOVES for source in move.sources for why in move.whys
}


async def broken_histories(pool: asyncpg.Pool) -> list[str]:
    """A line for each order whose history is not what its row says."""
    events: dict[Any, list[asyncpg.Record]] = {}
    for event in await pool.fetch(EVENTS):
        events.setdefault(event["order_id"], []).append(event)
    rows = {row["id"]: row for row in await pool.fetch(ORDERS)}
    found = [f"{order_id}: a history without an order" for order_id in events.keys() - rows.keys()]
    for order_id, row in rows.items():
        if wrong := _wrong(row, events.get(order_id, [])):
            told = [(event["from_status"], event["to_status"], event["why"]) for event in events.get(order_id, [])]
            found.append(f"{order_id.hex} {row['status']} {row['reason']}: {wrong}; {told}")
    return found


def _wrong(row: asyncpg.Record, events: list[asyncpg.Record]) -> str:
    if not events:
        born = row["status"] == "HELD" or (row["status"] == "CANCELLED" and row["reason"] in ("FENCED", "OVERSOLD"))
        return "" if born else "no birth, and nothing is told of it"
    if events[0]["from_status"] not in ("HELD", "CANCELLED"):
        return "it does not begin with a birth"
    status, reason = events[0]["from_status"], "FENCED" if events[0]["why"] == "CLICKED_AGAIN" else None
    moment = events[0]["at"]
    for event in events:
        known = ALLOWED.get((event["from_status"], event["to_status"], event["why"]))
        if event["from_status"] != status or known is None or not event["by_whom"] or event["at"] < moment:
            return "a move that does not follow"
        status, moment = event["to_status"], event["at"]
        reason = event["why"] if known else None if event["why"] == "CLICKED_AGAIN" else reason
    return "" if (status, reason) == (row["status"], row["reason"]) else f"it ends as {status} {reason}"
