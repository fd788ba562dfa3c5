-- The order peer's table: wanfa's `orders` (engine/db/sql/0001_core.sql), the same columns and the same indexes.
CREATE TABLE peer_orders (
    id          uuid PRIMARY KEY,
    config_id   text NOT NULL,
    instance_id text NOT NULL,
    user_id     text NOT NULL,
    request_id  text NOT NULL,
    quantity    int NOT NULL CHECK (quantity > 0),
    amount_fen  bigint NOT NULL,
    status      text NOT NULL CHECK (status IN ('HELD', 'PAID', 'EXPIRED', 'CANCELLED', 'REFUNDING', 'REFUNDED')),
    reason      text,
    gate_state  smallint NOT NULL,
    prepaid     boolean NOT NULL DEFAULT false,
    fingerprint bigint NOT NULL,
    receipt     int[] NOT NULL,
    pay_before  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE INDEX peer_orders_of_user ON peer_orders (user_id, created_at);
CREATE INDEX peer_orders_of_instance ON peer_orders (config_id, instance_id);
CREATE INDEX peer_orders_overdue ON peer_orders (pay_before) WHERE status = 'HELD';
