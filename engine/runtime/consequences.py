"""What follows: of each move of an order, and of a publication. The one page where a subsystem joins an order's life.

Static, in this order, in the transaction of what it follows: all of it happens or nothing does. A new subsystem adds
its lines here. Each is a plain function of the package that owns the tables it writes. What is no move follows
elsewhere: part of a price that an instance's success pays back is stream/apply.py's (`open_rebates`).

Money comes in at PAY, REFUSE, OWE_LATE and ASK_SEAT, is owed where `refunds.open_whole` stands, and is back at REFUND.
An order is fulfilled from PAY or RESEAT on, until OWE; PAID does not say that its group is complete.
"""

from collections.abc import Sequence

from engine.catalog.life import Published
from engine.money import refunds
from engine.orders import moves, stock
from engine.orders.moves import Consequence, Move
from engine.rewards import rewards
from engine.stream import gate_events, instances

# The hold is over and nobody has paid.
_GIVEN_UP: tuple[Consequence, ...] = (stock.give_back, rewards.void_unpaid, gate_events.tell_released)

OF_MOVES: dict[Move, tuple[Consequence, ...]] = {
    # paid in time: money/payments.py
    moves.PAY: (gate_events.tell_paid,),
    # nobody paid: orders/holds.py; the consumer gave it back: orders/orders.py
    moves.EXPIRE: _GIVEN_UP,
    moves.CANCEL: _GIVEN_UP,
    # the playbook refused the payment, or its instance has failed: stream/follow.py, in the drain's transaction
    moves.OWE: (stock.give_back, rewards.void_refunded, gate_events.tell_released, refunds.open_whole),
    # paid by somebody who has become a veteran since the click: money/payments.py
    moves.REFUSE: (stock.give_back, rewards.void_refunded, gate_events.tell_released, refunds.open_whole),
    # paid after the hold was over: money/payments.py; a playbook that reseats is asked first
    moves.OWE_LATE: (refunds.open_whole,),
    moves.ASK_SEAT: (gate_events.tell_late,),
    # what the gate answered to that: stream/late.py; or nobody did for ten minutes: stream/dispatch.py
    moves.TURN_AWAY: (refunds.open_whole, gate_events.stop_asking),
    moves.RESEAT: (stock.take,),
    # the provider says that all of it is paid back: money/refunds.py
    moves.REFUND: (),
    # a fenced-off writer's click was repeated and accepted: orders/births.py
    moves.REVIVE: (stock.take,),
}

OF_PUBLICATION: Sequence[Published] = (stock.open_stock, instances.open_sessions)
