-- The tables of the main job. Money is integer fen, times are timestamptz, ids are opaque text;
-- an order's id is 32 hexadecimal digits, stored as uuid (16 bytes).

CREATE TABLE shards (
    id     int PRIMARY KEY,
    epoch  bigint NOT NULL DEFAULT 0   -- raised by each recovery; older writers are fenced off
);

CREATE TABLE stores (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    city       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE staff (
    id            text PRIMARY KEY,
    username      text NOT NULL CONSTRAINT staff_username_once UNIQUE,
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('HQ', 'FINANCE', 'STORE', 'CLERK')),
    store_id      text REFERENCES stores,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((role IN ('STORE', 'CLERK')) = (store_id IS NOT NULL))
);

CREATE TABLE users (
    id         text PRIMARY KEY,
    openid     text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE templates (               -- what HQ decides about a loaded playbook
    code      text PRIMARY KEY,
    enabled   boolean NOT NULL DEFAULT true,
    store_ids text[]                   -- stores that may use it; NULL: every store
);

CREATE TABLE services (
    id              text PRIMARY KEY,
    store_id        text NOT NULL REFERENCES stores,
    name            text NOT NULL,
    asset_type      text NOT NULL CHECK (asset_type IN ('COURSE', 'SERVICE', 'GOODS')),
    unit_name       text NOT NULL,
    units_per_share int NOT NULL CHECK (units_per_share > 0),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX services_of_store ON services (store_id, id);

CREATE TABLE play_configs (
    id            text PRIMARY KEY,
    store_id      text NOT NULL REFERENCES stores,
    service_id    text NOT NULL REFERENCES services,
    template_code text NOT NULL,
    title         text NOT NULL,
    price_fen     bigint NOT NULL CHECK (price_fen BETWEEN 1 AND 100000000),
    stock         int NOT NULL CHECK (stock BETWEEN 1 AND 10000000),
    rules         jsonb NOT NULL,
    rules_version text NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL CHECK (ends_at > starts_at),
    status        text NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'PUBLISHED', 'PAUSED', 'ENDED')),
    shard         int NOT NULL REFERENCES shards,
    warm_pending  boolean NOT NULL DEFAULT false,  -- Redis does not know this version yet
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX play_configs_of_store ON play_configs (store_id, id);
CREATE INDEX play_configs_on_sale ON play_configs (shard, id) WHERE status <> 'DRAFT';
CREATE INDEX play_configs_to_warm ON play_configs (id) WHERE warm_pending;

CREATE TABLE stock (
    config_id text PRIMARY KEY REFERENCES play_configs,
    total     int NOT NULL,
    reserved  int NOT NULL DEFAULT 0,  -- units of orders HELD or PAID
    CONSTRAINT stock_not_oversold CHECK (reserved BETWEEN 0 AND total)
) WITH (fillfactor = 50);              -- updated once a batch: room for HOT updates

-- What Redis said of each instance, as of the last drained intent; `rev` orders the versions.
CREATE TABLE instances (
    id         text PRIMARY KEY,
    config_id  text NOT NULL REFERENCES play_configs,
    suffix     text NOT NULL,
    status     text NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'SUCCESS', 'FAILED')),
    current    int NOT NULL,
    target     int NOT NULL,
    wake_at    timestamptz,            -- when its `deadline` step wants to run
    cells      jsonb NOT NULL,
    rev        bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX instances_of_config ON instances (config_id);
CREATE INDEX instances_to_wake ON instances (wake_at)
    WHERE wake_at IS NOT NULL AND status IN ('PENDING', 'ACTIVE');

CREATE TABLE orders (
    id          uuid PRIMARY KEY,      -- a function of (config, user, requestId): engine/core/ids.py
    config_id   text NOT NULL,
    instance_id text NOT NULL,         -- in JSON sourceInstanceId
    user_id     text NOT NULL,
    request_id  text NOT NULL,
    quantity    int NOT NULL CHECK (quantity > 0),
    amount_fen  bigint NOT NULL,
    status      text NOT NULL CHECK (status IN ('HELD', 'PAID', 'EXPIRED', 'CANCELLED', 'REFUNDING', 'REFUNDED')),
    reason      text,                  -- why it ended, where the status alone does not say
    gate_state  smallint NOT NULL,     -- 0 released, 1 held, 2 paid: what Redis knows, as of the last drained intent
    prepaid     boolean NOT NULL DEFAULT false,  -- a payment was begun: ask the provider before releasing
    fingerprint bigint NOT NULL,
    receipt     int[] NOT NULL,        -- status, current, target that the click was answered with
    pay_before  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE INDEX orders_of_user ON orders (user_id, created_at);
CREATE INDEX orders_of_instance ON orders (config_id, instance_id);
CREATE INDEX orders_overdue ON orders (pay_before) WHERE status = 'HELD';

CREATE TABLE actions (                 -- clicks that changed an instance and hold no stock
    id          uuid PRIMARY KEY,
    config_id   text NOT NULL,
    instance_id text NOT NULL,
    user_id     text NOT NULL,
    request_id  text NOT NULL,
    verb        text NOT NULL,
    fingerprint bigint NOT NULL,
    receipt     int[] NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX actions_of_instance ON actions (config_id, instance_id);

-- What Postgres decided and Redis has still to follow. A row goes when the intent that the
-- event caused has come back through the stream, so an event outlives a Redis that forgot it.
CREATE TABLE gate_events (
    id         bigserial PRIMARY KEY,
    order_id   uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('paid', 'released')),
    config_id  text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    CONSTRAINT gate_events_once UNIQUE (order_id, kind)
);
CREATE INDEX gate_events_to_send ON gate_events (sent_at NULLS FIRST, id);

CREATE TABLE dead_intents (            -- stream entries that could not be applied; a person must look
    shard      int NOT NULL,
    entry_id   text NOT NULL,
    payload    bytea NOT NULL,
    error      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, entry_id)
);

CREATE TABLE payments (
    order_id       uuid PRIMARY KEY REFERENCES orders,
    provider       text NOT NULL,
    amount_fen     bigint NOT NULL,
    status         text NOT NULL CHECK (status IN ('OPEN', 'PAID', 'CLOSED')),
    transaction_id text CONSTRAINT payments_transaction_once UNIQUE,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE refunds (
    order_id        uuid PRIMARY KEY REFERENCES orders,
    refund_no       text NOT NULL CONSTRAINT refunds_number_once UNIQUE,
    amount_fen      bigint NOT NULL,
    status          text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'DONE', 'STUCK')),
    attempts        int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refunds_due ON refunds (next_attempt_at) WHERE status = 'PENDING';

CREATE TABLE sandbox_trades (          -- the sandbox provider's own ledger; plays the other company
    out_trade_no   text PRIMARY KEY,
    amount_fen     bigint NOT NULL,
    status         text NOT NULL CHECK (status IN ('OPEN', 'PAID', 'CLOSED', 'REFUNDED')),
    transaction_id text UNIQUE,
    refund_no      text UNIQUE,
    created_at     timestamptz NOT NULL DEFAULT now()
);
