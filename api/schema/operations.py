"""What each route takes and answers, as data: read off Litestar's handlers, and written down for the hot routes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from api.hot import clicks as hot
from api.hot.facts import DEVICE_CHARS_MAX
from api.schema import queries
from engine.access.tokens import Role
from engine.core import errors
from engine.core.errors import WanfaError
from engine.core.pages import Page
from engine.live.offer import OfferView
from engine.live.view import InstanceView, Progress
from engine.orders.moves import OrderStatus

DEVICE = {
    "name": "x-device-id",
    "in": "header",
    "description": "客户端对本设备的称呼，最多 128 个可打印的 ASCII 字符；仅部分玩法使用，只保存哈希",
    "schema": {"type": "string", "maxLength": DEVICE_CHARS_MAX},
}


TAGS = ("auth", "store", "hq", "payments")


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `roles` None: no token needed."""

    method: str
    path: str
    summary: str
    roles: tuple[Role, ...] | None = None
    query: tuple[queries.Parameter, ...] = ()
    headers: tuple[dict[str, Any], ...] = ()
    body: Any = None
    body_optional: bool = False
    status: int = 200
    answer: Any = None
    raises: tuple[type[WanfaError], ...] = ()

    @property
    def tag(self) -> str:
        """The role the route is for, or what it is about."""
        _, version, noun, *_ = [*self.path.split("/"), ""]
        return "ops" if version != "v1" else noun if noun in TAGS else "play"

    @property
    def id(self) -> str:
        """`post_v1_store_services`."""
        return f"{self.method}{re.sub(r'[^A-Za-z0-9]+', '_', self.path)}".rstrip("_")


def operations_of(app: Litestar) -> Iterator[Operation]:
    """Every documented route: a handler that `says` something, then the hot ones."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "refusals" in handler.opt:
                    yield _read(route.path_format, handler)
    yield from HOT


def _read(path: str, handler: HTTPRouteHandler) -> Operation:
    opt: Mapping[str, Any] = handler.opt
    signature = handler.parsed_fn_signature
    answer = signature.return_type.raw
    if get_origin(answer) is Response:
        (answer,) = get_args(answer)
    return Operation(
        method=next(iter(handler.http_methods - {"OPTIONS"})).lower(),
        path=re.sub(r"\{(\w+)\}", lambda name: "{" + camel(name[1]) + "}", path),
        summary=handler.summary or "",
        roles=opt.get("roles"),
        query=queries.taken_by(signature.parameters),
        body=opt["body"],
        body_optional=opt["body_optional"],
        status=handler.status_code,
        answer=None if answer is type(None) else answer,
        raises=opt["refusals"],
    )


def camel(name: str) -> str:
    """`store_id` as `storeId`, the way msgspec renames fields."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


class InstanceBrief(msgspec.Struct, frozen=True):
    """实例的状态与进度"""

    status: str
    progress: Progress


class OrderBrief(msgspec.Struct, frozen=True):
    """订单当前的状态"""

    status: OrderStatus


class Won(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """点击成功；RESERVED 表示已锁定库存，请在 payBefore 前支付；DONE 表示操作已生效，无需支付；
    重复提交时返回首次结果，并以 order 给出订单当前的状态（暂时查不到时不返回）
    """

    outcome: str
    order_id: str | msgspec.UnsetType = msgspec.UNSET
    instance_id: str
    pay_before: str | msgspec.UnsetType = msgspec.UNSET
    instance: InstanceBrief
    order: OrderBrief | msgspec.UnsetType = msgspec.UNSET


CLICK_REFUSALS = (
    errors.SoldOut,
    errors.LimitReached,
    errors.InstanceFull,
    errors.NotStarted,
    errors.Ended,
    errors.Conflict,
    errors.NotEligible,
    errors.RequestIdReused,
    errors.ActionUnknown,
    errors.ConfigNotFound,
    errors.Paused,
    errors.Overloaded,
    errors.PlaybookFailed,
)


HOT = (
    Operation(
        method="get",
        path="/v1/instances",
        summary="玩法实例列表：按门店、城市、状态、玩法筛选，条件同时满足",
        query=queries.INSTANCES,
        answer=Page[InstanceView],
        raises=(errors.BadInput, errors.CursorInvalid),
    ),
    Operation(
        method="get",
        path="/v1/play-configs",
        summary="营销商品列表：在售与暂停中的商品，按门店、城市、玩法筛选",
        query=queries.OFFERS,
        answer=Page[OfferView],
        raises=(errors.BadInput, errors.CursorInvalid),
    ),
    Operation(
        method="get",
        path="/v1/instances/{instanceId}",
        summary="玩法实例详情：客户端照此渲染；支持 If-None-Match，未变化时返回 304",
        answer=InstanceView,
        raises=(errors.InstanceNotFound,),
    ),
    Operation(
        method="post",
        path="/v1/play-configs/{configId}/instances",
        summary="发起：开一个新的实例并锁定自己的一份；相同 requestId 重复提交返回首次结果",
        roles=(Role.CONSUMER,),
        headers=(DEVICE,),
        body=hot.Join,
        status=201,
        answer=Won,
        raises=CLICK_REFUSALS,
    ),
    Operation(
        method="post",
        path="/v1/instances/{instanceId}/join",
        summary="参加：锁定库存与名额；相同 requestId 重复提交返回首次结果",
        roles=(Role.CONSUMER,),
        headers=(DEVICE,),
        body=hot.Join,
        status=201,
        answer=Won,
        raises=(*CLICK_REFUSALS, errors.InstanceNotFound),
    ),
    Operation(
        method="post",
        path="/v1/instances/{instanceId}/actions/{action}",
        summary="玩法自有操作，做什么由玩法决定",
        roles=(Role.CONSUMER,),
        headers=(DEVICE,),
        body=hot.Act,
        status=201,
        answer=Won,
        raises=(*CLICK_REFUSALS, errors.InstanceNotFound),
    ),
)
