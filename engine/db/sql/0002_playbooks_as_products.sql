-- What playbooks may keep and promise beyond an instance's cells: people's own cells, stock per session,
-- rewards, notices; money paid back in part; late payments that find another instance.

ALTER TABLE play_configs
    ADD COLUMN asks text[] NOT NULL DEFAULT '{}',          -- facts that its clicks carry, fixed at publication
    ADD COLUMN paused_why text,                            -- why the engine paused it; NULL when the store did
    ADD COLUMN warmed_up boolean NOT NULL DEFAULT false;   -- told to Redis once more shortly before the start
CREATE INDEX play_configs_to_warm_up ON play_configs (starts_at) WHERE status = 'PUBLISHED' AND NOT warmed_up;
CREATE INDEX play_configs_paused_by_us ON play_configs (template_code) WHERE paused_why IS NOT NULL;

ALTER TABLE instances
    ADD COLUMN stock    int,                               -- of a session with stock of its own
    ADD COLUMN reserved int NOT NULL DEFAULT 0,            -- units of orders HELD or PAID, counted only with a stock
    ADD CONSTRAINT session_not_oversold CHECK (stock IS NULL OR reserved BETWEEN 0 AND stock);
CREATE INDEX sessions_with_stock ON instances (config_id) WHERE stock IS NOT NULL;

-- When, by Redis' clock, a late payment found another instance: what Redis answered before that is out of date.
ALTER TABLE orders ADD COLUMN reseated_at timestamptz;

-- What a playbook remembers of a person on one config, as of the last drained intent.
CREATE TABLE people (
    config_id text NOT NULL,
    user_id   text NOT NULL,
    cells     jsonb NOT NULL,
    rev       bigint NOT NULL,
    PRIMARY KEY (config_id, user_id)
) WITH (fillfactor = 85);
CREATE INDEX people_of_device ON people (config_id, (cells ->> 'device')) WHERE cells ? 'device';
CREATE INDEX people_of_address ON people (config_id, (cells ->> 'address')) WHERE cells ? 'address';

-- What a step has promised somebody. (source, number) is one promise of one run of a step, however often it is drained.
CREATE TABLE rewards (
    source       text NOT NULL,
    number       int NOT NULL,
    config_id    text NOT NULL,
    instance_id  text NOT NULL,
    order_id     uuid,                                     -- void when this order is paid back before it is granted
    user_id      text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('ASSET', 'CREDIT', 'CASH')),
    amount       bigint NOT NULL CHECK (amount > 0),       -- ASSET: units; CREDIT and CASH: fen
    status       text NOT NULL DEFAULT 'FROZEN' CHECK (status IN ('FROZEN', 'GRANTED', 'FLAGGED', 'VOID')),
    reason       text,                                     -- why it was flagged or is void
    unfreezes_at timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, number)
);
CREATE INDEX rewards_of_user ON rewards (user_id, created_at);
CREATE INDEX rewards_of_order ON rewards (order_id);
CREATE INDEX rewards_due ON rewards (unfreezes_at) WHERE status = 'FROZEN';
CREATE INDEX rewards_of_status ON rewards (status, created_at);

CREATE TABLE notices (                                     -- messages to people, due at a moment
    source       text NOT NULL,
    number       int NOT NULL,
    config_id    text NOT NULL,
    instance_id  text NOT NULL,
    user_id      text NOT NULL,
    topic        text NOT NULL,
    due_at       timestamptz NOT NULL,
    status       text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'SENT', 'DROPPED')),
    attempts     int NOT NULL DEFAULT 0,
    attempted_at timestamptz,                              -- of the last attempt
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, number)
);
CREATE INDEX notices_due ON notices (due_at) WHERE status = 'QUEUED';

ALTER TABLE gate_events DROP CONSTRAINT gate_events_kind_check;
ALTER TABLE gate_events ADD CONSTRAINT gate_events_kind_check CHECK (kind IN ('paid', 'released', 'late'));

-- An order may be paid back twice: a part of its price (REBATE), and what is left of it (WHOLE).
ALTER TABLE refunds DROP CONSTRAINT refunds_pkey;
ALTER TABLE refunds ADD COLUMN kind text NOT NULL DEFAULT 'WHOLE' CHECK (kind IN ('WHOLE', 'REBATE'));
ALTER TABLE refunds ADD PRIMARY KEY (order_id, kind);
ALTER TABLE refunds ADD COLUMN attempted_at timestamptz;   -- when the provider was last asked, or answered

ALTER TABLE payments ADD COLUMN payer text;                -- who paid, as the provider names them
CREATE INDEX payments_of_payer ON payments (payer) WHERE payer IS NOT NULL;

ALTER TABLE sandbox_trades ADD COLUMN payer text;
CREATE TABLE sandbox_refunds (                             -- the sandbox provider's own ledger
    refund_no    text PRIMARY KEY,
    out_trade_no text NOT NULL REFERENCES sandbox_trades,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    created_at   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO sandbox_refunds (refund_no, out_trade_no, amount_fen)
SELECT refund_no, out_trade_no, amount_fen FROM sandbox_trades WHERE refund_no IS NOT NULL;
ALTER TABLE sandbox_trades DROP COLUMN refund_no;
