"""老带新: what a store may fill in, what is asked of clicks, and the numbers it sees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine.sdk import Counters, Fact, Offer, Window
from plugins.referral import wanfa_playbook
from plugins.referral.rules import ReferralRules, asks, problems

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def fields(price_fen: int, stock: int = 10, **rules: Any) -> list[str]:
    """What is wrong with these rules at this price."""
    offer = Offer(price_fen=price_fen, stock=stock, window=Window(NOON, NOON + timedelta(hours=1)))
    return [problem.field for problem in problems(msgspec.convert(rules, ReferralRules), offer)]


def test_rewards_in_money_stay_below_the_price() -> None:
    """Both sides together: two friends who buy from each other must not earn by it. Units are no money."""
    assert fields(100, referrerRewardAmount=60, inviteeRewardAmount=39) == []
    assert fields(100, referrerRewardAmount=60, inviteeRewardAmount=40) == ["inviteeRewardAmount"]
    assert fields(100, referrerRewardAmount=100) == ["referrerRewardAmount"]
    assert fields(100, referrerRewardAmount=100, referrerRewardKind="ASSET", inviteeRewardAmount=99) == []
    assert fields(1) == []


def test_an_amount_of_fen_is_no_number_of_units() -> None:
    """Whoever turns cash of 20 yuan into units of the service and leaves the amount would give away 2,000."""
    assert fields(9900, referrerRewardAmount=2000, referrerRewardKind="ASSET") == ["referrerRewardAmount"]
    both: dict[str, Any] = {"referrerRewardKind": "ASSET", "inviteeRewardKind": "ASSET"}
    assert fields(9900, referrerRewardAmount=100, inviteeRewardAmount=101, **both) == ["inviteeRewardAmount"]


def test_there_is_a_unit_for_each_friend() -> None:
    """Or the target could never be reached."""
    assert fields(100, target=10) == fields(100, stock=1000, target=1000) == []
    assert fields(100, target=11) == ["target"]


def test_who_is_new_is_always_asked_and_the_rest_where_there_is_a_reward() -> None:
    assert asks(ReferralRules()) == (Fact.NEWCOMER,)
    assert set(asks(ReferralRules(invitee_reward_amount=1))) == set(Fact)


@pytest.mark.parametrize("example", wanfa_playbook().examples)
def test_the_examples_work(example: Any) -> None:
    assert fields(example.price_fen, example.stock, **example.rules) == []


def test_the_factor_is_the_product_of_its_parts() -> None:
    """4 referrers, 12 bound, 6 of them paid, 3 of those new."""
    counters = Counters(instances_opened=4, totals={"bound": 12, "converted": 6, "brought": 3})
    values = {metric.key: metric.compute(counters) for metric in wanfa_playbook().metrics}

    assert values == {"referralFactor": 0.75, "invitations": 3.0, "conversion": 50.0, "newcomerShare": 50.0}
