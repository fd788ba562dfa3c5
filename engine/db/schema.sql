-- Generated from the migrations in sql/; tests/integration/db/test_schema.py says how.

CREATE FUNCTION public.refuse_to_rewrite_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'order_events is append-only';
END
$$;

CREATE TABLE public.actions (
    id uuid NOT NULL,
    config_id text NOT NULL,
    instance_id text NOT NULL,
    user_id text NOT NULL,
    request_id text NOT NULL,
    verb text NOT NULL,
    fingerprint bigint NOT NULL,
    receipt integer[] NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.dead_intents (
    shard integer NOT NULL,
    entry_id text NOT NULL,
    payload bytea NOT NULL,
    error text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.gate_events (
    id bigint NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    config_id text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    CONSTRAINT gate_events_kind_check CHECK ((kind = ANY (ARRAY['paid'::text, 'released'::text, 'late'::text])))
);

CREATE SEQUENCE public.gate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.gate_events_id_seq OWNED BY public.gate_events.id;

CREATE TABLE public.instances (
    id text NOT NULL,
    config_id text NOT NULL,
    suffix text NOT NULL,
    status text NOT NULL,
    current integer NOT NULL,
    target integer NOT NULL,
    wake_at timestamp with time zone,
    cells jsonb NOT NULL,
    rev bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT instances_status_check CHECK ((status = ANY (ARRAY['PENDING'::text, 'ACTIVE'::text, 'SUCCESS'::text, 'FAILED'::text])))
)
WITH (fillfactor='70');

CREATE TABLE public.notices (
    source text NOT NULL,
    number integer NOT NULL,
    config_id text NOT NULL,
    instance_id text NOT NULL,
    user_id text NOT NULL,
    topic text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    status text DEFAULT 'QUEUED'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT notices_status_check CHECK ((status = ANY (ARRAY['QUEUED'::text, 'SENT'::text, 'DROPPED'::text])))
);

CREATE TABLE public.order_events (
    order_id uuid NOT NULL,
    id bigint NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL,
    why text NOT NULL,
    by_whom text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.order_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.order_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.orders (
    id uuid NOT NULL,
    config_id text NOT NULL,
    instance_id text NOT NULL,
    user_id text NOT NULL,
    request_id text NOT NULL,
    quantity integer NOT NULL,
    amount_fen bigint NOT NULL,
    status text NOT NULL,
    reason text,
    gate_state smallint NOT NULL,
    prepaid boolean DEFAULT false NOT NULL,
    fingerprint bigint NOT NULL,
    receipt integer[] NOT NULL,
    pay_before timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    reseated_at timestamp with time zone,
    seat_asked boolean DEFAULT false NOT NULL,
    CONSTRAINT orders_quantity_check CHECK ((quantity > 0)),
    CONSTRAINT orders_status_check CHECK ((status = ANY (ARRAY['HELD'::text, 'PAID'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'REFUNDING'::text, 'REFUNDED'::text])))
)
WITH (fillfactor='85');

CREATE TABLE public.payments (
    order_id uuid NOT NULL,
    provider text NOT NULL,
    amount_fen bigint NOT NULL,
    status text NOT NULL,
    transaction_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    payer text,
    ask_at timestamp with time zone,
    asks integer DEFAULT 0 NOT NULL,
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['OPEN'::text, 'PAID'::text, 'CLOSED'::text])))
);

CREATE TABLE public.people (
    config_id text NOT NULL,
    user_id text NOT NULL,
    cells jsonb NOT NULL,
    rev bigint NOT NULL
)
WITH (fillfactor='85');

CREATE TABLE public.play_configs (
    id text NOT NULL,
    store_id text NOT NULL,
    service_id text NOT NULL,
    template_code text NOT NULL,
    title text NOT NULL,
    price_fen bigint NOT NULL,
    stock integer NOT NULL,
    rules jsonb NOT NULL,
    rules_version text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    status text DEFAULT 'DRAFT'::text NOT NULL,
    shard integer NOT NULL,
    warm_pending boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    asks text[] DEFAULT '{}'::text[] NOT NULL,
    paused_why text,
    warmed_up boolean DEFAULT false NOT NULL,
    newcomer_verbs text[] DEFAULT '{}'::text[] NOT NULL,
    archived_at timestamp with time zone,
    warmed_ms bigint,
    forgotten_at timestamp with time zone,
    CONSTRAINT play_configs_check CHECK ((ends_at > starts_at)),
    CONSTRAINT play_configs_price_fen_check CHECK (((price_fen >= 1) AND (price_fen <= 100000000))),
    CONSTRAINT play_configs_status_check CHECK ((status = ANY (ARRAY['DRAFT'::text, 'PUBLISHED'::text, 'PAUSED'::text, 'ENDED'::text]))),
    CONSTRAINT play_configs_stock_check CHECK (((stock >= 1) AND (stock <= 10000000)))
);

