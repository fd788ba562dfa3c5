"""The flash sale's own card."""

from engine.sdk import Counters, Metric, ratio


def sell_through(counters: Counters) -> float | None:
    """售罄率: units sold / units in stock, in percent."""
    return ratio(counters.units_sold, counters.units_stock)


def pay_rate(counters: Counters) -> float | None:
    """支付率: orders paid / orders that were ever held, in percent."""
    paid = counters.orders_paid + counters.orders_refunded
    return ratio(paid, paid + counters.orders_held + counters.orders_expired)


def reminders(counters: Counters) -> float | None:
    """预约提醒数: how many asked to be reminded, each once a session."""
    return counters.total("reminders") or None


METRICS = (
    Metric(key="sellThrough", label="售罄率", unit="%", compute=sell_through),
    Metric(key="payRate", label="支付率", unit="%", compute=pay_rate),
    Metric(key="reminders", label="预约提醒数", unit="人次", compute=reminders),
)
