"""A referral waits for its first friend who pays, collects more, and succeeds with the last one or fails in the end.

Orders stay whatever becomes of it: a friend has bought the goods, not a place.
"""

from engine.sdk import States, Status

STATES = States(
    moves={
        Status.PENDING: (Status.ACTIVE, Status.SUCCESS, Status.FAILED),
        Status.ACTIVE: (Status.SUCCESS, Status.FAILED),
        Status.FAILED: (Status.SUCCESS,),  # an order of the last minutes was paid for after the end
    },
)
