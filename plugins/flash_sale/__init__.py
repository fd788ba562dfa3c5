"""秒杀: limited stock, sessions that open on the second, so many a person."""

from engine.sdk import Example, Playbook, View, hookimpl, step_beside
from plugins.flash_sale.metrics import METRICS
from plugins.flash_sale.rules import FlashSaleRules, problems, sessions
from plugins.flash_sale.states import STATES


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest."""
    return Playbook(
        code="FLASH_SALE",
        name="秒杀",
        version="1.1.0",
        unit_name="份",
        rules=FlashSaleRules,
        states=STATES,
        step=step_beside(__file__),
        view=View(join="立即抢购", actions={"remind": "开抢提醒"}),
        metrics=METRICS,
        actions=("remind",),
        early=("remind",),
        totals=("reminders",),
        sessions=sessions,
        problems=problems,
        examples=(
            Example(rules={}, price_fen=9900, stock=100, hours=24),
            Example(
                rules={"times": ["10:00", "20:00"], "sessionMinutes": 30, "stockPerSession": 10, "remindMinutes": 10},
                price_fen=9900,
                stock=100,
                hours=72,
            ),
        ),
    )
