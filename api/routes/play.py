"""What a consumer asks for off the hot path: what is on sale, and their own orders."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.params import FromPath, QueryParameter

from api.doors import Cursor, Engaged, Limit, Who, only, says
from engine.access.tokens import Role
from engine.core.errors import (
    BadInput,
    ConfigNotFound,
    CursorInvalid,
    NotFound,
    OrderNotReady,
    PaymentClosed,
    StateConflict,
)
from engine.core.pages import LIMIT_DEFAULT, Page
from engine.live.offer import OfferView, offer_view
from engine.money.providers.port import Prepay, ProviderFailed
from engine.orders.orders import Order
from engine.reports.own import OwnInstance
from engine.rewards.rewards import Reward

OfConfig = Annotated[str | None, QueryParameter(name="configId", description="营销商品")]
InStatus = Annotated[str | None, QueryParameter(name="status", description="实例状态")]


class PlayController(Controller):
    """Reading, paying, cancelling; clicks are in hot.py."""

    path = "/v1"

    @get("/play-configs/{config_id:str}", **says("营销商品：在售内容与“发起”按钮", ConfigNotFound))
    async def config(self, config_id: FromPath[str], engine: Engaged) -> OfferView:
        """One product as consumers see it."""
        live = engine.live.configs.get(config_id) or await engine.missed.config(config_id)
        if live is None or live.head_status == 0:
            raise ConfigNotFound
        return offer_view(live, engine.live.now_ms())

    @get("/me/orders", **only(Role.CONSUMER), **says("我的订单，最新的在前", CursorInvalid))
    async def orders(
        self, who: Who, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[Order]:
        """A page of the caller's orders."""
        return await engine.orders.list_for(who.subject, cursor, limit)

    @get(
        "/me/instances",
        **only(Role.CONSUMER),
        **says("我发起、参加或操作过的玩法实例，最近点击的在前；刚刚的点击可能稍后才出现", BadInput, CursorInvalid),
    )
    async def instances(
        self,
        who: Who,
        engine: Engaged,
        of_config: OfConfig = None,
        in_status: InStatus = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT_DEFAULT,
    ) -> Page[OwnInstance]:
        """A page of the caller's own instances."""
        return await engine.reports.own.page(who.subject, cursor, limit, config_id=of_config, status=in_status)

    @get("/me/rewards", **only(Role.CONSUMER), **says("我的奖励，最新的在前；退款期结束前为冻结", CursorInvalid))
    async def rewards(
        self, who: Who, engine: Engaged, cursor: Cursor = None, limit: Limit = LIMIT_DEFAULT
    ) -> Page[Reward]:
        """A page of the caller's rewards."""
        return await engine.rewards.for_user(who.subject, cursor, limit)

    @get("/orders/{order_id:str}", **only(Role.CONSUMER), **says("订单详情", NotFound, OrderNotReady))
    async def order(self, who: Who, order_id: FromPath[str], engine: Engaged) -> Order:
        """One of the caller's orders."""
        return await engine.orders.get(order_id, who.subject)

    @post(
        "/orders/{order_id:str}/payment",
        status_code=200,
        **only(Role.CONSUMER),
        **says(
            "发起支付；重复调用返回同一笔支付", NotFound, OrderNotReady, StateConflict, PaymentClosed, ProviderFailed
        ),
    )
    async def pay(self, who: Who, order_id: FromPath[str], engine: Engaged) -> Prepay:
        """Begin to pay for an order."""
        order = await engine.orders.get(order_id, who.subject)  # waits a moment for a click that is not a row yet
        return await engine.money.payments.prepay(order.id, who.subject)

    @post(
        "/orders/{order_id:str}/cancel",
        status_code=200,
        **only(Role.CONSUMER),
        **says("取消未支付的订单，立即归还库存与名额", NotFound, OrderNotReady, StateConflict, ProviderFailed),
    )
    async def cancel(self, who: Who, order_id: FromPath[str], engine: Engaged) -> Order:
        """Cancel an order that is not paid."""
        return await engine.orders.cancel(order_id, who.subject)
