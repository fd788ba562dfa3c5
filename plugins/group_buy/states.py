"""A group waits for its first payment, fills, and succeeds or fails; a failed group pays everyone back."""

from engine.sdk import States, Status

STATES = States(
    moves={
        Status.PENDING: (Status.ACTIVE, Status.FAILED),
        Status.ACTIVE: (Status.SUCCESS, Status.FAILED),
    },
    orders={Status.FAILED: "refund"},
)
