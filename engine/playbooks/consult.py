"""What a playbook's own functions say about a store's rules, believed only when it can be used.

They are a stranger's code: whatever they raise or return wrongly becomes one of our errors, and is logged.
"""

import copy
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from engine.core.errors import PlaybookFailed, RulesInvalid, WanfaError
from engine.core.schema import ERRORS_MAX, FieldError, escape
from engine.core.texts import Text
from engine.gate.keys import FIELDS_OF_CONFIG
from engine.sdk import Fact, Offer, Playbook, Problem, Rules, Session, Window

log = logging.getLogger(__name__)

T = TypeVar("T")

SUFFIX = re.compile(r"[0-9a-z]{1,32}")
SESSIONS_MAX = 1000
ENGINES_CELLS = frozenset({"status", "current", "target", "wakeAt", "rev", "left"})
CELL = re.compile(r"[A-Za-z][A-Za-z0-9]*")
TEXT = re.compile(r"[ -~]{0,4096}")
WHOLE_MAX = 2**53 - 1
TARGET_MAX = 2**31 - 1
PRICE_FEN_MAX = 100_000_000  # of a unit: a million yuan
STOCK_MAX = 10_000_000


class Judged(NamedTuple):
    """What a playbook makes of an offer that it takes: sessions, facts that clicks carry, verbs for newcomers only."""

    sessions: list[Session]
    asks: list[str]
    newcomer_verbs: list[str]


def judge(playbook: Playbook, rules: Rules, offer: Offer) -> Judged:
    """All that a playbook is asked when something is published; `check` and the demo ask the same.

    Raises RulesInvalid with what it finds wrong, field by field; PlaybookFailed when one of its functions does.
    """
    check_offer(playbook, rules, offer)
    sessions = sessions_of(playbook, rules, offer.window, offer.stock)
    return Judged(sessions, asks_of(playbook, rules), newcomer_verbs_of(playbook, rules))


def reason_of(error: WanfaError) -> str:
    """Why something cannot be published: each rule and what is wrong with it; or what was raised, and in which line."""
    if isinstance(error, RulesInvalid):
        return "; ".join(f"{one.pointer or '/'}: {one.message.zh}" for one in error.extra.get("errors", ())) or str(
            error
        )
    cause = error.__cause__
    if not isinstance(error, PlaybookFailed) or cause is None:
        return str(error)
    frames = traceback.extract_tb(cause.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(cause).__name__}: {cause}{where}"


def asks_of(playbook: Playbook, rules: Rules) -> list[str]:
    """The facts that clicks under these rules carry. Raises PlaybookFailed."""
    return _told(playbook, "asks", lambda: [Fact(fact).value for fact in dict.fromkeys(playbook.asks(rules))])


def newcomer_verbs_of(playbook: Playbook, rules: Rules) -> list[str]:
    """The verbs whose orders only newcomers may have under these rules. Raises PlaybookFailed."""

    def found() -> list[str]:
        verbs = list(dict.fromkeys(playbook.newcomers_only(rules)))
        if odd := [verb for verb in verbs if verb not in playbook.reserves]:
            raise ValueError(f"{odd!r} are no verbs that make an order")
        return verbs

    return _told(playbook, "newcomers_only", found)


def check_offer(playbook: Playbook, rules: Rules, offer: Offer) -> None:
    """Raises RulesInvalid with what the playbook finds wrong beyond the schema, or PlaybookFailed."""

    def found() -> list[FieldError]:
        problems = islice(playbook.problems(rules, offer), ERRORS_MAX)
        return [_field_error(problem) for problem in problems]

    if errors := _told(playbook, "problems", found):
        raise RulesInvalid(errors=errors)


def sessions_of(playbook: Playbook, rules: Rules, window: Window, stock: int) -> list[Session]:
    """The playbook's sessions. Raises PlaybookFailed; RulesInvalid when one has more stock than the config.

    Together they may have more than the config: whoever comes first gets it.
    """
    sessions = _told(playbook, "sessions", lambda: _sessions(playbook, rules, window))
    most = max((session.stock for session in sessions if session.stock is not None), default=0)
    if most > stock:
        message = Text(
            f"场次库存 {most} 不能大于商品库存 {stock}",
            f"A session's stock of {most} is more than the product's stock of {stock}",
        )
        raise RulesInvalid(errors=[FieldError("/stock", message)])
    return sessions


def upgraded_rules(playbook: Playbook, rules: dict[str, Any], version: str) -> dict[str, Any]:
    """Rules of a draft as the loaded version of the playbook wants them. Raises RulesInvalid, saying what to do."""
    if version == playbook.version:
        return rules
    try:
        upgraded = playbook.upgrade_rules(copy.deepcopy(rules), version)
        return msgspec.convert(msgspec.to_builtins(upgraded, str_keys=True), dict[str, Any])
    except Exception as error:
        log.exception("playbook %s: rules of version %s cannot be upgraded", playbook.code, version)
        message = Text(
            f"规则按 {version} 版玩法填写，无法自动升级到 {playbook.version} 版，请重新填写规则",
            f"The rules are of version {version} and cannot be brought to {playbook.version}; write them anew",
        )
        raise RulesInvalid(message, errors=[FieldError("/rules", message)]) from error


def _told(playbook: Playbook, what: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Exception as error:
        log.exception("playbook %s: its %s cannot be had", playbook.code, what)
        raise PlaybookFailed from error


def _field_error(problem: Problem) -> FieldError:
    field, message, english = problem.field, problem.message, problem.english
    if not (isinstance(field, str) and isinstance(message, str) and isinstance(english, str) and message):
        raise TypeError(f"{problem!r} says neither what is wrong nor where")
    return FieldError(f"/rules/{escape(field)}" if field else "/rules", Text(message, english or message))


def _sessions(playbook: Playbook, rules: Rules, window: Window) -> list[Session]:
    sessions = list(islice(playbook.sessions(rules, window), SESSIONS_MAX + 1))
    if len(sessions) > SESSIONS_MAX:
        raise ValueError(f"more than {SESSIONS_MAX} sessions")
    suffixes = {session.suffix for session in sessions if SUFFIX.fullmatch(session.suffix)}
    if len(suffixes - FIELDS_OF_CONFIG) < len(sessions):
        raise ValueError("a session's suffix is no suffix, or not its own")
    for session in sessions:
        if session.stock is not None and (type(session.stock) is not int or session.stock < 1):
            raise ValueError(f"session {session.suffix} has a stock of {session.stock!r}")
        if type(session.target) is not int or not 0 <= session.target <= TARGET_MAX:
            raise ValueError(f"session {session.suffix} has a target of {session.target!r}")
        if session.wake_at is not None and session.wake_at.tzinfo is None:
            raise ValueError(f"session {session.suffix} wakes at a time without a time zone")
        _check_cells(session.suffix, session.cells)
    return sessions


def _check_cells(suffix: str, cells: Mapping[str, Any]) -> None:
    """What a step may write to cells (scripts/lua/include/steps.lua), and nothing else: it comes back in the stream."""
    if taken := ENGINES_CELLS & cells.keys():
        raise ValueError(f"session {suffix} writes cells of the engine: {sorted(taken)}")
    for name, value in cells.items():
        if not CELL.fullmatch(name):
            raise ValueError(f"session {suffix}: a cell may not be called {name!r}")
        fits = TEXT.fullmatch(value) if isinstance(value, str) else isinstance(value, int) and abs(value) <= WHOLE_MAX
        if not fits:
            raise ValueError(f"session {suffix}: cell {name} is {value!r:.100}, no whole number, ASCII text or boolean")
