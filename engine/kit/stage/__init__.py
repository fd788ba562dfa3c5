"""A stage: a sale of one playbook on a throw-away Valkey, and a clock that can be moved.

The author's door: what a playbook's own tests need of wanfa besides `engine.sdk` and `engine.kit.check`.
"""

from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus
from engine.gate.wire import Reply
from engine.kit.stage.harness import Stage, open_stage
from engine.kit.stage.model import Click, Event, Intents, Order, Person
from engine.kit.stage.sale import Sale

__all__ = [
    "Click",
    "EffectState",
    "Event",
    "HeadStatus",
    "Intents",
    "Order",
    "Outcome",
    "Person",
    "Reply",
    "Sale",
    "Stage",
    "open_stage",
]
