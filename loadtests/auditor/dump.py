"""Write what Redis and Postgres hold into JSON lines, for the auditor to read later.

Dump Redis first: an intent that is in neither Redis nor an older Postgres would look lost, one that was
drained in between is in both.
"""

import re
import time
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import redis as redis_client

TABLES = (
    "shards",
    "play_configs",
    "stock",
    "instances",
    "session_stock",
    "orders",
    "order_events",
    "actions",
    "gate_events",
    "dead_intents",
    "payments",
    "refunds",
    "stray_payments",
    "sandbox_trades",
    "sandbox_refunds",
    "people",
    "rewards",
)
_CELLS = re.compile(r"^\{s(\d+)\}:(c[0-9a-f]{12}):cells$")
_STREAM = re.compile(r"^\{s(\d+)\}:intents$")
_EPOCH = re.compile(r"^\{s(\d+)\}:epoch$")
_json = msgspec.json.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
PAGE = 1000  # stream entries in one reply


def dump_redis(url: str, out: Path) -> int:
    """Write every config, person and stream of the hot Redis at `url`; returns the number of records."""
    client = redis_client.Redis.from_url(url)
    keys = sorted(key.decode() for key in client.scan_iter(count=1000))
    shards = sorted({int(m[1]) for key in keys if (m := _STREAM.match(key) or _EPOCH.match(key))})
    configs = [(int(m[1]), m[2]) for key in keys if (m := _CELLS.match(key))]
    with out.open("wb") as file:
        for shard in shards:
            file.write(_json(_shard_record(client, shard)) + b"\n")
        for shard, config_id in configs:
            file.write(_json(_config_record(client, shard, config_id)) + b"\n")
    client.close()
    return len(shards) + len(configs)


def _config_record(client: "redis_client.Redis", shard: int, config_id: str) -> dict[str, Any]:
    """Cells and people are read in one transaction: units left and units held belong together."""
    pipe = client.pipeline(transaction=True)
    pipe.hgetall(f"{{s{shard}}}:{config_id}:cells")
    pipe.hgetall(f"{{s{shard}}}:{config_id}:people")
    cells, people = pipe.execute()
    fields = {name.decode(): value for name, value in cells.items()}
    head = _unpack(fields.pop("head")) if "head" in fields else {}
    left = int(fields.pop("left", b"-1"))
    fields.pop("reopens", None)  # only says when units that came back are sold again
    records = {user.decode(): _unpack(value) for user, value in people.items()}
    return {
        "record": "config",
        "shard": shard,
        "config": config_id,
        "left": left,
        "head": head,
        "instances": {suffix: _unpack(value) for suffix, value in fields.items()},
        # A record is a list of clicks; what a playbook remembers of the person is a map before them.
        "people": {user: [one for one in record if isinstance(one, list)] for user, record in records.items()},
        "remembered": {user: record[0] for user, record in records.items() if isinstance(record[0], dict)},
    }


def _shard_record(client: "redis_client.Redis", shard: int) -> dict[str, Any]:
    epoch: Any = client.get(f"{{s{shard}}}:epoch")
    undrained = undrained_entries(client, f"{{s{shard}}}:intents")
    orders: list[Any] = []
    for fields in undrained.values():
        _now, batch_orders, *_rest = _unpack(fields[b"p"])
        orders += list(batch_orders)  # an empty Lua table is packed as an empty map
    return {
        "record": "shard",
        "shard": shard,
        "epoch": None if epoch is None else int(epoch),
        "undrained": sorted(undrained),
        "orders": orders,
    }


def undrained_entries(client: "redis_client.Redis", stream: str) -> dict[str, dict[bytes, bytes]]:
    """Entries that no worker has acknowledged: never delivered, or delivered and still pending."""
    after, pending = "-", set[str]()
    groups: Any = client.xinfo_groups(stream) if client.exists(stream) else []
    for group in groups:
        after = "(" + group["last-delivered-id"].decode()
        waiting: Any = client.xpending_range(stream, group["name"], "-", "+", 100_000)
        pending = {item["message_id"].decode() for item in waiting}
    entries: dict[str, dict[bytes, bytes]] = {}
    for entry_id in pending:
        found: Any = client.xrange(stream, entry_id, entry_id)
        entries |= {key.decode(): fields for key, fields in found}
    while True:
        page: Any = client.xrange(stream, after, "+", count=PAGE)
        entries |= {key.decode(): fields for key, fields in page}
        if len(page) < PAGE:
            return entries
        after = "(" + page[-1][0].decode()


async def dump_postgres(url: str, out: Path) -> int:
    """Write every table the auditor reads, as of one snapshot; returns the number of rows."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    rows = 0
    try:
        with out.open("wb") as file:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                for table in TABLES:
                    # The name comes from the constant above, never from outside.
                    cursor = connection.cursor(f"SELECT row_to_json(t)::text FROM {table} t", prefetch=PAGE)
                    async for (row,) in cursor:
                        file.write(b'{"table":"%s","row":%s}\n' % (table.encode(), row.encode()))
                        rows += 1
            at_ms = int(time.time() * 1000)
            file.write(_json({"table": "dump", "row": {"at_ms": at_ms}}) + b"\n")
    finally:
        await connection.close()
    return rows
