"""老带新: people bring others, whose first paid order earns both sides something."""

from engine.sdk import Example, Playbook, View, hookimpl, step_beside
from plugins.referral.metrics import METRICS
from plugins.referral.rules import ReferralRules, asks, problems
from plugins.referral.states import STATES

EXAMPLES = (
    Example(
        rules={"target": 3, "referrerRewardAmount": 2000, "inviteeRewardAmount": 1000, "refundDays": 7},
        price_fen=9900,
        stock=500,
        hours=24 * 30,
    ),
    Example(
        rules={
            "target": 10,
            "touch": "last",
            "newcomersOnly": False,
            "referrerRewardKind": "ASSET",
            "referrerRewardAmount": 1,
            "inviteeRewardKind": "CASH",
            "inviteeRewardAmount": 500,
        },
        price_fen=19900,
        hours=24 * 30,
    ),
)


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest."""
    return Playbook(
        code="REFERRAL",
        name="老带新",
        version="1.0.0",
        unit_name="份",
        rules=ReferralRules,
        states=STATES,
        step=step_beside(__file__),
        view=View(open="邀请好友", join="立即购买", actions={"visit": "接受邀请"}),
        metrics=METRICS,
        actions=("visit",),
        reserves=("join",),
        totals=("bound", "converted", "brought"),
        asks=asks,
        problems=problems,
        examples=EXAMPLES,
        sdk=">=1.1,<2",
    )
