"""The bargain's own card."""

from engine.sdk import Counters, Metric, ratio


def success_rate(counters: Counters) -> float | None:
    """砍价成功率: bargains that were bought / bargains that ended, in percent."""
    return ratio(counters.instances_succeeded, counters.instances_succeeded + counters.instances_failed)


def helpers_a_bargain(counters: Counters) -> float | None:
    """平均帮砍人数: cuts / bargains opened; a helper cuts once a bargain."""
    opened = counters.instances_opened
    return None if opened == 0 else counters.total("current") / opened


def pay_rate(counters: Counters) -> float | None:
    """支付率: orders paid / orders that were ever held, in percent."""
    paid = counters.orders_paid + counters.orders_refunded
    return ratio(paid, paid + counters.orders_held + counters.orders_expired)


METRICS = (
    Metric(key="successRate", label="砍价成功率", unit="%", compute=success_rate),
    Metric(key="helpersPerBargain", label="平均帮砍人数", unit="人", compute=helpers_a_bargain),
    Metric(key="payRate", label="支付率", unit="%", compute=pay_rate),
)
