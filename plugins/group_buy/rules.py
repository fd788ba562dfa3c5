"""What a store fills in for a group buy."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.sdk import Fact, Offer, Problem, Rules

SIMULATED_PERCENT_MIN = 50  # below half, most of a "complete" group would be invented


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """阶梯: so many people, and what one share costs then."""

    people: Annotated[int, Meta(ge=3, le=1000, title="人数", description="多少人付款后达到这一档（含团长）")]
    price_fen: Annotated[
        int,
        Meta(ge=1, le=100_000_000, title="价格（分）", description="达到这一档后每份的价格，差额在成团后退还"),
    ]


class GroupBuyRules(Rules, frozen=True):
    """拼团规则"""

    target: Annotated[int, Meta(ge=2, le=1000, title="成团人数", description="多少人付款后成团（含团长）")]
    duration_minutes: Annotated[
        int,
        Meta(ge=1, le=10080, title="成团时限（分钟）", description="开团后多久内未满员则拼团失败并全额退款"),
    ] = 1440
    tiers: Annotated[
        tuple[Tier, ...],
        Meta(
            max_length=5,
            title="阶梯价",
            description="人越多越便宜：从低到高的各档，人数须递增、价格须递减，留空表示不分档",
        ),
    ] = ()
    leader_off_fen: Annotated[
        int,
        Meta(ge=0, le=100_000_000, title="团长优惠（分）", description="开团的人每份少付多少，0 表示没有"),
    ] = 0
    newcomers_only: Annotated[
        bool,
        Meta(
            title="仅限新客参团",
            description="开启后，只有没有已付款订单的人可以参团，同时占多个名额的只保留最先付款的一单，其余退款；开团不受限制",
        ),
    ] = False
    simulated_percent: Annotated[
        int,
        Meta(
            ge=0,
            le=99,
            title="虚拟成团比例（%）",
            description="到时已付款人数达到成团人数的这个比例时按成团处理，只能填 50–99，0 表示不使用",
        ),
    ] = 0


def asks(rules: GroupBuyRules) -> tuple[Fact, ...]:
    """Whether somebody is new is only looked up where it matters."""
    return (Fact.NEWCOMER,) if rules.newcomers_only else ()


def newcomers_only(rules: GroupBuyRules) -> tuple[str, ...]:
    """Who opens a group may be anybody."""
    return ("join",) if rules.newcomers_only else ()


def problems(rules: GroupBuyRules, offer: Offer) -> Iterator[Problem]:
    """What the schema cannot say: steps that lead up, prices that lead down, and something left to pay."""
    people, price_fen = rules.target, offer.price_fen
    for tier in rules.tiers:
        if tier.people <= people:
            yield Problem(
                "tiers",
                f"每档人数必须大于前一档或成团人数：{tier.people} 不大于 {people}",
                f"tiers: {tier.people} people are no more than the {people} before",
            )
        if tier.price_fen >= price_fen:
            yield Problem(
                "tiers",
                f"每档价格必须低于前一档或商品价格：{tier.price_fen} 分不低于 {price_fen} 分",
                f"tiers: {tier.price_fen} fen are no less than the {price_fen} before",
            )
        people, price_fen = tier.people, tier.price_fen
    if rules.target > offer.stock:
        yield Problem(
            "target",
            f"成团人数不能超过库存 {offer.stock}：每人至少一份，否则永远无法成团",
            f"target: more than the stock of {offer.stock} can never be complete",
        )
    elif people > offer.stock:
        yield Problem(
            "tiers",
            f"最高一档的人数不能超过库存 {offer.stock}：每人至少一份，否则永远达不到",
            f"tiers: more people than the stock of {offer.stock} can never be there",
        )
    if rules.leader_off_fen >= price_fen:
        yield Problem(
            "leaderOffFen",
            f"团长优惠必须小于最低价 {price_fen} 分，团长至少支付 1 分",
            f"leaderOffFen: the lowest price is {price_fen} fen, and leaders pay 1 at least",
        )
    if 0 < rules.simulated_percent < SIMULATED_PERCENT_MIN:
        yield Problem(
            "simulatedPercent",
            f"只能填 0（不使用）或 {SIMULATED_PERCENT_MIN}–99",
            f"simulatedPercent: 0 (never), or {SIMULATED_PERCENT_MIN} to 99",
        )
