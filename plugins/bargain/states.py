"""A bargain waits for its first cut or order, is under way, and is bought or runs out."""

from engine.sdk import States, Status

STATES = States(
    moves={
        Status.PENDING: (Status.ACTIVE, Status.FAILED),
        Status.ACTIVE: (Status.SUCCESS, Status.FAILED),
    },
)
