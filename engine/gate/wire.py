"""What a lane and scripts/lua/gate.lua say to each other: msgpack arrays, in the order of the fields here.

This is the only place that knows the order. Lua gets it as constants (`CLICK_VERB`, `BATCH_SEED`, …), which
engine/playbooks/script.py makes of these fields, and Python builds and reads nothing but these classes.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

# What Postgres or the time decided, in the place of a click's verb: no playbook may call an action so.
EVENTS = ("paid", "released", "late", "deadline")


class Click(msgspec.Struct, array_like=True, gc=False):
    """A consumer's click, or an event.

    `extra`: of a click the facts by name that its config asks for; of `late` the instances that may take the payer
    in; of `released` the state that Postgres believes the order to be in.
    """

    config: Any  # the config's id; on its way to Redis the number, from 1, of its keys in the batch
    verb: str
    suffix: str
    user: str
    order_id: str
    fingerprint: int
    quantity: int
    request_id: str
    extra: Any = None


def event(
    config: Any, kind: str, suffix: str, user: str = "", order_id: str = "", quantity: int = 0, extra: Any = None
) -> Click:
    """An event as it travels: nobody asked for it, so it has neither fingerprint nor requestId."""
    return Click(config, kind, suffix, user, order_id, 0, quantity, "", extra)


class Batch(msgspec.Struct, array_like=True):
    """Clicks that are decided in one script call; times in ms. `seed`: what a step draws follows from it."""

    hold_ttl_ms: int
    reopen_ms: int
    person_effects_max: int
    seed: int
    clicks: Sequence[Click]


class Reply(NamedTuple):
    """What became of a click; a refusal travels as its outcome alone, because nothing else of it says something.

    `state`: of a repeat, the EffectState that its effect is in now; the rest is what the first click was told. False of
    a first answer.
    """

    outcome: int
    state: int | bool = False
    suffix: str = ""
    pay_before_ms: int = 0
    status: int = 0
    current: int = 0
    target: int = 0

    @property
    def replayed(self) -> bool:
        """Whether an earlier click with this requestId had the effect."""
        return self.state is not False


class Failure(NamedTuple):
    """A step that failed in a batch, once for each playbook and step: where and why the first time, and how often."""

    code: str
    step: str
    config_id: str
    times: int
    why: str  # percent-encoded: a stranger's error may hold any bytes


class Answer(NamedTuple):
    """What the script answers to a batch."""

    now_ms: int
    replies: list[int | Reply]
    failures: Sequence[Failure] = ()


pack: Callable[[Batch], bytes] = msgspec.msgpack.Encoder().encode
unpack: Callable[[bytes], Answer] = msgspec.msgpack.Decoder(Answer).decode


def reply_of(raw: int | Reply) -> Reply:
    """A reply as it travelled, refusals with all fields as well."""
    return raw if isinstance(raw, Reply) else Reply(raw)
