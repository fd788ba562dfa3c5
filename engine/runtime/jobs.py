"""All that a worker does: its loops, and the jobs that arq rings for. A table each: name, how often, the work.

What clicks and payments wait for is a loop: it waits for nobody. A job may be late, and one worker among all of them
does it at a time. Whatever the engine offers for it says "For the worker" in its docstring, and stands here.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from engine.core.settings import Settings
from engine.runtime.bootstrap import Engine

ASKS_MAX = 64  # questions in one job: all of them may go unanswered for as long as a call may take
REFUNDS_MAX = 64  # attempts in one job
REWARDS_MAX = 1000  # settled in one job
NOTICES_MAX = 1000  # handed over in one job
ARCHIVES_MAX = 100  # products looked at in one job
WARMS_MAX = 100  # configs told to the gate in one job

Work = Callable[[Engine], Awaitable[object]]


class Loop(NamedTuple):
    """Work that is done again after `every_s`; None: it goes on by itself until it is cancelled."""

    name: str
    every_s: Callable[[Settings], float] | None
    work: Work


class Job(NamedTuple):
    """Work that is done every `every_s` seconds, a divisor of a minute."""

    name: str
    every_s: int
    work: Work


def _sweep_s(settings: Settings) -> float:
    return settings.orders.sweep_ms / 1000


LOOPS = (
    Loop("shards", None, lambda engine: engine.stream.owner.run()),
    Loop("backlog", None, lambda engine: engine.backlog.watch()),
    Loop("gate events", None, lambda engine: engine.stream.dispatcher.run()),
    Loop("unpaid holds", _sweep_s, lambda engine: engine.orders.holds.expire_unpaid()),
    Loop("deadlines", _sweep_s, lambda engine: engine.stream.waker.wake_due()),
)

JOBS = (
    Job("expire_prepaid", 1, lambda engine: engine.orders.holds.expire_prepaid()),
    Job("ask_again", 1, lambda engine: engine.money.asker.ask_due(ASKS_MAX)),
    Job("pay_refunds", 1, lambda engine: engine.money.refunds.pay_due(REFUNDS_MAX)),
    Job("settle_rewards", 1, lambda engine: engine.rewards.settle_due(REWARDS_MAX)),
    Job("send_notices", 1, lambda engine: engine.notices.send_due(NOTICES_MAX)),
    Job("warm_configs", 1, lambda engine: engine.catalog.warm_pending_configs(WARMS_MAX)),
    Job("archive_ended", 10, lambda engine: engine.catalog.archive_ended(ARCHIVES_MAX)),
    Job("warm_up", 1, lambda engine: engine.catalog.warm_up_due()),
)

# Once, when a worker starts: playbooks may have gone, or got another version, since the last start.
AT_START: tuple[Work, ...] = (
    lambda engine: engine.catalog.pause_orphans(),
    lambda engine: engine.catalog.upgrade_drafts(),
)
