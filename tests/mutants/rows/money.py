"""Money: payments, refunds, rewards; and what hangs on who has paid."""

from tests.mutants.row import row

REFUNDS = "engine/money/refunds.py"


ROWS = (
    row(
        "an order gets its rebate anew after another refund",
        REFUNDS,
        "\n       AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id)",
        "",
        "tests/integration/money/test_money.py",
        equivalent="an order with a WHOLE refund is not PAID, and of REBATEs the key allows one",
    ),
)
