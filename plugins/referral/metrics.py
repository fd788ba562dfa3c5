"""The referral's own card: how many new people one referrer brings, and what that is made of.

Their product is the whole: invitations a referrer x invitations that buy x buyers that are new.
"""

from engine.sdk import Counters, Metric, ratio


def referral_factor(counters: Counters) -> float | None:
    """裂变系数: new people whose order is paid / referrers."""
    return _each(counters.total("brought"), counters.instances_opened)


def invitations(counters: Counters) -> float | None:
    """人均邀请: people bound / referrers."""
    return _each(counters.total("bound"), counters.instances_opened)


def conversion(counters: Counters) -> float | None:
    """邀请转化率: bound people whose order is paid / people bound, in percent."""
    return ratio(counters.total("converted"), counters.total("bound"))


def newcomer_share(counters: Counters) -> float | None:
    """新客占比: new people / bound people whose order is paid, in percent."""
    return ratio(counters.total("brought"), counters.total("converted"))


def _each(part: int, whole: int) -> float | None:
    return part / whole if whole else None


METRICS = (
    Metric(key="referralFactor", label="裂变系数", unit="人", compute=referral_factor),
    Metric(key="invitations", label="人均邀请", unit="人", compute=invitations),
    Metric(key="conversion", label="邀请转化率", unit="%", compute=conversion),
    Metric(key="newcomerShare", label="新客占比", unit="%", compute=newcomer_share),
)
