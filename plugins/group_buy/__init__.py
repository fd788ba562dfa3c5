"""拼团: one person opens a group, others fill it before its deadline, or everyone is paid back."""

from engine.sdk import Example, Playbook, View, hookimpl, step_beside
from plugins.group_buy.metrics import METRICS
from plugins.group_buy.rules import GroupBuyRules, asks, newcomers_only, problems
from plugins.group_buy.states import STATES

EXAMPLES = (
    Example(rules={"target": 3, "durationMinutes": 1440}, price_fen=19900),
    Example(
        rules={
            "target": 3,
            "tiers": [{"people": 5, "priceFen": 17900}, {"people": 10, "priceFen": 14900}],
            "leaderOffFen": 1000,
        },
        price_fen=19900,
    ),
    Example(rules={"target": 5, "newcomersOnly": True, "simulatedPercent": 80}, price_fen=9900),
)


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest."""
    return Playbook(
        code="GROUP_BUY",
        name="拼团",
        version="1.1.0",
        unit_name="份",
        rules=GroupBuyRules,
        states=STATES,
        step=step_beside(__file__),
        view=View(open="发起拼团", join="立即参团"),
        metrics=METRICS,
        asks=asks,
        newcomers_only=newcomers_only,
        problems=problems,
        reseats=True,
        examples=EXAMPLES,
        sdk=">=1.1,<2",
    )
