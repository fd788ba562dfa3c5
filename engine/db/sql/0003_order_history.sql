-- An order's history, and the stock of sessions in a table of its own, so that each table is written by one package.

-- One row for each move of an order from a status to another, written by the statement that makes it
-- (engine/orders/moves.py). A birth is no move. Orders older than this table begin their history where they were.
CREATE TABLE order_events (
    order_id    uuid NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    from_status text NOT NULL,
    to_status   text NOT NULL,
    why         text NOT NULL,
    by_whom     text NOT NULL,             -- a person's id, a provider, or the part of wanfa that decided
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, id)
);

CREATE FUNCTION refuse_to_rewrite_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order_events is append-only';
END
$$;
CREATE TRIGGER order_events_append_only BEFORE UPDATE OR DELETE ON order_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();

-- A payment came late and the gate was asked for another seat: until it has answered, the money waits.
ALTER TABLE orders ADD COLUMN seat_asked boolean NOT NULL DEFAULT false;
UPDATE orders SET seat_asked = true
 WHERE status = 'REFUNDING' AND reason = 'LATE_PAYMENT'
   AND NOT EXISTS (SELECT FROM refunds WHERE refunds.order_id = orders.id);

CREATE TABLE session_stock (               -- of sessions that have stock of their own
    instance_id text PRIMARY KEY,
    config_id   text NOT NULL REFERENCES stock,
    total       int NOT NULL,
    reserved    int NOT NULL DEFAULT 0,    -- units of orders HELD or PAID
    CONSTRAINT session_not_oversold CHECK (reserved BETWEEN 0 AND total)
) WITH (fillfactor = 50);
CREATE INDEX session_stock_of_config ON session_stock (config_id);
INSERT INTO session_stock (instance_id, config_id, total, reserved)
SELECT id, config_id, stock, reserved FROM instances WHERE stock IS NOT NULL;
ALTER TABLE instances DROP COLUMN stock, DROP COLUMN reserved;
