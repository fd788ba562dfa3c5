"""One tree of errors. A class's docstring is the message a person reads; `code` is what a program reads.

The HTTP status of each error is chosen in `api/errors.py`, nowhere else.
"""

from typing import Any, ClassVar


class WanfaError(Exception):
    """系统内部错误"""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.extra = extra
        super().__init__(self.detail)


# --- what a caller sent -------------------------------------------------------------------


class BadInput(WanfaError):
    """请求内容不符合要求"""

    code = "VALIDATION_FAILED"


class MalformedBody(BadInput):
    """请求体不是合法的 JSON"""

    code = "MALFORMED_BODY"


class BodyTooLarge(BadInput):
    """请求体超过上限"""

    code = "BODY_TOO_LARGE"


class BodyTooSlow(BadInput):
    """请求体迟迟没有传完"""

    code = "BODY_TOO_SLOW"


class RulesInvalid(BadInput):
    """玩法规则不符合要求"""

    code = "RULES_INVALID"


class CursorInvalid(BadInput):
    """翻页游标无效"""

    code = "CURSOR_INVALID"


# --- who is asking ------------------------------------------------------------------------


class Unauthenticated(WanfaError):
    """请先登录"""

    code = "TOKEN_MISSING"


class TokenInvalid(Unauthenticated):
    """登录凭证无效"""

    code = "TOKEN_INVALID"


class TokenExpired(Unauthenticated):
    """登录已过期，请重新登录"""

    code = "TOKEN_EXPIRED"


class LoginFailed(Unauthenticated):
    """登录失败"""

    code = "LOGIN_FAILED"


class Forbidden(WanfaError):
    """没有权限执行此操作"""

    code = "FORBIDDEN"


# --- what is asked for --------------------------------------------------------------------


class NotFound(WanfaError):
    """请求的内容不存在"""

    code = "NOT_FOUND"


class StateConflict(WanfaError):
    """当前状态不允许此操作"""

    code = "STATE_CONFLICT"


class AlreadyExists(StateConflict):
    """同名内容已存在"""

    code = "ALREADY_EXISTS"


class PaymentClosed(StateConflict):
    """支付已关闭"""

    code = "PAYMENT_CLOSED"


# --- what a click is told -----------------------------------------------------------------


class Refusal(WanfaError):
    """本次操作未成功"""

    code = "REFUSED"


class SoldOut(Refusal):
    """已售罄"""

    code = "SOLD_OUT"


class LimitReached(Refusal):
    """已达到每人限购数量"""

    code = "LIMIT_REACHED"


class InstanceFull(Refusal):
    """名额已满"""

    code = "INSTANCE_FULL"


class NotStarted(Refusal):
    """活动尚未开始"""

    code = "NOT_STARTED"


class Ended(Refusal):
    """活动已结束"""

    code = "ENDED"


class Conflict(Refusal):
    """与已参加的活动冲突"""

    code = "CONFLICT"


class NotEligible(Refusal):
    """不符合参加条件"""

    code = "NOT_ELIGIBLE"


class RequestIdReused(Refusal):
    """该 requestId 已用于另一个请求"""

    code = "REQUEST_ID_REUSED"


class ActionUnknown(Refusal):
    """该玩法不支持此操作"""

    code = "ACTION_UNKNOWN"


class InstanceNotFound(Refusal):
    """活动实例不存在"""

    code = "INSTANCE_NOT_FOUND"


class ConfigNotFound(Refusal):
    """营销商品不存在或未上架"""

    code = "CONFIG_NOT_FOUND"


# --- what the system cannot do just now ---------------------------------------------------


class Unavailable(WanfaError):
    """服务暂时不可用，请稍后重试"""

    code = "UNAVAILABLE"
    retry_after_s: ClassVar[int] = 1


class Paused(Unavailable):
    """活动暂停中，请稍后重试"""

    code = "PAUSED"


class Overloaded(Unavailable):
    """当前人数过多，请稍后重试"""

    code = "OVERLOADED"


class PlaybookFailed(Unavailable):
    """玩法执行出错，未产生任何变更"""

    code = "PLAYBOOK_FAILED"


class ShardUnknown(Unavailable):
    """分片尚未开放"""

    code = "SHARD_UNKNOWN"


class OrderNotReady(Unavailable):
    """订单正在生成，请稍后重试"""

    code = "ORDER_NOT_READY"


# --- what only an operator or developer sees ----------------------------------------------


class SettingsInvalid(WanfaError):
    """The configuration cannot be used."""

    code = "SETTINGS_INVALID"


class MigrationRefused(WanfaError):
    """The database cannot be migrated."""

    code = "MIGRATION_REFUSED"


class PlaybookInvalid(WanfaError):
    """The playbook does not keep its contract."""

    code = "PLAYBOOK_INVALID"


class ServerUnreachable(WanfaError):
    """A server wanfa needs does not answer."""

    code = "SERVER_UNREACHABLE"
