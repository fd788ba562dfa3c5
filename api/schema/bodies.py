"""What callers send: one Struct a body, decoded strictly; and what is wrong with a body that does not fit."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.access.tokens import Role
from engine.catalog.model import AssetType
from engine.core.errors import BadInput, MalformedBody
from engine.core.schema import NO_DATE, WORDS, FieldError, Schema, is_about_a_time, pointer_of
from engine.core.texts import Text
from engine.playbooks.consult import PRICE_FEN_MAX, STOCK_MAX

T = TypeVar("T", bound=msgspec.Struct)

# Ends with "and nothing follows" because `$` would let a line break through.
PRINTABLE = r"^[^\x00-\x1f\x7f]+(?![\s\S])"  # for programs
PLAIN_ID = r"^[0-9A-Za-z_\-]+(?![\s\S])"

NO_FIT = Text("格式不正确", "The format is wrong")

# What people read; the document says it as a format, and `decode` checks it.
AS_WORDS = {"format": WORDS}
Words = Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema=AS_WORDS)]
Id = Annotated[str, Meta(min_length=1, max_length=32, pattern=PLAIN_ID)]
Password = Annotated[str, Meta(min_length=1, max_length=128, title="密码")]
NewPassword = Annotated[str, Meta(min_length=8, max_length=128, title="密码", description="至少 8 个字符")]
Code = Annotated[str, Meta(min_length=1, max_length=128, pattern=PRINTABLE, title="登录凭证")]
Title = Annotated[Words, Meta(title="标题")]
PriceFen = Annotated[int, Meta(ge=1, le=PRICE_FEN_MAX, title="价格（分）")]
Stock = Annotated[int, Meta(ge=1, le=STOCK_MAX, title="库存")]
StartsAt = Annotated[datetime, Meta(tz=True, title="开始时间", description="RFC 3339，带时区")]
EndsAt = Annotated[datetime, Meta(tz=True, title="结束时间", description="RFC 3339，带时区")]
RulesOf = Annotated[dict[str, Any], Meta(title="玩法规则", description="按玩法模板的 ruleSchema 填写，发布时校验")]
TemplateCode = Annotated[str, Meta(min_length=1, max_length=32, pattern=PLAIN_ID, title="玩法模板")]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A request body; an unknown field is an error."""


class WechatLogin(Body, frozen=True):
    """消费者登录：小程序的登录凭证"""

    code: Code


class StaffLogin(Body, frozen=True):
    """员工登录"""

    username: Annotated[str, Meta(min_length=1, max_length=64, title="用户名")]
    password: Password


class NewStore(Body, frozen=True):
    """新增门店；不填 id 时自动生成"""

    name: Annotated[Words, Meta(title="门店名称")]
    city: Annotated[str, Meta(min_length=1, max_length=32, pattern=PLAIN_ID, title="城市代码", description="如 BJ")]
    id: Annotated[Id, Meta(title="门店编号")] | UnsetType = UNSET


class NewStaff(Body, frozen=True):
    """新增员工；门店角色必须填写 storeId"""

    username: Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN_ID, title="用户名")]
    password: NewPassword
    role: Annotated[Role, Meta(title="角色")]
    store_id: Annotated[Id, Meta(title="门店编号")] | None = None


class TemplateChange(Body, frozen=True):
    """启用或停用玩法，或指定可用门店；storeIds 为 null 表示全部门店"""

    enabled: Annotated[bool, Meta(title="启用")] | UnsetType = UNSET
    store_ids: Annotated[list[Id], Meta(max_length=1000, title="可用门店")] | UnsetType | None = UNSET


class NewService(Body, frozen=True):
    """新增服务"""

    name: Annotated[Words, Meta(title="服务名称")]
    asset_type: Annotated[AssetType, Meta(title="权益类型")]
    unit_name: Annotated[str, Meta(min_length=1, max_length=8, title="单位", extra_json_schema=AS_WORDS)]
    units_per_share: Annotated[int, Meta(ge=1, le=1_000_000, title="每份数量")]


class NewPlayConfig(Body, frozen=True):
    """新建营销商品草稿"""

    template_code: TemplateCode
    service_id: Annotated[Id, Meta(title="服务")]
    title: Title
    price_fen: PriceFen
    stock: Stock
    starts_at: StartsAt
    ends_at: EndsAt
    rules: RulesOf = {}


class PlayConfigChange(Body, frozen=True):
    """修改草稿；只填要修改的字段"""

    template_code: TemplateCode | UnsetType = UNSET
    service_id: Annotated[Id, Meta(title="服务")] | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    price_fen: PriceFen | UnsetType = UNSET
    stock: Stock | UnsetType = UNSET
    starts_at: StartsAt | UnsetType = UNSET
    ends_at: EndsAt | UnsetType = UNSET
    rules: RulesOf | UnsetType = UNSET


class SandboxPay(Body, frozen=True):
    """沙箱付款：payer 为付款人，默认是下单人；late 表示付款在订单关闭之后才到账；notifyAfterMs 为通知延迟"""

    payer: Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE, title="付款人")] | None = None
    late: Annotated[bool, Meta(title="迟到的付款")] = False
    notify_after_ms: Annotated[int, Meta(ge=0, le=60_000, title="通知延迟（毫秒）")] = 0


def decode(kind: type[T], raw: bytes) -> T:
    """The body as a `kind`. Raises MalformedBody, or BadInput that names each wrong field."""
    try:
        return _fitting(kind, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody from None


def changes(body: Body) -> dict[str, Any]:
    """The fields that were sent, by their Python names."""
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not UNSET}


def _fitting(kind: type[T], raw: bytes) -> T:
    body: T
    try:
        body = _decoder(kind).decode(raw)
    except msgspec.ValidationError as error:
        raise BadInput(errors=_wrong(kind, raw, str(error))) from None
    if (schema := schema_of(kind)).has_words and (found := schema.errors(msgspec.json.decode(raw))):
        raise BadInput(errors=found)
    return body


def _wrong(kind: type[msgspec.Struct], raw: bytes, message: str) -> list[FieldError]:
    """Every field the schema objects to; else what msgspec found and a schema cannot say, such as a bad date."""
    if found := schema_of(kind).errors(msgspec.json.decode(raw)):
        return found
    return [FieldError(pointer_of(message), NO_DATE if is_about_a_time(message) else NO_FIT)]


@cache
def schema_of(kind: type[msgspec.Struct]) -> Schema:
    """The compiled schema of a body."""
    return Schema(kind)


@cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
