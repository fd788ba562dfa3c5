"""A session waits, sells, and ends: SUCCESS when something was paid for, FAILED when nothing was."""

from engine.sdk import States, Status

STATES = States(
    moves={
        Status.PENDING: (Status.ACTIVE, Status.FAILED),
        Status.ACTIVE: (Status.SUCCESS, Status.FAILED),
        Status.FAILED: (Status.SUCCESS,),
    },
)
