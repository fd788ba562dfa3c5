"""One tree of errors: `text` is what a person reads, `code` what a program reads and never changes.

The HTTP status of each error, and how it looks on the wire, is decided in `api/errors.py`, nowhere else.
"""

from typing import Any, ClassVar

from engine.core.texts import Text, alike


class WanfaError(Exception):
    """The base of them all; of itself, what nobody foresaw. Catch it where any error of ours ends."""

    code: ClassVar[str] = "INTERNAL"
    text: ClassVar[Text] = Text("系统内部错误", "Internal error")

    def __init__(self, detail: Text | str | None = None, **extra: Any) -> None:
        """`detail` says more than the class's text; as a str it is the same in every language, for developers."""
        self.detail = alike(detail) if isinstance(detail, str) else detail or self.text
        self.extra = extra
        super().__init__(self.detail.zh)


# --- what a caller sent -------------------------------------------------------------------


class BadInput(WanfaError):
    """What was sent cannot be used as it is; sending it again does not help."""

    code = "VALIDATION_FAILED"
    text = Text("请求内容不符合要求", "The request does not fit")


class MalformedBody(BadInput):
    """The body cannot be read at all."""

    code = "MALFORMED_BODY"
    text = Text("请求体不是合法的 JSON", "The body is not valid JSON")


class MalformedQuery(BadInput):
    """What stands behind the `?` of an address cannot be read at all."""

    code = "MALFORMED_QUERY"
    text = Text(
        "查询字符串须为百分号编码的 UTF-8，最多 20 个参数",
        "The query must be percent-encoded UTF-8, with 20 parameters at most",
    )


class BodyTooLarge(BadInput):
    """The body has more bytes than `api.body_bytes_max`."""

    code = "BODY_TOO_LARGE"
    text = Text("请求体超过上限", "The body is too large")


class MalformedRequest(WanfaError):
    """What came is not HTTP/1.1, or could be understood in two ways."""

    code = "MALFORMED_REQUEST"
    text = Text("请求不是合法的 HTTP/1.1", "The request is not valid HTTP/1.1")


class HeadTooLarge(WanfaError):
    """The request line and headers are too long, or too many."""

    code = "HEAD_TOO_LARGE"
    text = Text("请求头超过上限", "The request's head is too large")


class HeadTooSlow(WanfaError):
    """The request line and headers took too long to arrive."""

    code = "HEAD_TOO_SLOW"
    text = Text("请求头迟迟没有传完", "The request's head took too long to arrive")


class ExpectationFailed(WanfaError):
    """`Expect` asks for what there is not."""

    code = "EXPECTATION_FAILED"
    text = Text("不支持 Expect 请求头所要求的内容", "What Expect asks for is not supported")


class BodyTooSlow(BadInput):
    """The body had not arrived after `api.body_timeout_s`."""

    code = "BODY_TOO_SLOW"
    text = Text("请求体迟迟没有传完", "The body took too long to arrive")


class RulesInvalid(BadInput):
    """Rules that the playbook's schema, or the playbook itself, does not take."""

    code = "RULES_INVALID"
    text = Text("玩法规则不符合要求", "The rules do not fit the playbook")


class CursorInvalid(BadInput):
    """A cursor that no page of this list gave out."""

    code = "CURSOR_INVALID"
    text = Text("翻页游标无效", "The cursor is not valid")


# --- who is asking ------------------------------------------------------------------------


class Unauthenticated(WanfaError):
    """Nobody knows who asks; catch it for a wrong token too."""

    code = "TOKEN_MISSING"
    text = Text("请先登录", "Please log in")


class TokenInvalid(Unauthenticated):
    """A token that we did not sign, or no token at all."""

    code = "TOKEN_INVALID"
    text = Text("登录凭证无效", "The token is not valid")


class TokenExpired(Unauthenticated):
    """A token of ours whose time is over."""

    code = "TOKEN_EXPIRED"
    text = Text("登录已过期，请重新登录", "The login has expired, please log in again")


class LoginFailed(Unauthenticated):
    """Wrong credentials; it never says which of them."""

    code = "LOGIN_FAILED"
    text = Text("登录失败", "The login failed")


class Forbidden(WanfaError):
    """It is known who asks, and this role may not."""

    code = "FORBIDDEN"
    text = Text("没有权限执行此操作", "You may not do this")


# --- what is asked for --------------------------------------------------------------------


class NotFound(WanfaError):
    """Nothing has that id, or it belongs to somebody else."""

    code = "NOT_FOUND"
    text = Text("请求的内容不存在", "There is no such thing")


class StateConflict(WanfaError):
    """The thing exists, but in its state this cannot be done to it."""

    code = "STATE_CONFLICT"
    text = Text("当前状态不允许此操作", "This is not possible in the current state")


