"""Rewards, messages, reports, and who is new."""

from tests.mutants.row import row

REWARDS = "engine/rewards/rewards.py"
NOTICES = "engine/notices/notices.py"
REPORTS = "engine/reports/reports.py"
NEWCOMERS = "engine/admission/newcomers.py"
ADMISSION = "engine/admission/admission.py"

ASKING = "tests/unit/admission/test_asking.py::"
HOT_FACTS = "tests/integration/api/test_hot_facts.py::"
LOCKS = "tests/integration/orders/test_locks.py::"
PROMISES = "tests/integration/stream/test_promises.py::"
TESTS_OF_NEWCOMERS = "tests/integration/admission/test_newcomers.py::"
TESTS_OF_NOTICES = "tests/integration/notices/test_notices.py::"
TESTS_OF_REPORTS = "tests/integration/reports/test_reports.py::"
TESTS_OF_REWARDS = "tests/integration/rewards/test_rewards.py::"

ROWS = (
    row(
        "what is void for an order that was not paid says that it was paid back",
        REWARDS,
        '[row["id"] for row in moved], "ORDER_NOT_PAID")',
        '[row["id"] for row in moved], "ORDER_REFUNDED")',
        PROMISES + "test_a_reward_for_an_order_that_is_never_paid",
    ),
    row(
        "what is void for an order that was paid back says that it was not paid",
        REWARDS,
        ('paid back."""\n    await connection.execute(VOID, [row["id"] for row in moved], "ORDER_REFUNDED")'),
        ('paid back."""\n    await connection.execute(VOID, [row["id"] for row in moved], "ORDER_NOT_PAID")'),
        PROMISES + "test_a_reward_is_void_when_its_order_is_paid_back",
    ),
    row(
        "a reward that was granted becomes void",
        REWARDS,
        "\n WHERE order_id = ANY($1::uuid[]) AND status = 'FROZEN'",
        "\n WHERE order_id = ANY($1::uuid[])",
        TESTS_OF_REWARDS + "test_what_was_decided_stays_decided",
    ),
    row(
        "what is promised for a paid order is void",
        REWARDS,
        "o.status NOT IN ('HELD', 'PAID') THEN 'VOID'",
        "o.status NOT IN ('HELD') THEN 'VOID'",
        PROMISES + "test_a_paid_order_earns_its_reward_once",
    ),
    row(
        "what is promised for an order that is over is frozen",
        REWARDS,
        "CASE WHEN o.status NOT IN ('HELD', 'PAID') THEN 'VOID' ELSE 'FROZEN' END",
        "'FROZEN'",
        PROMISES + "test_a_reward_is_born_as_its_order_is",
    ),
    row(
        "a reward is decided while its order is held",
        REWARDS,
        " AND o.status <> 'HELD'\n",
        "\n",
        TESTS_OF_REWARDS + "test_no_reward_for_an_order_that_is_not_paid",
    ),
    row(
        "a reward is granted before its time",
        REWARDS,
        "WHERE r.status = 'FROZEN' AND r.unfreezes_at <= now() AND",
        "WHERE r.status = 'FROZEN' AND",
        TESTS_OF_REWARDS + "test_a_reward_is_granted_when_its_time_has_come",
    ),
    row(
        "a reward without an order is granted before its time",
        REWARDS,
        "WHERE status = 'FROZEN' AND unfreezes_at <= now() AND order_id IS NULL",
        "WHERE status = 'FROZEN' AND order_id IS NULL",
        TESTS_OF_REWARDS + "test_a_reward_without_an_order_is_granted_when_due",
    ),
    row(
        "devices are compared by address",
        REWARDS,
        'device=_COMPANY.format(cell="device", most="$2::int")',
        'device=_COMPANY.format(cell="address", most="$2::int")',
        TESTS_OF_REWARDS + "test_people_behind_one_device_get_nothing",
    ),
    row(
        "as many may share a device as an address",
        REWARDS,
        'cell="device", most="$2::int"',
        'cell="device", most="$3::int"',
        TESTS_OF_REWARDS + "test_a_reward_is_granted_when_its_time_has_come",
    ),
    row(
        "a reward is granted while its order is being paid back",
        REWARDS,
        " FOR SHARE OF o SKIP LOCKED",
        "",
        LOCKS + "test_what_is_worked_on_is_locked",
    ),
    row(
        "settling waits for orders that somebody has locked",
        REWARDS,
        "FOR SHARE OF o SKIP LOCKED",
        "FOR SHARE OF o",
        LOCKS + "test_what_somebody_is_at_is_passed_by",
    ),
    row(
        "everybody without a device shares one",
        REWARDS,
        " AND me.cells ->> '{cell}' <> ''",
        "",
        TESTS_OF_REWARDS + "test_a_client_that_says_nothing_shares_nothing",
    ),
    row(
        "payers of other configs count",
        REWARDS,
        " AND o.config_id = due.config_id\n",
        "\n",
        TESTS_OF_REWARDS + "test_only_what_happened_on_the_same_config_counts",
    ),
    row(
        "one person more than allowed may share",
        REWARDS,
        "LIMIT {most} + 1) same) > {most}",
        "LIMIT {most} + 2) same) > {most} + 1",
        TESTS_OF_REWARDS + "test_people_behind_one_device_get_nothing",
    ),
    row(
        "a list shows everybody's rewards",
        REWARDS,
        'OF_USER = _REWARDS.format(whose="user_id = $1")',
        'OF_USER = _REWARDS.format(whose="$1::text IS NOT NULL")',
        TESTS_OF_REWARDS + "test_a_user_pages_through_their_own_rewards",
    ),
    row(
        "headquarters see rewards of every status",
        REWARDS,
        'OF_STATUS = _REWARDS.format(whose="status = $1")',
        'OF_STATUS = _REWARDS.format(whose="$1::text IS NOT NULL")',
        TESTS_OF_REWARDS + "test_the_routes_of_rewards",
    ),
    row(
        "a list of rewards begins with the oldest",
        REWARDS,
        "ORDER BY created_at DESC, id DESC LIMIT $4",
        "ORDER BY created_at, id LIMIT $4",
        TESTS_OF_REWARDS + "test_a_user_pages_through_their_own_rewards",
    ),
    row(
        "a promise that is drained twice is an error",
        REWARDS,
        "ON CONFLICT (source, number) DO NOTHING\n",
        "",
        PROMISES + "test_a_paid_order_earns_its_reward_once",
    ),
    row(
        "a notice is sent before its time",
        NOTICES,
        "WHERE status = 'QUEUED' AND due_at <= now() AND attempts < $2",
        "WHERE status = 'QUEUED' AND attempts < $2",
        TESTS_OF_NOTICES + "test_a_notice_is_sent_when_it_is_due",
    ),
    row(
        "a notice is tried for ever",
        NOTICES,
        " OR (attempts >= $2 AND attempted_at <= now() - $3::interval))",
        " OR (attempts >= 1000 * $2 AND attempted_at <= now() - $3::interval))",
        TESTS_OF_NOTICES + "test_a_notice_that_nobody_takes_is_dropped",
    ),
    row(
        "people are reminded of what is not on sale any more",
        NOTICES,
        "        await self._pool.execute(DROP_STALE)\n",
        "",
        TESTS_OF_NOTICES + "test_nobody_is_reminded_of_what_is_not_on_sale",
    ),
    row(
        "a notice that comes hours late is sent",
        NOTICES,
        "(due_at < now() - $1::interval OR (",
        "(due_at < now() - 10 * $1::interval OR (",
        TESTS_OF_NOTICES + "test_a_notice_an_hour_late_is_dropped",
    ),
    row(
        "a notice that failed is tried again at once",
        NOTICES,
        "        AND (attempted_at IS NULL OR attempted_at <= now() - $3::interval)\n",
        "        AND $3::interval IS NOT NULL\n",
        TESTS_OF_NOTICES + "test_one_that_cannot_be_sent_keeps_no_other_waiting",
    ),
    row(
        "two workers send the same notice",
        NOTICES,
        "ORDER BY due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED",
        "ORDER BY due_at LIMIT $1",
        LOCKS + "test_what_somebody_is_at_is_passed_by[notices]",
    ),
    row(
        "a messenger that hangs keeps all notices waiting",
        NOTICES,
        "                async with asyncio.timeout(SEND_TIMEOUT_S):",
        "                async with asyncio.timeout(1000 * SEND_TIMEOUT_S):",
        TESTS_OF_NOTICES + "test_one_that_cannot_be_sent_keeps_no_other_waiting",
    ),
    row(
        "one messenger's failure ends the job",
        NOTICES,
        "            except Exception:  # one",
        "            except ZeroDivisionError:  # one",
        TESTS_OF_NOTICES + "test_one_that_cannot_be_sent_keeps_no_other_waiting",
    ),
    row(
        "what was sent stays queued",
        NOTICES,
        '        await self._pool.execute(SENT, row["source"], row["number"])\n',
        "",
        TESTS_OF_NOTICES + "test_a_notice_is_sent_when_it_is_due",
    ),
    row(
        "of a person's two notices one is sent",
        NOTICES,
        "WHERE source = $1 AND number = $2 AND status",
        "WHERE source = $1 AND $2::int IS NOT NULL AND status",
        TESTS_OF_NOTICES + "test_two_notices_of_one_click_are_two",
    ),
    row(
        "a report counts orders of every config",
        REPORTS,
        "FROM orders WHERE config_id = $1) o,",
        "FROM orders WHERE $1::text IS NOT NULL) o,",
        TESTS_OF_REPORTS + "test_every_counter_counts_what_it_says",
    ),
    row(
        "a report counts what was held as sold",
        REPORTS,
        "coalesce(sum(quantity) FILTER (WHERE status = 'PAID'), 0)",
        "coalesce(sum(quantity) FILTER (WHERE status IN ('HELD', 'PAID')), 0)",
        TESTS_OF_REPORTS + "test_every_counter_counts_what_it_says",
    ),
    row(
        "a report counts simulated instances",
        REPORTS,
        " AND NOT cells @> '{\"simulated\": true}'",
        "",
        TESTS_OF_REPORTS + "test_a_simulated_instance_is_not_counted_but_its_orders_are",
    ),
    row(
        "a report forgets what is being paid back",
        REPORTS,
        "status IN ('REFUNDING', 'REFUNDED')) AS",
        "status IN ('REFUNDED')) AS",
        TESTS_OF_REPORTS + "test_every_counter_counts_what_it_says",
    ),
    row(
        "a rebate of an order that went back whole is taken off twice",
        REPORTS,
        "AND orders.status = 'PAID' AND r.kind = 'REBATE') r",
        "AND r.kind = 'REBATE') r",
        TESTS_OF_REPORTS + "test_what_goes_back_is_told_apart_to_the_fen",
    ),
    row(
        "rebates of another config are taken off",
        REPORTS,
        "WHERE orders.config_id = $1 AND orders.status",
        "WHERE orders.status",
        TESTS_OF_REPORTS + "test_what_goes_back_is_told_apart_to_the_fen",
    ),
    row(
        "rebates stay in the net",
        REPORTS,
        "o.gmv_fen - r.rebate_fen AS net_fen",
        "o.gmv_fen AS net_fen",
        TESTS_OF_REPORTS + "test_what_goes_back_is_told_apart_to_the_fen",
    ),
    row(
        "a metric that cannot be computed costs the whole report",
        REPORTS,
        "    except Exception:  # a",
        "    except KeyError:  # a",
        TESTS_OF_REPORTS + "test_a_draft_has_brought_nothing",
    ),
    row(
        "a metric may be infinite",
        REPORTS,
        "if found is not None and math.isfinite(found):",
        "if found is not None:",
        TESTS_OF_REPORTS + "test_no_number_is_none_to_python_as_well",
    ),
    row(
        "who was refunded is no newcomer",
        NEWCOMERS,
        "o.user_id = u.id AND o.status = 'PAID')",
        "o.user_id = u.id AND o.status <> 'HELD')",
        TESTS_OF_NEWCOMERS + "test_only_a_paid_order_makes_a_veteran",
    ),
    row(
        "a hold makes a veteran",
        NEWCOMERS,
        "o.user_id = u.id AND o.status = 'PAID')",
        "o.user_id = u.id AND o.status IN ('PAID', 'HELD'))",
        TESTS_OF_NEWCOMERS + "test_only_a_paid_order_makes_a_veteran",
    ),
    row(
        "a newcomer is believed to be one for a minute",
        NEWCOMERS,
        "NEWCOMER_S if is_new else VETERAN_S",
        "VETERAN_S",
        TESTS_OF_NEWCOMERS + "test_a_first_payment_is_noticed_and_a_veteran_stays_one",
    ),
    row(
        "any number of people may wait for whether they are new",
        NEWCOMERS,
        "if len(self._waiting) >= WAITING_MAX:",
        "if len(self._waiting) > 100 * WAITING_MAX:",
        TESTS_OF_NEWCOMERS + "test_a_crowd_too_large_to_wait_is_told_so",
    ),
    row(
        "one error nobody expected leaves clicks waiting for ever",
        NEWCOMERS,
        (
            "            except Exception as error:  # noqa: BLE001  # theirs to report; nobody "
            "may wait for ever\n                self._refuse(users, error)\n"
        ),
        "",
        ASKING + "test_an_error_is_told_to_everybody_who_waits",
    ),
    row(
        "devices are hashed without a secret",
        ADMISSION,
        "digest_size=HASH_BYTES, key=self._key, person",
        "digest_size=HASH_BYTES, person",
        HOT_FACTS + "test_two_installations_hash_differently",
    ),
    row(
        "a device has the hash of its address",
        ADMISSION,
        "self._hash(Fact.DEVICE, device)",
        "self._hash(Fact.DEVICE, address)",
        HOT_FACTS + "test_the_same_device_is_known_again_by_a_hash",
    ),
    row(
        "a device that says nothing is like every other",
        ADMISSION,
        '        if not text:\n            return ""\n',
        "",
        HOT_FACTS + "test_the_same_device_is_known_again_by_a_hash",
    ),
)
