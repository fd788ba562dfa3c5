"""What follows: of each move of an order, and of a publication. The one page where a subsystem joins an order's life.

Static, in this order, in the transaction of what it follows: all of it happens or nothing does. A new subsystem adds
a line here and nothing elsewhere. Each is a plain function of the package that owns the tables it writes.
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
    moves.PAY: (gate_events.tell_paid,),
    moves.EXPIRE: _GIVEN_UP,
    moves.CANCEL: _GIVEN_UP,
    moves.OWE: (stock.give_back, rewards.void_refunded, gate_events.tell_released, refunds.open_whole),
    moves.OWE_LATE: (refunds.open_whole,),
    moves.ASK_SEAT: (gate_events.tell_late,),
    moves.TURN_AWAY: (refunds.open_whole, gate_events.stop_asking),
    moves.RESEAT: (stock.take,),
    moves.REFUND: (),
    moves.REVIVE: (stock.take,),
}

OF_PUBLICATION: Sequence[Published] = (stock.open_stock, instances.open_sessions)
