"""A campaign whose claim does not hold says so."""

from tests.mutants.row import row

GROUPS = "loadtests/campaigns/groups.py"
HOLDS = "loadtests/campaigns/holds.py"
KILL = "loadtests/campaigns/kill.py"
STAMPEDE = "loadtests/campaigns/stampede.py"
TORN = "loadtests/campaigns/torn.py"

CLAIMS = "tests/unit/load/test_claims.py::"

ROWS = (
    row(
        "of all claims the last one decides",
        "loadtests/campaigns/claims.py",
        "self.all_hold &= holds",
        "self.all_hold = holds",
        CLAIMS + "test_one_claim_that_does_not_hold_is_enough",
    ),
    row(
        "of all campaigns one that is well is enough",
        "loadtests/campaigns/__main__.py",
        "sys.exit(0 if all(results) else 1)",
        "sys.exit(0 if any(results) else 1)",
        CLAIMS + "test_one_campaign_that_fails_is_enough",
    ),
    row(
        "a stampede may sell less than there is",
        STAMPEDE,
        "units == size.stock, units)",
        "units <= size.stock, units)",
        CLAIMS + "test_a_stampede_says_no",
    ),
    row(
        "a stampede may acknowledge orders that are no rows",
        STAMPEDE,
        "rows == len(counts.orders) == size.stock",
        "rows == size.stock",
        CLAIMS + "test_a_stampede_says_no",
    ),
    row(
        "a stampede may be refused with anything",
        STAMPEDE,
        'not odd and counts.outcomes["SOLD_OUT"] > 0',
        'counts.outcomes["SOLD_OUT"] > 0',
        CLAIMS + "test_a_stampede_says_no",
    ),
    row(
        "a group may have a member more than its target",
        GROUPS,
        "if order.live) > TARGET",
        "if order.live) > TARGET + 1",
        CLAIMS + "test_groups_say_no",
    ),
    row(
        "a group may be whole and fail",
        GROUPS,
        '(evidence.instances[instance].status == "SUCCESS") != (paid == TARGET)',
        '(evidence.instances[instance].status == "SUCCESS") > (paid == TARGET)',
        CLAIMS + "test_groups_say_no",
    ),
    row(
        "units that nobody paid for may stay away",
        HOLDS,
        "left == size.stock - paid",
        "left <= size.stock - paid",
        CLAIMS + "test_short_holds_say_no",
    ),
    row(
        "units that nobody paid for may stay reserved",
        HOLDS,
        "stock.reserved == paid, stock.reserved)",
        "stock.reserved >= paid, stock.reserved)",
        CLAIMS + "test_short_holds_say_no",
    ),
    row(
        "holds may go on for ever",
        HOLDS,
        "expired + late == len(evidence.orders) - paid",
        "expired + late <= len(evidence.orders) - paid",
        CLAIMS + "test_short_holds_say_no",
    ),
    row(
        "one tear that took something is enough",
        TORN,
        "all(batches), f",
        "any(batches) or True, f",
        CLAIMS + "test_torn_tails_say_no",
    ),
    row(
        "a tail may be torn without an order that only Redis had",
        TORN,
        "all(lost), f",
        "bool(lost), f",
        CLAIMS + "test_torn_tails_say_no",
    ),
    row(
        "units may be sold twice after a tear",
        TORN,
        "stock.reserved == size.stock, stock.reserved)",
        "stock.reserved >= size.stock, stock.reserved)",
        CLAIMS + "test_torn_tails_say_no",
    ),
    row(
        "a fault need not happen",
        KILL,
        "not missing, f",
        "len(missing) < 2, f",
        CLAIMS + "test_kill_says_no",
    ),
    row(
        "who was never told counts as told",
        KILL,
        'counts.outcomes["UNKNOWN"] + counts.outcomes["PAUSED"]\n',
        'counts.outcomes["PAUSED"]\n',
        CLAIMS + "test_kill_says_no[{'UNKNOWN': 1}]",
        equivalent="the next claim, that nobody was turned away for nothing, says no to it as well",
    ),
    row(
        "people may be turned away for nothing",
        KILL,
        "not odd, odd or dict",
        "True, odd or dict",
        CLAIMS + "test_kill_says_no",
    ),
    row(
        "who is told that it is paused has been told",
        "loadtests/campaigns/crowd.py",
        'frozenset({"PAUSED", "UNAVAILABLE"',
        'frozenset({"UNAVAILABLE"',
        CLAIMS + "test_what_decides_nothing_is_asked_again",
    ),
)
