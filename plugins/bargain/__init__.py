"""砍价: one person opens a bargain, friends cut its price to the floor, the owner buys at the price it has."""

from engine.sdk import Example, Playbook, View, hookimpl, step_beside
from plugins.bargain.metrics import METRICS
from plugins.bargain.rules import BargainRules, asks, problems
from plugins.bargain.states import STATES


@hookimpl
def wanfa_playbook() -> Playbook:
    """The manifest. Opening and cutting hold no stock: only buying does."""
    return Playbook(
        code="BARGAIN",
        name="砍价",
        version="1.0.0",
        unit_name="份",
        rules=BargainRules,
        states=STATES,
        step=step_beside(__file__),
        view=View(open="发起砍价", join="帮砍一刀", verb="cut", actions={"cut": "帮砍一刀", "buy": "立即购买"}),
        metrics=METRICS,
        actions=("cut", "buy"),
        reserves=("buy",),
        totals=("current",),
        asks=asks,
        problems=problems,
        examples=(
            Example(rules={"helpers": 5, "floorPriceFen": 4900}, price_fen=9900),
            Example(
                rules={"helpers": 20, "floorPriceFen": 1, "shape": "random", "newcomerBonusPercent": 50}, price_fen=9900
            ),
            Example(rules={"helpers": 3, "floorPriceFen": 5000, "shape": "front", "buyBeforeFloor": False}),
        ),
    )
