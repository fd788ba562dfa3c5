"""All that a playbook imports: its contract with the engine (plugins/README.md)."""

from engine.sdk.facts import Fact
from engine.sdk.hookspec import hookimpl
from engine.sdk.metrics import Counters, Metric, ratio
from engine.sdk.playbook import Example, Offer, Playbook, Problem, Session, View, Window, step_beside
from engine.sdk.rules import Rules
from engine.sdk.states import States, Status

__all__ = [
    "Counters",
    "Example",
    "Fact",
    "Metric",
    "Offer",
    "Playbook",
    "Problem",
    "Rules",
    "Session",
    "States",
    "Status",
    "View",
    "Window",
    "hookimpl",
    "ratio",
    "step_beside",
]

SDK_VERSION = "1.1"
