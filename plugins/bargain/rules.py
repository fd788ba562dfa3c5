"""What a store fills in for a bargain."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from engine.sdk import Fact, Offer, Problem, Rules

Shape = Literal["even", "front", "random"]


class BargainRules(Rules, frozen=True):
    """砍价规则"""

    helpers: Annotated[
        int,
        Meta(ge=1, le=100, title="帮砍人数", description="正好多少位好友各砍一刀到底价，分享前即告知消费者"),
    ]
    floor_price_fen: Annotated[
        int,
        Meta(ge=1, le=99_999_999, title="底价（分）", description="砍到最后的价格；与售价之差须够每刀至少一分"),
    ]
    shape: Annotated[
        Shape,
        Meta(
            title="砍价曲线",
            description="even 每刀相同；front 先多后少；random 每刀砍去剩余的 20%–50%，末刀砍完。发起时全部确定",
        ),
    ] = "even"
    duration_minutes: Annotated[
        int,
        Meta(ge=1, le=10080, title="砍价时限（分钟）", description="发起后多久内可以帮砍和购买，到时未购买则砍价失败"),
    ] = 1440
    pay_minutes: Annotated[
        int,
        Meta(ge=1, le=10080, title="底价购买时限（分钟）", description="砍到底价后多久内可以购买，从最后一刀算起"),
    ] = 1440
    cuts_per_day: Annotated[
        int,
        Meta(ge=1, le=50, title="每人每天帮砍次数", description="一个人每天（北京时间）在同一商品上最多帮砍几刀"),
    ] = 3
    newcomer_bonus_percent: Annotated[
        int,
        Meta(ge=0, le=300, title="新客多砍（%）", description="没有已付款订单的人多砍百分之几，由后面各刀承担；0 不加"),
    ] = 0
    buy_before_floor: Annotated[
        bool,
        Meta(title="未到底价可购买", description="砍到底价之前，发起人能否按当前价格购买"),
    ] = True
    bargains_per_person: Annotated[
        int,
        Meta(ge=1, le=20, title="每人发起次数", description="一个人在同一商品上最多发起几次砍价，失败的也算"),
    ] = 1


def asks(rules: BargainRules) -> tuple[Fact, ...]:
    """Whether a helper is new matters only if they cut more."""
    return (Fact.NEWCOMER,) if rules.newcomer_bonus_percent else ()


def problems(rules: BargainRules, offer: Offer) -> Iterator[Problem]:
    """The price has to leave room for every cut."""
    gap = offer.price_fen - rules.floor_price_fen
    if gap <= 0:
        yield Problem("floorPriceFen", "底价必须低于售价", "floorPriceFen: must be less than the price")
    elif rules.helpers > gap:
        yield Problem(
            "helpers",
            f"帮砍人数最多 {gap} 人：售价与底价相差 {gap} 分，每刀至少一分",
            f"helpers: {gap} at most, as many as there are fen to cut",
        )
