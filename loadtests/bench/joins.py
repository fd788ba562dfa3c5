"""Accepted joins against the peer, what durability costs, and how many configs on sale cost."""

import time
from contextlib import ExitStack
from functools import partial
from typing import cast

import redis

from loadtests.bench.measure import Measurement, Plan, Row, Sample, check_answers, compare, interleave, load
from loadtests.bench.peer import Peer
from loadtests.bench.processes import Program
from loadtests.bench.stack import Stack, second_wanfa

JOINS = "accepted joins / API CPU-s"
CONNECTIONS = (256, 1000)
CHECK_CONNECTIONS = 16  # before each measurement every answer of a second is read
TARGETS = {256: 1.4, 1000: 2.0}


def against_peer(stack: Stack, plan: Plan) -> list[Row]:
    """Row a: accepted joins of one flash sale, at 256 and at 1,000 connections."""
    rows = []
    with ExitStack() as opened:
        peer_api = opened.enter_context(stack.peer.api()) if stack.peer else None
        for connections in CONNECTIONS:
            sides: dict[str, Measurement] = {"wanfa": partial(our_joins, stack, connections, plan.seconds)}
            if stack.peer and peer_api:
                sides["NestJS"] = partial(_peer_joins, stack, stack.peer, peer_api, connections, plan.seconds)
            warm_up(sides)
            samples = interleave(f"joins at {connections}", sides, plan)
            valkey = ", ".join(f"{side} {_median_beside(taken):,.0f}" for side, taken in samples.items())
            note = f"joins per Valkey CPU-second: {valkey}"
            rows.append(compare(f"joins, {connections} connections", JOINS, samples, TARGETS[connections], note))
    return rows


def durability(stack: Stack, plan: Plan) -> list[Row]:
    """Row c: the same joins with every batch on disk, and with no append-only file at all."""
    client = stack.subject.redis

    def side(setting: str) -> Sample:
        _append_only(client, setting)
        return our_joins(stack, CONNECTIONS[0], plan.seconds)

    sides: dict[str, Measurement] = {"appendfsync always": partial(side, "yes"), "no AOF": partial(side, "no")}
    try:
        warm_up(sides)
        samples = interleave("durability", sides, plan)
    finally:
        _append_only(client, "yes")
    of_valkey = {name: [Sample(s.work, s.beside["valkey"], s.wall_s) for s in taken] for name, taken in samples.items()}
    return [
        compare("appendfsync always, API", JOINS, samples, 0.9),
        compare("appendfsync always, Valkey", "accepted joins / Valkey CPU-s", of_valkey, None),
    ]


def many_configs(stack: Stack, plan: Plan, configs: int) -> list[Row]:
    """Part of row f: joins while one config is on sale, against another wanfa that has `configs` on sale."""
    with second_wanfa(stack) as crowded:
        plan.say(f"publishing {configs:,} configs")
        crowded.subject.publish(configs)
        name = f"{configs:,} configs on sale"
        samples = beside(stack, crowded, name, ("many", "one"), plan)
    return [compare(f"joins with {configs:,} configs on sale", JOINS, samples, None)]


def beside(stack: Stack, other: Stack, name: str, sides: tuple[str, str], plan: Plan) -> dict[str, list[Sample]]:
    """Joins by another wanfa on the same servers and by the stack's own, in turns; `sides` are their names."""

    def side(ours: Stack, idle: Stack) -> Sample:
        idle.api.freeze()
        idle.worker.freeze()
        try:
            return our_joins(ours, CONNECTIONS[0], plan.seconds)
        finally:
            idle.api.thaw()
            idle.worker.thaw()

    measured: dict[str, Measurement] = {sides[0]: partial(side, other, stack), sides[1]: partial(side, stack, other)}
    warm_up(measured)
    return interleave(name, measured, plan)


def our_joins(stack: Stack, connections: int, seconds: float) -> Sample:
    """Joins of a new sale by wanfa; every one must be accepted, and Redis must count as many as wrk."""
    subject = stack.subject
    (config,) = subject.publish()
    subject.wait_visible(config)
    stack.worker.freeze()
    try:
        target = subject.target(config)
        check_answers(target, CHECK_CONNECTIONS, "201 RESERVED")
        before = subject.left(config)
        run, sample = load(target, connections, seconds, [stack.api.pid], {"valkey": [stack.valkey.pid]})
        check_count(run.good, run.not2xx, before - subject.left(config), connections)
    finally:
        subject.drop_intents()
        stack.worker.thaw()
    return sample


def _peer_joins(stack: Stack, peer: Peer, api: Program, connections: int, seconds: float) -> Sample:
    config = f"c{time.time_ns():x}"
    peer.open_sale(config, stock=5_000_000)
    stack.worker.freeze()
    try:
        target = peer.target(int(api.wait_for_line("listening ")), config)
        check_answers(target, CHECK_CONNECTIONS, "201 RESERVED")
        before = peer.left(config)
        run, sample = load(target, connections, seconds, [api.pid], {"valkey": [stack.valkey.pid]})
        check_count(run.good, run.not2xx, before - peer.left(config), connections)
    finally:
        peer.drop_sale(config)
        stack.worker.thaw()
    return sample


def check_count(accepted: int, refused: int, reserved: int, in_flight: int) -> None:
    """RuntimeError when wrk and Redis count differently."""
    # What was under way when wrk stopped was done, but nobody read the answer; a connection may have had two.
    if refused or not accepted <= reserved <= accepted + 2 * in_flight:
        raise RuntimeError(f"wrk saw {accepted} accepted and {refused} refused joins, Redis reserved {reserved} units")


def warm_up(sides: dict[str, Measurement]) -> None:
    """V8 and CPython both run faster once they have seen some requests; these two rounds do not count."""
    for once in [*sides.values()] * 2:
        once()


def _median_beside(samples: list[Sample]) -> float:
    rates = sorted(sample.rate_of("valkey") for sample in samples)
    return rates[len(rates) // 2]


def _append_only(client: redis.Redis, setting: str) -> None:
    client.config_set("appendonly", setting)
    while cast("dict[str, int]", client.info("persistence"))["aof_rewrite_in_progress"]:
        time.sleep(0.05)
