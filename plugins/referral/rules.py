"""What a store fills in for a referral."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from engine.sdk import Fact, Offer, Problem, Rules

Kind = Literal["ASSET", "CREDIT", "CASH"]

UNITS_MAX = 100  # an amount of fen left over from another kind must not become as many units of the service

KIND_HELP = "ASSET 赠送服务份额，CREDIT 抵扣金，CASH 返现"
AMOUNT_HELP = f"ASSET 为份额数（最多 {UNITS_MAX}），CREDIT 与 CASH 为分；0 表示不奖励"


class ReferralRules(Rules, frozen=True):
    """老带新规则"""

    target: Annotated[
        int,
        Meta(ge=1, le=1000, title="邀请目标", description="多少位好友付款后达成；达成后新下的订单不再产生奖励"),
    ] = 3
    duration_days: Annotated[
        int,
        Meta(ge=1, le=365, title="邀请时限（天）", description="发起后多久内有效，到时未达成目标即结束"),
    ] = 30
    window_days: Annotated[
        int,
        Meta(ge=1, le=365, title="绑定有效期（天）", description="好友接受邀请后多久内下单算数"),
    ] = 30
    touch: Annotated[
        Literal["first", "last"],
        Meta(title="归属规则", description="绑定有效期内又接受他人邀请：first 仍归先邀请的人，last 改归后邀请的人"),
    ] = "first"
    newcomers_only: Annotated[
        bool,
        Meta(title="仅限新客", description="开启后，只有没有已付款订单的人可以接受邀请"),
    ] = True
    referrer_reward_kind: Annotated[Kind, Meta(title="邀请人奖励方式", description=KIND_HELP)] = "CREDIT"
    referrer_reward_amount: Annotated[
        int,
        Meta(ge=0, le=10_000_000, title="邀请人奖励数额", description=f"每位好友付款后奖励多少：{AMOUNT_HELP}"),
    ] = 0
    invitee_reward_kind: Annotated[Kind, Meta(title="好友奖励方式", description=KIND_HELP)] = "CREDIT"
    invitee_reward_amount: Annotated[
        int,
        Meta(ge=0, le=10_000_000, title="好友奖励数额", description=f"好友付款后奖励多少：{AMOUNT_HELP}"),
    ] = 0
    refund_days: Annotated[
        int,
        Meta(
            ge=0, le=365, title="奖励冻结期（天）", description="付款后奖励冻结多久，应不短于退款期；期内退款则奖励作废"
        ),
    ] = 7

    def gives(self) -> bool:
        """Whether anybody is rewarded at all."""
        return self.referrer_reward_amount > 0 or self.invitee_reward_amount > 0


def asks(rules: ReferralRules) -> tuple[Fact, ...]:
    """Who is new is what 裂变系数 counts; devices and addresses matter where there is something to cheat for."""
    return (Fact.NEWCOMER, Fact.DEVICE, Fact.ADDRESS) if rules.gives() else (Fact.NEWCOMER,)


def problems(rules: ReferralRules, offer: Offer) -> Iterator[Problem]:
    """Rewards in money that are worth the price would pay people for buying from each other."""
    if rules.target > offer.stock:
        yield Problem(
            "target",
            f"邀请目标不能超过库存 {offer.stock}：每位好友至少买一份，否则永远无法达成",
            f"target: more than the stock of {offer.stock} can never be reached",
        )
    sides = (
        ("referrerRewardAmount", rules.referrer_reward_kind, rules.referrer_reward_amount),
        ("inviteeRewardAmount", rules.invitee_reward_kind, rules.invitee_reward_amount),
    )
    for field, kind, amount in sides:
        if kind == "ASSET" and amount > UNITS_MAX:
            yield Problem(
                field,
                f"赠送的服务份额最多 {UNITS_MAX} 份，不是分",
                f"{field}: units of the service, {UNITS_MAX} at most; not fen",
            )
    in_fen = [(field, amount) for field, kind, amount in sides if kind != "ASSET" and amount > 0]
    total = sum(amount for _, amount in in_fen)
    if total >= offer.price_fen:
        field = in_fen[-1][0]
        yield Problem(
            field,
            f"双方奖励合计 {total} 分，必须小于商品价格 {offer.price_fen} 分",
            f"{field}: rewards of {total} fen together must be less than the price of {offer.price_fen}",
        )
