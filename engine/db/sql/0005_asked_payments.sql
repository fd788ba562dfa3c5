-- Money that nobody told us of is found by asking; money that no order takes waits for a person.

-- When the provider is asked about a payment next; NULL: it is paid, or certain never to be.
ALTER TABLE payments
    ADD COLUMN ask_at timestamptz,
    ADD COLUMN asks   int NOT NULL DEFAULT 0;              -- answers "not paid" since it was closed
UPDATE payments SET ask_at = now() WHERE status <> 'PAID';
CREATE INDEX payments_to_ask ON payments (ask_at) WHERE ask_at IS NOT NULL;

-- A payment that a provider says was made and that is no order's; a person decides.
CREATE TABLE stray_payments (
    transaction_id text NOT NULL,                          -- the provider's
    order_id       text NOT NULL,                          -- as the provider names it, perhaps none of ours
    provider       text NOT NULL,
    amount_fen     bigint NOT NULL,
    currency       text NOT NULL,
    payer          text,
    why            text NOT NULL
        CHECK (why IN ('UNKNOWN_ORDER', 'PAID_ALREADY', 'OTHER_CURRENCY', 'OTHER_AMOUNT', 'TRANSACTION_OF_ANOTHER')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    settled_at     timestamptz,                            -- when somebody has dealt with it, and who
    settled_by     text,
    PRIMARY KEY (transaction_id, order_id)
);
CREATE INDEX stray_payments_waiting ON stray_payments (created_at, transaction_id, order_id) WHERE settled_at IS NULL;

-- Verbs whose orders only newcomers may have, fixed at publication. What is on sale already keeps its rule at the click.
ALTER TABLE play_configs ADD COLUMN newcomer_verbs text[] NOT NULL DEFAULT '{}';