CREATE TABLE public.refunds (
    order_id uuid NOT NULL,
    refund_no text NOT NULL,
    amount_fen bigint NOT NULL,
    status text DEFAULT 'PENDING'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    kind text DEFAULT 'WHOLE'::text NOT NULL,
    attempted_at timestamp with time zone,
    CONSTRAINT refunds_kind_check CHECK ((kind = ANY (ARRAY['WHOLE'::text, 'REBATE'::text]))),
    CONSTRAINT refunds_status_check CHECK ((status = ANY (ARRAY['PENDING'::text, 'DONE'::text, 'STUCK'::text])))
);

CREATE TABLE public.rewards (
    source text NOT NULL,
    number integer NOT NULL,
    config_id text NOT NULL,
    instance_id text NOT NULL,
    order_id uuid,
    user_id text NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    status text DEFAULT 'FROZEN'::text NOT NULL,
    reason text,
    unfreezes_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rewards_amount_check CHECK ((amount > 0)),
    CONSTRAINT rewards_kind_check CHECK ((kind = ANY (ARRAY['ASSET'::text, 'CREDIT'::text, 'CASH'::text]))),
    CONSTRAINT rewards_status_check CHECK ((status = ANY (ARRAY['FROZEN'::text, 'GRANTED'::text, 'FLAGGED'::text, 'VOID'::text])))
);

CREATE TABLE public.sandbox_refunds (
    refund_no text NOT NULL,
    out_trade_no text NOT NULL,
    amount_fen bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sandbox_refunds_amount_fen_check CHECK ((amount_fen > 0))
);

CREATE TABLE public.sandbox_trades (
    out_trade_no text NOT NULL,
    amount_fen bigint NOT NULL,
    status text NOT NULL,
    transaction_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payer text,
    CONSTRAINT sandbox_trades_status_check CHECK ((status = ANY (ARRAY['OPEN'::text, 'PAID'::text, 'CLOSED'::text, 'REFUNDED'::text])))
);

