"""The sandbox provider's side of a payment: here a caller plays the payer, and the other company's retries."""

import msgspec
from litestar import Controller, post
from litestar.params import FromPath, RawBody

from api.doors import Engaged, says
from api.schema.bodies import SandboxPay, decode
from engine.core.errors import NotFound, PaymentClosed
from engine.core.texts import Text
from engine.money.providers.port import Trade
from engine.money.providers.sandbox import Sandbox


class SandboxTrade(msgspec.Struct, frozen=True, rename="camel"):
    """沙箱中的交易"""

    order_id: str
    state: str
    amount_fen: int
    transaction_id: str | None
    payer: str | None


class SandboxController(Controller):
    """Only there when money.provider is `sandbox`; it takes no real money, so it asks for no token."""

    path = "/v1/payments/sandbox/{order_id:str}"

    @post(
        "/pay",
        status_code=200,
        **says(
            "扮演付款人：支付订单；payer 指定付款人，late 模拟关闭之后才到账的付款，notifyAfterMs 推迟通知",
            NotFound,
            PaymentClosed,
            body=SandboxPay,
            body_optional=True,
        ),
    )
    async def pay(self, order_id: FromPath[str], body: RawBody, engine: Engaged) -> SandboxTrade:
        """Play the payer."""
        ask = decode(SandboxPay, body or b"{}")
        trade = await _sandbox(engine).pay(
            _known(order_id), payer=ask.payer, late=ask.late, notify_after_ms=ask.notify_after_ms
        )
        return _played(order_id, trade)

    @post("/notify", status_code=200, **says("再次发送付款通知；重复通知不产生影响", NotFound))
    async def notify(self, order_id: FromPath[str], engine: Engaged) -> SandboxTrade:
        """Play the provider that sends its notification once more."""
        sandbox = _sandbox(engine)
        trade = await sandbox.query(_known(order_id))
        if trade.transaction_id is None:
            raise NotFound(Text("该订单尚未付款", "This order is not paid yet"))
        await sandbox.notify(order_id)
        return _played(order_id, trade)


def _played(order_id: str, trade: Trade) -> SandboxTrade:
    return SandboxTrade(order_id, trade.state.value, trade.amount_fen, trade.transaction_id, trade.payer)


def _sandbox(engine: Engaged) -> Sandbox:
    if not isinstance(engine.money.provider, Sandbox):
        raise NotFound
    return engine.money.provider


def _known(order_id: str) -> str:
    if not is_order_id(order_id):
        raise NotFound(Text("订单不存在", "There is no such order"))
    return order_id


def is_order_id(text: str) -> bool:
    """32 lower-case hexadecimal digits; nothing else needs to be looked up."""
    return len(text) == 32 and not text.strip("0123456789abcdef")
