"""Row f: what a reservation weighs in Valkey, and how long a rebuild of many holds takes."""

import asyncio
import shutil
import time
from collections.abc import Callable
from typing import cast

import redis

from engine.gate import keys
from loadtests.bench.ask import ask, first_tokens
from loadtests.bench.measure import Plan, Row
from loadtests.bench.stack import Stack
from loadtests.bench.wrk import Target, run_wrk

CONNECTIONS = 256
WAIT_TIMEOUT_S = 300
PROBE_S = 0.02
JOINS_A_SECOND_MIN = 10_000
PROBE = "the-click-that-is-repeated"


def weight_and_rebuild(stack: Stack, plan: Plan, holds: int) -> list[Row]:
    """Fill one sale with `holds` holds of as many people, weigh them, then lose Valkey with all its data."""
    tokens = stack.subject.write_tokens(holds, stack.folder / "many-tokens.txt")
    (config,) = stack.subject.publish(stock=holds)
    stack.subject.wait_visible(config)
    target = stack.subject.target(config, tokens)
    if _click(target, first_tokens(target, 1)[0]) != 201:
        raise RuntimeError("the first click of a new sale was refused")
    rows = _weigh(stack, plan, config, target, holds)
    plan.say(f"losing Valkey with {holds:,} holds")
    rows.append(_rebuild(stack, target, config, holds))
    return rows


def _weigh(stack: Stack, plan: Plan, config: str, target: Target, holds: int) -> list[Row]:
    subject, client = stack.subject, stack.subject.redis
    stack.worker.freeze()
    try:
        before = _used_memory(client)
        while subject.left(config) > 0:  # one run goes round all people once, so each takes one unit
            run_wrk(target, CONNECTIONS, 1 + holds / JOINS_A_SECOND_MIN)
        undrained = _used_memory(client) - before
    finally:
        stack.worker.thaw()
    plan.say(f"{holds:,} holds taken; draining")
    stream = keys.intents(subject.shard(config))
    _wait(lambda: not cast("int", client.xlen(stream)), "the stream was drained")
    drained = _used_memory(client) - before
    if subject.orders(config) != holds:
        raise RuntimeError(f"{holds} units were reserved, Postgres has {subject.orders(config)} orders")
    unit = "bytes / reservation"
    return [
        Row(name="Valkey, drained into Postgres", unit=unit, ours=drained / holds, note=f"{holds:,} reservations"),
        Row(
            name="Valkey, nothing drained yet", unit=unit, ours=undrained / holds, note="with the intents in the stream"
        ),
    ]


def _rebuild(stack: Stack, target: Target, config: str, holds: int) -> Row:
    subject, home = stack.subject, stack.folder / "valkey"
    epoch = keys.epoch(subject.shard(config))
    stack.valkey.kill()
    for folder in home.glob("appendonlydir*"):
        shutil.rmtree(folder)
    asyncio.run(stack.valkey.start())
    started = time.monotonic()
    _wait(lambda: _exists(subject.redis, epoch), "the shard was open again")
    opened_s = time.monotonic() - started
    (token,) = first_tokens(target, 1)
    _wait(lambda: _click(target, token) == 201, "the first click was answered as before")
    answered_s = time.monotonic() - started
    if subject.left(config) != 0:
        raise RuntimeError(f"after the rebuild {subject.left(config)} units are free again")
    note = f"{holds:,} holds, from an empty Valkey on; a repeated click got its first answer after {answered_s:.2f} s"
    return Row(name="rebuild after losing Valkey", unit="seconds until the shard is open", ours=opened_s, note=note)


def _used_memory(client: redis.Redis) -> int:
    return int(cast("dict[str, int]", client.info("memory"))["used_memory"])


def _exists(client: redis.Redis, key: str) -> bool:
    try:
        return bool(client.exists(key))
    except redis.RedisError:
        return False


def _click(target: Target, token: str) -> int:
    """The status of a join that is the same each time, so that only Redis can answer it."""
    return ask(target.port, target.path, token, PROBE).status


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it took more than {WAIT_TIMEOUT_S} s until {what}")
        time.sleep(PROBE_S)
