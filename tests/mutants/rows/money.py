"""Money: payments, refunds, rewards; and what hangs on who has paid."""

from tests.mutants.row import row

REFUNDS = "engine/money/refunds.py"

REBATES = "tests/integration/money/test_rebates.py::"

ROWS = (
    row(
        "an order gets its rebate anew after another refund",
        REFUNDS,
        "\n       AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id)",
        "",
        "tests/integration/money/test_money.py",
        equivalent="an order with a WHOLE refund is not PAID, and of REBATEs the key allows one",
    ),
    row(
        "a rebate may be more than was paid",
        REFUNDS,
        "least(asked_fen, amount_fen)::bigint",
        "asked_fen::bigint",
        REBATES + "test_whatever_a_playbook_says_a_rebate_is_at_most_the_price",
    ),
    row(
        "an order is back before its rebate of all is",
        REFUNDS,
        "kind = 'REBATE' AND status = 'DONE')",
        "kind = 'REBATE')",
        REBATES + "test_an_order_is_not_back_before_its_rebate_of_all_is",
    ),
    row(
        "the provider is asked for a refund of nothing",
        REFUNDS,
        'if not row["amount_fen"]:',
        "if False:",
        REBATES + "test_of_a_rebate_of_all_nothing_is_left_to_pay_back",
    ),
)
