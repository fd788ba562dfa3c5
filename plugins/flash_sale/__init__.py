"""秒杀: limited stock, a session that opens on the second, so many a person."""

from engine.sdk import Playbook, View, hookimpl, step_beside
from plugins.flash_sale.metrics import METRICS
from plugins.flash_sale.rules import FlashSaleRules, sessions
from plugins.flash_sale.states import STATES


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest."""
    return Playbook(
        code="FLASH_SALE",
        name="秒杀",
        version="1.0.0",
        unit_name="份",
        rules=FlashSaleRules,
        states=STATES,
        step=step_beside(__file__),
        sessions=sessions,
        view=View(join="立即抢购"),
        metrics=METRICS,
    )
