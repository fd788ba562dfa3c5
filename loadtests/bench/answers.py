"""Reads and refusals, which need no Redis, against a bare server that answers the same bytes."""

import time
from contextlib import ExitStack
from functools import partial

from engine.local.programs import free_port
from loadtests.bench.ask import Answer, ask, first_tokens
from loadtests.bench.measure import Measurement, Plan, Row, Sample, check_answers, compare, interleave, load
from loadtests.bench.processes import Program
from loadtests.bench.stack import Stack
from loadtests.bench.wrk import Run, Target

CONNECTIONS = 256
FLOOR = 0.7


def reads(stack: Stack, plan: Plan) -> list[Row]:
    """Row d: an instance's detail against a bare answer of the same bytes."""
    (config,) = stack.subject.publish()
    stack.subject.wait_visible(config)
    stack.worker.freeze()
    try:
        target = stack.subject.detail(config)
        fixed = ask(target.port, target.path)
        check_answers(target, CONNECTIONS, "200 -")
        return [_against_bare(stack, plan, "detail reads", target, fixed)]
    finally:
        stack.worker.thaw()


def sold_out(stack: Stack, plan: Plan) -> list[Row]:
    """Row e: clicks on a sale without stock against a bare echo of the same POST; the peer's beside it."""
    subject = stack.subject
    (config,) = subject.publish(stock=1)
    subject.wait_visible(config)
    target = subject.target(config)
    first, second = first_tokens(target, 2)
    ask(target.port, target.path, first, "the-last-unit")
    fixed = _refused(target, second)
    check_answers(target, CONNECTIONS, "409 SOLD_OUT")
    stack.worker.freeze()
    try:
        rows = [_against_bare(stack, plan, "sold-out answers", target, fixed)]
    finally:
        stack.worker.thaw()
    if stack.peer:
        with stack.peer.api() as api:
            stack.peer.open_sale("csoldout", 0)
            peer_target = stack.peer.target(int(api.wait_for_line("listening ")), "csoldout")
            check_answers(peer_target, CONNECTIONS, "409 SOLD_OUT")
            sides: dict[str, Measurement] = {
                "wanfa": partial(_answers, target, stack.api, plan.seconds, fixed.status),
                "NestJS": partial(_answers, peer_target, api, plan.seconds, fixed.status),
            }
            samples = interleave("sold-out answers", sides, plan)
            rows.append(compare("sold-out answers, against the peer", "refused joins / API CPU-s", samples, None))
    return rows


def _against_bare(stack: Stack, plan: Plan, name: str, target: Target, fixed: Answer) -> Row:
    with ExitStack() as opened:
        port = free_port()
        bare = opened.enter_context(stack.subject.bare(fixed, port))
        bare.wait_until(lambda: ask(port, "/").status != 0, "it listened")
        same = target._replace(port=port)
        sides: dict[str, Measurement] = {
            "wanfa": partial(_answers, target, stack.api, plan.seconds, fixed.status),
            "bare": partial(_answers, same, bare, plan.seconds, fixed.status),
        }
        for once in sides.values():
            once()
        samples = interleave(name, sides, plan)
    note = f"HTTP {fixed.status}, {len(fixed.body.encode())} bytes of body"
    return compare(name, "answers / API CPU-s", samples, FLOOR, note)


def _answers(target: Target, program: Program, seconds: float, status: int) -> Sample:
    """Which refusal it is has been checked before; here that all are refused, or none."""
    run, sample = load(target, CONNECTIONS, seconds, [program.pid])
    check_alike(target, run, status)
    return Sample(run.requests, sample.cpu_s, sample.wall_s)


def check_alike(target: Target, run: Run, status: int) -> None:
    """RuntimeError unless all of a run's answers are 2xx, or none is, as `status` is."""
    if run.not2xx != (run.requests if status >= 300 else 0):
        raise RuntimeError(f"{target.path}: {run.not2xx} of {run.requests} answers are not 2xx, where {status} is due")


def _refused(target: Target, token: str) -> Answer:
    """Ask until it is refused: what is known of the stock in memory may be some milliseconds old."""
    for number in range(100):
        answer = ask(target.port, target.path, token, f"refused-{number}")
        if answer.status == 409:
            return answer
        time.sleep(0.05)
    raise RuntimeError(f"{target.path} never answered 409, but {answer.status} {answer.body}")
