"""What a store fills in for a group buy."""

from typing import Annotated

from msgspec import Meta

from engine.sdk import Rules


class GroupBuyRules(Rules, frozen=True):
    """拼团规则"""

    target: Annotated[int, Meta(ge=2, le=1000, title="成团人数", description="多少人付款后成团（含团长）")]
    duration_minutes: Annotated[
        int,
        Meta(ge=1, le=10080, title="成团时限（分钟）", description="开团后多久内未满员则拼团失败并全额退款"),
    ] = 1440