CREATE TABLE public.schema_migrations (
    namespace text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.services (
    id text NOT NULL,
    store_id text NOT NULL,
    name text NOT NULL,
    asset_type text NOT NULL,
    unit_name text NOT NULL,
    units_per_share integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT services_asset_type_check CHECK ((asset_type = ANY (ARRAY['COURSE'::text, 'SERVICE'::text, 'GOODS'::text]))),
    CONSTRAINT services_units_per_share_check CHECK ((units_per_share > 0))
);

CREATE TABLE public.session_stock (
    instance_id text NOT NULL,
    config_id text NOT NULL,
    total integer NOT NULL,
    reserved integer DEFAULT 0 NOT NULL,
    CONSTRAINT session_not_oversold CHECK (((reserved >= 0) AND (reserved <= total)))
)
WITH (fillfactor='50');

CREATE TABLE public.shards (
    id integer NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.staff (
    id text NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL,
    store_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT staff_check CHECK (((role = ANY (ARRAY['STORE'::text, 'CLERK'::text])) = (store_id IS NOT NULL))),
    CONSTRAINT staff_role_check CHECK ((role = ANY (ARRAY['HQ'::text, 'FINANCE'::text, 'STORE'::text, 'CLERK'::text])))
);

CREATE TABLE public.stock (
    config_id text NOT NULL,
    total integer NOT NULL,
    reserved integer DEFAULT 0 NOT NULL,
    CONSTRAINT stock_not_oversold CHECK (((reserved >= 0) AND (reserved <= total)))
)
WITH (fillfactor='50');

CREATE TABLE public.stores (
    id text NOT NULL,
    name text NOT NULL,
    city text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.stray_payments (
    transaction_id text NOT NULL,
    order_id text NOT NULL,
    provider text NOT NULL,
    amount_fen bigint NOT NULL,
    currency text NOT NULL,
    payer text,
    why text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone,
    settled_by text,
    CONSTRAINT stray_payments_why_check CHECK ((why = ANY (ARRAY['UNKNOWN_ORDER'::text, 'PAID_ALREADY'::text, 'OTHER_CURRENCY'::text, 'OTHER_AMOUNT'::text, 'TRANSACTION_OF_ANOTHER'::text])))
);

CREATE TABLE public.templates (
    code text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    store_ids text[]
);

CREATE TABLE public.users (
    id text NOT NULL,
    openid text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.gate_events ALTER COLUMN id SET DEFAULT nextval('public.gate_events_id_seq'::regclass);

ALTER TABLE ONLY public.actions
    ADD CONSTRAINT actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dead_intents
    ADD CONSTRAINT dead_intents_pkey PRIMARY KEY (shard, entry_id);

ALTER TABLE ONLY public.gate_events
    ADD CONSTRAINT gate_events_once UNIQUE (order_id, kind);

ALTER TABLE ONLY public.gate_events
    ADD CONSTRAINT gate_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notices
    ADD CONSTRAINT notices_pkey PRIMARY KEY (source, number);

ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_pkey PRIMARY KEY (order_id, id);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (order_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_transaction_once UNIQUE (transaction_id);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (config_id, user_id);

ALTER TABLE ONLY public.play_configs
    ADD CONSTRAINT play_configs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_number_once UNIQUE (refund_no);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (order_id, kind);

ALTER TABLE ONLY public.rewards
    ADD CONSTRAINT rewards_pkey PRIMARY KEY (source, number);

ALTER TABLE ONLY public.sandbox_refunds
    ADD CONSTRAINT sandbox_refunds_pkey PRIMARY KEY (refund_no);

ALTER TABLE ONLY public.sandbox_trades
    ADD CONSTRAINT sandbox_trades_pkey PRIMARY KEY (out_trade_no);

ALTER TABLE ONLY public.sandbox_trades
    ADD CONSTRAINT sandbox_trades_transaction_id_key UNIQUE (transaction_id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (namespace, number);

ALTER TABLE ONLY public.services
    ADD CONSTRAINT services_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.session_stock
    ADD CONSTRAINT session_stock_pkey PRIMARY KEY (instance_id);

ALTER TABLE ONLY public.shards
    ADD CONSTRAINT shards_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_username_once UNIQUE (username);

ALTER TABLE ONLY public.stock
    ADD CONSTRAINT stock_pkey PRIMARY KEY (config_id);

ALTER TABLE ONLY public.stores
    ADD CONSTRAINT stores_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.stray_payments
    ADD CONSTRAINT stray_payments_pkey PRIMARY KEY (transaction_id, order_id);

ALTER TABLE ONLY public.templates
    ADD CONSTRAINT templates_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_openid_key UNIQUE (openid);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX actions_of_instance ON public.actions USING btree (config_id, instance_id);

CREATE INDEX actions_of_user ON public.actions USING btree (user_id, created_at);

CREATE INDEX gate_events_to_send ON public.gate_events USING btree (sent_at NULLS FIRST, id);

CREATE INDEX instances_of_config ON public.instances USING btree (config_id);

CREATE INDEX instances_to_wake ON public.instances USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::text, 'ACTIVE'::text])));

CREATE INDEX instances_waiting ON public.instances USING btree (config_id) WHERE ((wake_at IS NOT NULL) AND (status = ANY (ARRAY['PENDING'::text, 'ACTIVE'::text])));

CREATE INDEX notices_due ON public.notices USING btree (due_at) WHERE (status = 'QUEUED'::text);

CREATE INDEX orders_of_instance ON public.orders USING btree (config_id, instance_id);

CREATE INDEX orders_of_user ON public.orders USING btree (user_id, created_at);

CREATE INDEX orders_overdue ON public.orders USING btree (pay_before) WHERE (status = 'HELD'::text);

CREATE INDEX payments_of_payer ON public.payments USING btree (payer) WHERE (payer IS NOT NULL);

CREATE INDEX payments_to_ask ON public.payments USING btree (ask_at) WHERE (ask_at IS NOT NULL);

CREATE INDEX people_of_address ON public.people USING btree (config_id, ((cells ->> 'address'::text))) WHERE (cells ? 'address'::text);

CREATE INDEX people_of_device ON public.people USING btree (config_id, ((cells ->> 'device'::text))) WHERE (cells ? 'device'::text);

CREATE INDEX play_configs_ended ON public.play_configs USING btree (id) WHERE ((status = 'ENDED'::text) AND (archived_at IS NULL));

CREATE INDEX play_configs_live ON public.play_configs USING btree (shard, id) WHERE ((status <> 'DRAFT'::text) AND (archived_at IS NULL));

CREATE INDEX play_configs_of_store ON public.play_configs USING btree (store_id, id);

CREATE INDEX play_configs_paused_by_us ON public.play_configs USING btree (template_code) WHERE (paused_why IS NOT NULL);

CREATE INDEX play_configs_to_archive ON public.play_configs USING btree (ends_at) WHERE ((status <> 'DRAFT'::text) AND (archived_at IS NULL));

CREATE INDEX play_configs_to_forget ON public.play_configs USING btree (id) WHERE ((archived_at IS NOT NULL) AND (forgotten_at IS NULL));

CREATE INDEX play_configs_to_warm ON public.play_configs USING btree (id) WHERE warm_pending;

CREATE INDEX play_configs_to_warm_up ON public.play_configs USING btree (starts_at) WHERE ((status = 'PUBLISHED'::text) AND (NOT warmed_up));

CREATE INDEX refunds_due ON public.refunds USING btree (next_attempt_at) WHERE (status = 'PENDING'::text);

CREATE INDEX refunds_stuck ON public.refunds USING btree (created_at) WHERE (status = 'STUCK'::text);

CREATE INDEX rewards_due ON public.rewards USING btree (unfreezes_at) WHERE (status = 'FROZEN'::text);

CREATE INDEX rewards_of_order ON public.rewards USING btree (order_id);

CREATE INDEX rewards_of_status ON public.rewards USING btree (status, created_at);

CREATE INDEX rewards_of_user ON public.rewards USING btree (user_id, created_at);

CREATE INDEX services_of_store ON public.services USING btree (store_id, id);

CREATE INDEX session_stock_of_config ON public.session_stock USING btree (config_id);

CREATE INDEX stray_payments_waiting ON public.stray_payments USING btree (created_at, transaction_id, order_id) WHERE (settled_at IS NULL);

CREATE TRIGGER order_events_append_only BEFORE DELETE OR UPDATE ON public.order_events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_rewrite_history();

ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_config_id_fkey FOREIGN KEY (config_id) REFERENCES public.play_configs(id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.play_configs
    ADD CONSTRAINT play_configs_service_id_fkey FOREIGN KEY (service_id) REFERENCES public.services(id);

ALTER TABLE ONLY public.play_configs
    ADD CONSTRAINT play_configs_shard_fkey FOREIGN KEY (shard) REFERENCES public.shards(id);

ALTER TABLE ONLY public.play_configs
    ADD CONSTRAINT play_configs_store_id_fkey FOREIGN KEY (store_id) REFERENCES public.stores(id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_order_id_fkey FOREIGN KEY (order_id) REFERENCES public.orders(id);

ALTER TABLE ONLY public.sandbox_refunds
    ADD CONSTRAINT sandbox_refunds_out_trade_no_fkey FOREIGN KEY (out_trade_no) REFERENCES public.sandbox_trades(out_trade_no);

ALTER TABLE ONLY public.services
    ADD CONSTRAINT services_store_id_fkey FOREIGN KEY (store_id) REFERENCES public.stores(id);

ALTER TABLE ONLY public.session_stock
    ADD CONSTRAINT session_stock_config_id_fkey FOREIGN KEY (config_id) REFERENCES public.stock(config_id);

ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_store_id_fkey FOREIGN KEY (store_id) REFERENCES public.stores(id);

ALTER TABLE ONLY public.stock
    ADD CONSTRAINT stock_config_id_fkey FOREIGN KEY (config_id) REFERENCES public.play_configs(id);
