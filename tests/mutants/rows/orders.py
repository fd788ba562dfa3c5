"""Orders: how they are born, how they move and what follows, who holds which units."""

from tests.mutants.row import row

STOCK = "engine/orders/stock.py"
HOLDS = "engine/orders/holds.py"
ORDERS = "engine/orders/orders.py"


ROWS = (
    row(
        "stock is locked in no order",
        STOCK,
        '["config_id"] for row in moved]\n    await lock_stock(connection, sorted(set(configs)))',
        '["config_id"] for row in moved]\n    await lock_stock(connection, list(set(configs)))',
        "tests/integration/orders",
        equivalent="the statement itself orders what it locks",
    ),
    row(
        "two sweepers take the same holds",
        HOLDS,
        "LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        "LIMIT $1",
        "tests/integration/orders",
        equivalent="the move itself is guarded by the status that it leaves: the second one moves nothing",
    ),
    row(
        "an order is cancelled without its row being locked",
        ORDERS,
        " AND prepaid = $3 FOR NO KEY UPDATE",
        " AND prepaid = $3",
        "tests/integration/orders",
        equivalent=(
            "the move itself is guarded by the status that it leaves, and who begins a payment locks "
            "the row and looks again"
        ),
    ),
    row(
        "anybody may cancel an order",
        ORDERS,
        "id = $1 AND user_id = $2 AND status = 'HELD'",
        "id = $1 AND $2::text IS NOT NULL AND status = 'HELD'",
        "tests/integration/orders",
        equivalent="the order was read as the caller's own a moment before, and never changes hands",
    ),
)
