"""拼团: one person opens a group, others fill it before its deadline, or everyone is paid back."""

from engine.sdk import Playbook, View, hookimpl, step_beside
from plugins.group_buy.metrics import METRICS
from plugins.group_buy.rules import GroupBuyRules
from plugins.group_buy.states import STATES


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest."""
    return Playbook(
        code="GROUP_BUY",
        name="拼团",
        version="1.0.0",
        unit_name="份",
        rules=GroupBuyRules,
        states=STATES,
        step=step_beside(__file__),
        view=View(open="发起拼团", join="立即参团"),
        metrics=METRICS,
    )
