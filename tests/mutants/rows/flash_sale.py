"""The flash sale: its steps and rules."""

from tests.mutants.row import row

FLASH = "plugins/flash_sale/step.lua"
FLASH_RULES = "plugins/flash_sale/rules.py"
FLASH_SALE = "tests/plugins/test_flash_sale.py::"

ROWS = (
    row(
        "a session sells after its end",
        FLASH,
        "if cells.status ~= ACTIVE or click.now >= cells.endsAt then return ENDED end",
        "if cells.status ~= ACTIVE then return ENDED end",
        FLASH_SALE + "test_nobody_buys_after_the_end",
    ),
    row(
        "one asks twice to be reminded",
        FLASH,
        "  if click.acts > 0 then return CONFLICT end\n",
        "",
        FLASH_SALE + "test_nobody_is_reminded_twice_of_one_session",
    ),
    row(
        "one asks to be reminded of what has begun",
        FLASH,
        "  if click.now >= cells.opensAt then return ENDED end\n",
        "",
        FLASH_SALE + "test_nobody_is_reminded_of_what_has_begun[60000]",
    ),
    row(
        "a reminder comes in the past",
        FLASH,
        "math.max(due, click.now)",
        "due",
        FLASH_SALE + "test_who_asks_in_the_last_minutes_is_reminded_at_once",
    ),
    row(
        "three units count as one",
        FLASH,
        "cells.current + click.quantity",
        "cells.current + 1",
        FLASH_SALE + "test_a_session_somebody_paid_in_is_a_success",
    ),
    row(
        "a hold that ends counts as paid back",
        FLASH,
        'if click.was == "paid" then cells.current',
        "if click.was then cells.current",
        FLASH_SALE + "test_progress_counts_paid_units",
    ),
    row(
        "a session that sold late stays failed",
        FLASH,
        "  if cells.status == FAILED then cells.status = SUCCESS end\n",
        "",
        FLASH_SALE + "test_a_hold_of_the_last_minute_paid_after_the_end_makes_it_a_success",
    ),
    row(
        "a session ends before its time",
        FLASH,
        "cells.status ~= ACTIVE or click.now < cells.endsAt then return end",
        "cells.status ~= ACTIVE then return end",
        FLASH_SALE + "test_the_wake_up_call_opens_the_session_and_sets_the_next",
    ),
    row(
        "a session at the window's very start is lost",
        FLASH_RULES,
        "if window.starts_at <= moment < window.ends_at:",
        "if window.starts_at < moment < window.ends_at:",
        FLASH_SALE + "test_several_sessions_a_day_open_at_their_times_in_china",
    ),
    row(
        "a session begins when the window ends",
        FLASH_RULES,
        "if window.starts_at <= moment < window.ends_at:",
        "if window.starts_at <= moment <= window.ends_at:",
        FLASH_SALE + "test_several_sessions_a_day_open_at_their_times_in_china",
    ),
    row(
        "sessions may sell more than there is",
        FLASH_RULES,
        "rules.stock_per_session * count > offer.stock",
        "rules.stock_per_session > offer.stock",
        FLASH_SALE + "test_every_session_happens_and_has_what_it_promises",
    ),
    row(
        "a day of sessions begins at midnight in London",
        FLASH_RULES,
        "window.starts_at.astimezone(CHINA).date(), window.ends_at.astimezone(CHINA)",
        "window.starts_at.date(), window.ends_at",
        FLASH_SALE + "test_a_day_in_china_begins_before_it_does_in_london",
    ),
    row(
        "a session outlasts the next one's start",
        FLASH_RULES,
        "ends = min(begins + timedelta(minutes=rules.session_minutes), ends)",
        "ends = begins + timedelta(minutes=rules.session_minutes)",
        FLASH_SALE + "test_the_session_lasts_as_long_as_its_rule_says[1440-ends_at2]",
    ),
)
