"""What Redis answers a click, as ints: the one table, and its one translation into errors."""

from enum import IntEnum

from engine.core import errors


class Outcome(IntEnum):
    """The script's answer to one click. Lua gets these names as constants (engine/playbooks/script.py)."""

    RESERVED = 0  # stock is held, an order exists
    DONE = 1  # the instance changed, no stock is involved
    UNCHANGED = 2  # an event that had been applied before, or whose order Redis does not know
    SOLD_OUT = 10
    LIMIT_REACHED = 11
    INSTANCE_FULL = 12
    NOT_STARTED = 13
    ENDED = 14
    CONFLICT = 15
    NOT_ELIGIBLE = 16
    PAUSED = 17
    REQUEST_ID_REUSED = 18
    ACTION_UNKNOWN = 19
    INSTANCE_NOT_FOUND = 20
    CONFIG_NOT_FOUND = 21
    PLAYBOOK_FAILED = 22


EFFECTS = frozenset({Outcome.RESERVED, Outcome.DONE})

REFUSALS: dict[Outcome, type[errors.WanfaError]] = {
    Outcome.SOLD_OUT: errors.SoldOut,
    Outcome.LIMIT_REACHED: errors.LimitReached,
    Outcome.INSTANCE_FULL: errors.InstanceFull,
    Outcome.NOT_STARTED: errors.NotStarted,
    Outcome.ENDED: errors.Ended,
    Outcome.CONFLICT: errors.Conflict,
    Outcome.NOT_ELIGIBLE: errors.NotEligible,
    Outcome.PAUSED: errors.Paused,
    Outcome.REQUEST_ID_REUSED: errors.RequestIdReused,
    Outcome.ACTION_UNKNOWN: errors.ActionUnknown,
    Outcome.INSTANCE_NOT_FOUND: errors.InstanceNotFound,
    Outcome.CONFIG_NOT_FOUND: errors.ConfigNotFound,
    Outcome.PLAYBOOK_FAILED: errors.PlaybookFailed,
}

# Refusals a playbook's step may answer with.
STEP_REFUSALS = (
    Outcome.INSTANCE_FULL,
    Outcome.NOT_STARTED,
    Outcome.ENDED,
    Outcome.CONFLICT,
    Outcome.NOT_ELIGIBLE,
    Outcome.LIMIT_REACHED,
)
