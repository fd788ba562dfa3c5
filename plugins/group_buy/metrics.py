"""The group buy's own card."""

from engine.sdk import Counters, Metric, ratio


def success_rate(counters: Counters) -> float | None:
    """成团率: groups that filled / groups that ended, in percent."""
    return ratio(counters.instances_succeeded, counters.instances_succeeded + counters.instances_failed)


METRICS = (Metric(key="successRate", label="成团率", unit="%", compute=success_rate),)
