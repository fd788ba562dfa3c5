"""Drafts, publication, what the gate is told; each store sees its own."""

from tests.mutants.row import row

LIFE = "engine/catalog/life.py"
DRAFTS = "engine/catalog/drafts.py"
SERVICES = "engine/catalog/services.py"
TEMPLATES = "engine/catalog/templates.py"
CONFIGS = "engine/catalog/configs.py"

LIVE = "tests/integration/live/test_live.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
MISSING_PLAYBOOKS = "tests/integration/playbooks/test_missing_playbooks.py::"
PLAY_CONFIG_LIFE = "tests/integration/catalog/test_play_config_life.py::"
PUBLISH_CHECKS = "tests/integration/catalog/test_publish_checks.py::"
ROLES = "tests/integration/access/test_roles.py::"
RULE_UPGRADES = "tests/integration/catalog/test_rule_upgrades.py::"
STATUS_ROWS = "tests/integration/catalog/test_status_rows.py::"
WINDOWS = "tests/unit/catalog/test_windows.py::"

ROWS = (
    row(
        "a store may publish another store's draft",
        LIFE,
        'LOCK_OF_STORE = "SELECT 1 FROM play_configs WHERE id = $1 AND store_id = $2 FOR NO KEY UPDATE"',
        ('LOCK_OF_STORE = "SELECT 1 FROM play_configs WHERE id = $1 AND $2::text IS NOT NULL FOR NO KEY UPDATE"'),
        ROLES + "test_every_route_lets_in_its_roles_and_nobody_else",
    ),
    row(
        "two changes of a config may happen at once",
        LIFE,
        'AND store_id = $2 FOR NO KEY UPDATE"',
        'AND store_id = $2"',
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "two tell the gate of a config at once",
        LIFE,
        'LOCK = "SELECT 1 FROM play_configs WHERE id = $1 FOR NO KEY UPDATE"',
        'LOCK = "SELECT 1 FROM play_configs WHERE id = $1"',
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "what was published is published again",
        LIFE,
        '            if config.status != "DRAFT":\n                was',
        '            if config.status == "ENDED":\n                was',
        PLAY_CONFIG_LIFE + "test_no_other_move_is_possible",
    ),
    row(
        "what has ended goes on sale again",
        LIFE,
        '    "ENDED": (),\n}',
        '    "ENDED": ("PUBLISHED",),\n}',
        PLAY_CONFIG_LIFE + "test_no_other_move_is_possible",
    ),
    row(
        "a draft is paused",
        LIFE,
        'if config.status == "DRAFT" or status not in MAY_FOLLOW[config.status]:',
        'if config.status != "DRAFT" and status not in MAY_FOLLOW[config.status]:',
        PLAY_CONFIG_LIFE + "test_no_other_move_is_possible",
    ),
    row(
        "the gate is not told of a change",
        LIFE,
        "        await self._warm(config_id)\n        return await self._drafts",
        "        return await self._drafts",
        PLAY_CONFIG_LIFE + "test_a_published_config_reaches_consumers_within_300_ms",
    ),
    row(
        "a change that the gate has not heard of is forgotten",
        LIFE,
        "SET status = $2, paused_why = NULL, warm_pending = true,",
        "SET status = $2, paused_why = NULL,",
        PLAY_CONFIG_LIFE + "test_pause_resume_and_end_reach_the_gate_in_turn",
    ),
    row(
        "a publication that the gate has not heard of is forgotten",
        LIFE,
        "asks = $4, warm_pending = true,",
        "asks = $4,",
        PLAY_CONFIG_LIFE + "test_a_published_config_reaches_consumers_within_300_ms",
    ),
    row(
        "a store is told that it failed when the gate is away",
        LIFE,
        '            except (Unavailable, TimeoutError) as error:\n                log.warning("config',
        '            except ZeroDivisionError as error:\n                log.warning("config',
        PLAY_CONFIG_LIFE + "test_a_publication_stands_while_the_gate_is_closed_and_is_told_later",
    ),
    row(
        "the gate is told of a config again and again",
        LIFE,
        "            await conn.execute(WARMED, config_id)\n",
        "",
        PLAY_CONFIG_LIFE + "test_a_published_config_reaches_consumers_within_300_ms",
    ),
    row(
        "the gate is told again of sessions that it has touched",
        LIFE,
        "WHERE i.config_id = $1 AND rev = 0",
        "WHERE i.config_id = $1",
        "tests/integration/catalog/test_session_stock.py",
        equivalent="scripts/lua/warm.lua leaves a session that is there as it is",
    ),
    row(
        "a session has its stock in Postgres only",
        LIFE,
        '        left=row["stock"],\n',
        "",
        PUBLISH_CHECKS + "test_a_sessions_own_stock_reaches_row_and_gate",
    ),
    row(
        "a session is not woken until Redis was rebuilt",
        LIFE,
        'records.ms(row["wake_at"]) if row["wake_at"] else 0',
        "0",
        WINDOWS + "test_the_gate_is_told_all_of_a_session[wake_at0-3]",
    ),
    row(
        "a session has no target until Redis was rebuilt",
        LIFE,
        '        target=row["target"],',
        "        target=0,",
        WINDOWS + "test_the_gate_is_told_all_of_a_session[wake_at0-3]",
    ),
    row(
        "what starts in days is warmed up",
        LIFE,
        " AND starts_at <= now() + make_interval(mins => $1)",
        "\n   AND $1::int IS NOT NULL",
        PLAY_CONFIG_LIFE + "test_nothing_else_is_warmed_up",
    ),
    row(
        "what is on sale is warmed up",
        LIFE,
        "   AND starts_at > now() AND starts_at",
        "   AND starts_at",
        PLAY_CONFIG_LIFE + "test_nothing_else_is_warmed_up",
    ),
    row(
        "what was warmed up is warmed up again",
        LIFE,
        "status = 'PUBLISHED' AND NOT warmed_up\n",
        "status = 'PUBLISHED'\n",
        PLAY_CONFIG_LIFE + "test_a_config_is_warmed_up_once_shortly_before_its_start",
    ),
    row(
        "what its store paused goes on sale by itself",
        LIFE,
        "WHERE status = 'PAUSED' AND paused_why = $2 AND template",
        "WHERE status = 'PAUSED' AND $2::text IS NOT NULL AND template",
        STATUS_ROWS + "test_only_what_the_engine_paused_goes_on_sale_by_itself",
    ),
    row(
        "what is over goes on sale by itself",
        LIFE,
        " AND ends_at > now()\n",
        "\n",
        STATUS_ROWS + "test_only_what_the_engine_paused_goes_on_sale_by_itself",
    ),
    row(
        "a config whose playbook is missing stays on sale",
        LIFE,
        "WHERE status = 'PUBLISHED' AND template_code <> ALL",
        "WHERE status = 'DRAFT' AND template_code <> ALL",
        MISSING_PLAYBOOKS + "test_a_worker_that_starts_pauses_it_and_says_so",
    ),
    row(
        "what is over can be published",
        LIFE,
        "        check_window(config.starts_at, config.ends_at, datetime.now(UTC))\n        given",
        "        check_window(config.starts_at, config.ends_at)\n        given",
        PLAY_CONFIG_LIFE + "test_a_window_that_is_over_cannot_be_published",
    ),
    row(
        "what has no playbook can be resumed",
        LIFE,
        "                self._templates.check_loaded(config.template_code)\n",
        "",
        MISSING_PLAYBOOKS + "test_it_cannot_be_resumed_while_it_is_missing",
    ),
    row(
        "a template that is off can be published",
        LIFE,
        "            playbook = await self._templates.usable(conn, config.template_code, store_id)\n",
        "            playbook = self._templates._playbooks.loaded[config.template_code]\n",
        PLAY_CONFIG_LIFE + "test_a_template_switched_off_can_be_neither_drafted_nor_published_nor_resumed",
    ),
    row(
        "a template that is off can be resumed",
        LIFE,
        "                await self._templates.usable(conn, config.template_code, store_id)\n",
        "",
        PLAY_CONFIG_LIFE + "test_a_template_switched_off_can_be_neither_drafted_nor_published_nor_resumed",
    ),
    row(
        "what a playbook finds wrong is published",
        LIFE,
        (
            "        check_offer(playbook, rules, Offer(price_fen=config.price_fen, "
            "stock=config.stock, window=window))\n"
        ),
        "",
        PUBLISH_CHECKS + "test_problems_beyond_the_schema_are_named",
    ),
    row(
        "rules are published as the store wrote them",
        LIFE,
        "        filled = msgspec.to_builtins(rules, str_keys=True)",
        "        filled = given",
        PLAY_CONFIG_LIFE + "test_a_published_config_reaches_consumers_within_300_ms",
    ),
    row(
        "which facts its clicks carry is not kept",
        LIFE,
        "playbook.version, asks_of(playbook, rules))",
        "playbook.version, [])",
        PUBLISH_CHECKS + "test_a_playbook_that_fails_publishes_nothing",
    ),
    row(
        "a store reads another store's product",
        DRAFTS,
        'OF_STORE = "SELECT id FROM play_configs WHERE id = $1 AND store_id = $2"',
        'OF_STORE = "SELECT id FROM play_configs WHERE id = $1 AND $2::text IS NOT NULL"',
        ROLES + "test_every_route_lets_in_its_roles_and_nobody_else",
    ),
    row(
        "a store changes another store's draft",
        DRAFTS,
        ' WHERE id = $1 AND store_id = $2 AND status = \'DRAFT\'\n"""',
        ' WHERE id = $1 AND $2::text IS NOT NULL AND status = \'DRAFT\'\n"""',
        "tests/integration/access/test_roles.py",
        equivalent="`edit` has read the draft as the store's own before, and it never changes hands",
    ),
    row(
        "a store deletes another store's draft",
        DRAFTS,
        "DELETE FROM play_configs WHERE id = $1 AND store_id = $2 AND status",
        "DELETE FROM play_configs WHERE id = $1 AND $2::text IS NOT NULL AND status",
        "tests/integration/access/test_roles.py",
        equivalent="`delete` has read the draft as the store's own before, and it never changes hands",
    ),
    row(
        "a store's list shows every store's products",
        DRAFTS,
        " WHERE store_id = $1 AND ($2::timestamptz",
        " WHERE $1::text IS NOT NULL AND ($2::timestamptz",
        ROLES + "test_no_list_shows_another_stores_rows",
    ),
    row(
        "what is on sale can be changed",
        DRAFTS,
        ' WHERE id = $1 AND store_id = $2 AND status = \'DRAFT\'\n"""',
        ' WHERE id = $1 AND store_id = $2\n"""',
        PLAY_CONFIG_LIFE + "test_only_a_draft_can_be_changed_or_deleted",
    ),
    row(
        "what is on sale can be deleted",
        DRAFTS,
        "store_id = $2 AND status = 'DRAFT'\"",
        'store_id = $2"',
        PLAY_CONFIG_LIFE + "test_only_a_draft_can_be_changed_or_deleted",
    ),
    row(
        "a store's list begins with the oldest",
        DRAFTS,
        " ORDER BY created_at DESC, id DESC LIMIT $4",
        " ORDER BY created_at, id LIMIT $4",
        PLAY_CONFIG_LIFE + "test_lists_are_paged_without_gaps_or_repeats",
    ),
    row(
        "a page of products is in no order",
        DRAFTS,
        "        configs.sort(key=lambda config: (config.created_at, config.id), reverse=True)\n",
        "",
        PLAY_CONFIG_LIFE + "test_lists_are_paged_without_gaps_or_repeats",
    ),
    row(
        "a sale may end when it starts",
        DRAFTS,
        "    if ends_at <= starts_at:",
        "    if ends_at < starts_at:",
        WINDOWS + "test_any_other_is_refused_with_its_field[empty]",
    ),
    row(
        "a draft may be of a template that is off",
        DRAFTS,
        "        playbook = await self._templates.usable(self._pool, draft.template_code, store_id)\n",
        "        playbook = self._templates._playbooks.loaded[draft.template_code]\n",
        PLAY_CONFIG_LIFE + "test_a_template_switched_off_can_be_neither_drafted_nor_published_nor_resumed",
    ),
    row(
        "rules that nobody has touched count as of the newest version",
        DRAFTS,
        "draft, current.rules_version if same else None)",
        "draft, None)",
        RULE_UPGRADES + "test_a_draft_that_cannot_be_upgraded_stays_as_it_is_and_says_so[boom]",
    ),
    row(
        "two upgrade a draft at once",
        DRAFTS,
        "status = 'DRAFT' FOR NO KEY UPDATE\"",
        "status = 'DRAFT'\"",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "what is on sale is upgraded",
        DRAFTS,
        'if config.status != "DRAFT" or playbook is None:',
        "if playbook is None:",
        RULE_UPGRADES + "test_what_is_on_sale_keeps_its_rules",
    ),
    row(
        "an upgrade forgets its version",
        DRAFTS,
        "return replace(config, rules=rules, rules_version=playbook.version)",
        "return replace(config, rules=rules)",
        RULE_UPGRADES + "test_a_draft_is_read_as_the_new_version_wants_it",
    ),
    row(
        "an upgrade stops after its first hundred",
        DRAFTS,
        "            last = found[-1]\n",
        '            last = "~"\n',
        RULE_UPGRADES + "test_a_worker_that_starts_upgrades_all_drafts",
    ),
    row(
        "a store reads another store's service",
        SERVICES,
        '"SELECT * FROM services WHERE id = $1 AND store_id = $2"',
        '"SELECT * FROM services WHERE id = $1 AND $2::text IS NOT NULL"',
        ROLES + "test_every_route_lets_in_its_roles_and_nobody_else",
    ),
    row(
        "a store's list shows every store's services",
        SERVICES,
        "WHERE store_id = $1 AND ($2::text",
        "WHERE $1::text IS NOT NULL AND ($2::text",
        ROLES + "test_no_list_shows_another_stores_rows",
    ),
    row(
        "a store may use templates that are for others",
        TEMPLATES,
        "return template.enabled and (template.store_ids is None or store_id in template.store_ids)",
        "return template.enabled",
        PLAY_CONFIG_LIFE + "test_a_template_switched_off_can_be_neither_drafted_nor_published_nor_resumed",
    ),
    row(
        "a process shows drafts to consumers",
        CONFIGS,
        "   AND (NOT $2 OR c.status <> 'DRAFT')\n",
        "   AND $2::bool IS NOT NULL\n",
        LIVE + "test_a_config_announced_before_its_row_can_be_seen_appears_with_it",
    ),
    row(
        "the gate is not told of the limit",
        CONFIGS,
        'limit=config.rules["limitPerPerson"],',
        "limit=0,",
        PLAY_CONFIG_LIFE + "test_publishing_stores_the_defaults_and_tells_the_gate",
    ),
    row(
        "the gate is told that a paused config is on sale",
        CONFIGS,
        "status=HeadStatus[config.status],",
        "status=HeadStatus.PUBLISHED,",
        PLAY_CONFIG_LIFE + "test_pause_resume_and_end_reach_the_gate_in_turn",
    ),
)
