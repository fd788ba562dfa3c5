"""A playbook's steps, tried once before they are put into the gate's script, where every sale would feel them.

The clock stands still and the sample is always the same, so every process finds the same.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine.core.errors import PlaybookInvalid
from engine.gate.records import ms
from engine.playbooks.script import compose_trial
from engine.sdk import Example, Playbook, Rules, Session, Status, Window

NOW = datetime(2030, 1, 1, tzinfo=UTC)
EXAMPLES_MAX = 5
SESSIONS_MAX = 2

_FACTS = {"newcomer": True, "device": "00112233445566aa", "address": "aa66554433221100"}
_LINE = re.compile(r"(?:.*\(new function\): )?user_script:(\d+): ?")


async def try_steps(redis: Redis, playbook: Playbook) -> str:
    """Why the playbook's steps cannot be used; "" when they can. Raises Redis' own errors."""
    try:
        script, first_line, last_line = compose_trial(playbook)
        found = await redis.execute_command("EVAL", script, 0, sample(playbook))
    except PlaybookInvalid as error:
        return str(error)
    except ResponseError as error:
        if "user_script" not in str(error):
            raise  # Redis is short of memory, or still loading: not the playbook's fault
        found = str(error)
    text = found.decode(errors="replace") if isinstance(found, bytes) else str(found)
    return _LINE.sub(lambda match: _placed(int(match[1]), first_line, last_line), text)


def sample(playbook: Playbook) -> bytes:
    """What scripts/lua/trial.lua tries the steps with: the playbook's examples, on sale since an hour."""
    verbs = ["open", "join", *playbook.actions, "paid", "late", "released", "deadline"]
    sales = [_sale(playbook, example) for example in islice(playbook.examples or (Example(),), EXAMPLES_MAX)]
    return msgspec.msgpack.encode([playbook.code, ms(NOW), verbs, sales])


def _sale(playbook: Playbook, example: Example) -> msgspec.Raw:
    new: dict[str, Any] = {"status": int(Status.PENDING), "current": 0, "target": 0, "wakeAt": 0, "rev": 0}
    try:
        rules = msgspec.convert(dict(example.rules), playbook.rules)
        sessions = [_cells(session) for session in _sessions(playbook, rules, example)]
        filled = msgspec.to_builtins(rules, str_keys=True)
        return _packed([filled, example.price_fen, _FACTS, [new, *sessions]])
    except (Exception, SystemExit):  # noqa: BLE001  # what is wrong with an example, `wanfa playbook check` says
        return _packed([{}, 1, _FACTS, [new]])


def _packed(sale: list[Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(sale))


def _sessions(playbook: Playbook, rules: Rules, example: Example) -> Iterator[Session]:
    starts_at = NOW - timedelta(hours=1)
    return islice(playbook.sessions(rules, Window(starts_at, starts_at + timedelta(hours=example.hours))), SESSIONS_MAX)


def _cells(session: Session) -> Mapping[str, Any]:
    engines = {
        "status": int(session.status),
        "current": 0,
        "target": session.target,
        "wakeAt": ms(session.wake_at) if session.wake_at else 0,
        "rev": 0,
    }
    return {**session.cells, **engines} | ({} if session.stock is None else {"left": session.stock})


def _placed(line: int, first_line: int, last_line: int) -> str:
    """Where in the author's file, the line behind it included, where a file that stops early fails; else nothing."""
    return f"step.lua:{min(line, last_line) - first_line + 1}: " if first_line <= line <= last_line + 1 else ""