class AlreadyExists(StateConflict):
    """The name or id is taken."""

    code = "ALREADY_EXISTS"
    text = Text("同名内容已存在", "It exists already")


class PaymentClosed(StateConflict):
    """The order can no longer be paid for."""

    code = "PAYMENT_CLOSED"
    text = Text("支付已关闭", "The payment is closed")


# --- what a click is told -----------------------------------------------------------------


class Refusal(WanfaError):
    """A click that was decided, and not won; catch it for any of those below."""

    code = "REFUSED"
    text = Text("本次操作未成功", "The action was not done")


class SoldOut(Refusal):
    """No stock is left."""

    code = "SOLD_OUT"
    text = Text("已售罄", "Sold out")


class LimitReached(Refusal):
    """The person holds or bought as many as one person may."""

    code = "LIMIT_REACHED"
    text = Text("已达到每人限购数量", "You have reached the limit per person")


class InstanceFull(Refusal):
    """The instance has as many members as it takes."""

    code = "INSTANCE_FULL"
    text = Text("名额已满", "No seats are left")


class NotStarted(Refusal):
    """The click came before the start."""

    code = "NOT_STARTED"
    text = Text("活动尚未开始", "The sale has not started")


class Ended(Refusal):
    """The click came after the end, or the instance is final."""

    code = "ENDED"
    text = Text("活动已结束", "The sale has ended")


class Conflict(Refusal):
    """The person takes part in something that excludes this."""

    code = "CONFLICT"
    text = Text("与已参加的活动冲突", "This conflicts with a sale you already take part in")


class NotEligible(Refusal):
    """The playbook does not take this person."""

    code = "NOT_ELIGIBLE"
    text = Text("不符合参加条件", "You are not eligible")


class RequestIdReused(Refusal):
    """The same requestId with another content; a true repeat gets the first answer."""

    code = "REQUEST_ID_REUSED"
    text = Text("该 requestId 已用于另一个请求", "This requestId was used for another request")


class ActionUnknown(Refusal):
    """The playbook has no such verb."""

    code = "ACTION_UNKNOWN"
    text = Text("该玩法不支持此操作", "The playbook has no such action")


class InstanceNotFound(Refusal):
    """No instance has that id."""

    code = "INSTANCE_NOT_FOUND"
    text = Text("活动实例不存在", "There is no such instance")


class ConfigNotFound(Refusal):
    """No play config that consumers may see has that id."""

    code = "CONFIG_NOT_FOUND"
    text = Text("营销商品不存在或未上架", "There is no such product, or it is not on sale")


# --- what the system cannot do just now ---------------------------------------------------


class Unavailable(WanfaError):
    """Something of ours cannot work just now; a retry after `retry_after_s` may help."""

    code = "UNAVAILABLE"
    text = Text("服务暂时不可用，请稍后重试", "The service is away just now, please try again later")
    retry_after_s: ClassVar[int] = 1


class Paused(Unavailable):
    """The config is paused, or its shard is closed."""

    code = "PAUSED"
    text = Text("活动暂停中，请稍后重试", "The sale is paused, please try again later")


class Overloaded(Unavailable):
    """More is waiting than can be done in time, so nothing was begun."""

    code = "OVERLOADED"
    text = Text("当前人数过多，请稍后重试", "Too many people just now, please try again later")


class PlaybookFailed(Unavailable):
    """The code of a playbook broke off; whatever it had done is undone."""

    code = "PLAYBOOK_FAILED"
    text = Text("玩法执行出错，未产生任何变更", "The playbook failed, nothing was changed")


class ShardUnknown(Unavailable):
    """No Redis has opened that shard."""

    code = "SHARD_UNKNOWN"
    text = Text("分片尚未开放", "The shard is not open yet")


class OrderNotReady(Unavailable):
    """The click was won, but its order is not in Postgres yet."""

    code = "ORDER_NOT_READY"
    text = Text("订单正在生成，请稍后重试", "The order is being made, please try again later")


# --- what only an operator or developer sees ----------------------------------------------


class SettingsInvalid(WanfaError):
    """Settings that are missing, unknown or wrong."""

    code = "SETTINGS_INVALID"
    text = alike("The configuration cannot be used")


class MigrationRefused(WanfaError):
    """A migration that does not fit the history, or failed."""

    code = "MIGRATION_REFUSED"
    text = alike("The database cannot be migrated")


class PlaybookInvalid(WanfaError):
    """A playbook that cannot be loaded as it is."""

    code = "PLAYBOOK_INVALID"
    text = alike("The playbook does not keep its contract")


class ServerUnreachable(WanfaError):
    """Redis, Postgres or a part of ours cannot be reached."""

    code = "SERVER_UNREACHABLE"
    text = alike("A server that wanfa needs does not answer")
