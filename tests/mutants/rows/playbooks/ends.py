"""What lasts a millisecond too long, or is over one too early."""

from tests.mutants.row import row

BARGAIN, GROUP, REFERRAL, FLASH = (
    f"plugins/{name}/step.lua" for name in ("bargain", "group_buy", "referral", "flash_sale")
)
MOMENTS = "tests/plugins/test_very_moments.py::"

ROWS = (
    row(
        "a group can be joined in its last millisecond and the one after",
        GROUP,
        "if cells.status == FAILED or click.now >= cells.endsAt then return ENDED end",
        "if cells.status == FAILED or click.now > cells.endsAt then return ENDED end",
        MOMENTS + "test_a_group_ends",
    ),
    row(
        "a bargain can be helped in its last millisecond and the one after",
        BARGAIN,
        "  if cells.status == FAILED or click.now >= cells.endsAt then return ENDED end",
        "  if cells.status == FAILED or click.now > cells.endsAt then return ENDED end",
        MOMENTS + "test_a_bargain_ends_for_friends_and_owner",
    ),
    row(
        "a bargain can be bought in its last millisecond and the one after",
        BARGAIN,
        "if cells.status == SUCCESS or cells.status == FAILED or click.now >= cells.endsAt then return ENDED end",
        "if cells.status == SUCCESS or cells.status == FAILED or click.now > cells.endsAt then return ENDED end",
        MOMENTS + "test_a_bargain_ends_for_friends_and_owner",
    ),
    row(
        "an invitation works in its last millisecond and the one after",
        REFERRAL,
        "return cells.status == SUCCESS or cells.status == FAILED or click.now >= cells.endsAt",
        "return cells.status == SUCCESS or cells.status == FAILED or click.now > cells.endsAt",
        MOMENTS + "test_an_invitation_ends",
    ),
    row(
        "one asks to be reminded of what begins this very millisecond",
        FLASH,
        "if click.now >= cells.opensAt then return ENDED end",
        "if click.now > cells.opensAt then return ENDED end",
        MOMENTS + "test_nobody_is_reminded_of_what_begins_now",
    ),
    row(
        "a group's deadline comes to nothing at its very millisecond",
        GROUP,
        "if over(cells) or click.now < cells.endsAt and not click.over then return end",
        "if over(cells) or click.now <= cells.endsAt and not click.over then return end",
        MOMENTS + "test_what_is_due_this_very_millisecond_is_over",
    ),
    row(
        "a bargain's deadline comes to nothing at its very millisecond",
        BARGAIN,
        "  if click.now < cells.endsAt and not click.over then return end",
        "  if click.now <= cells.endsAt and not click.over then return end",
        MOMENTS + "test_what_is_due_this_very_millisecond_is_over",
    ),
    row(
        "an invitation's deadline comes to nothing at its very millisecond",
        REFERRAL,
        "  if click.now < cells.endsAt and not click.over then return end",
        "  if click.now <= cells.endsAt and not click.over then return end",
        MOMENTS + "test_what_is_due_this_very_millisecond_is_over",
    ),
    row(
        "a session's deadline comes to nothing at its very millisecond",
        FLASH,
        "  if click.now < cells.endsAt and not click.over then return end",
        "  if click.now <= cells.endsAt and not click.over then return end",
        MOMENTS + "test_what_is_due_this_very_millisecond_is_over",
    ),
)
