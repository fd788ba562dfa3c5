"""Logins: the only routes besides reading that need no token."""

from datetime import datetime

import msgspec
from litestar import Controller, post
from litestar.params import RawBody

from api.doors import Engaged, says
from api.schema.bodies import StaffLogin, WechatLogin, decode
from engine.access.tokens import Role
from engine.core.errors import LoginFailed, Overloaded


class User(msgspec.Struct, frozen=True, rename="camel"):
    """消费者"""

    id: str


class ConsumerToken(msgspec.Struct, frozen=True, rename="camel"):
    """消费者登录结果；token 放在 Authorization: Bearer 里"""

    token: str
    expires_at: datetime
    user: User


class StaffToken(msgspec.Struct, frozen=True, rename="camel"):
    """员工登录结果；总部角色的 storeId 为 null"""

    token: str
    expires_at: datetime
    role: Role
    store_id: str | None


class AuthController(Controller):
    """Who are you?"""

    path = "/v1/auth"

    @post(
        "/wechat",
        status_code=200,
        **says(
            "消费者登录：用小程序 wx.login 的 code 换取凭证（开发环境可用 demo-<name>）", LoginFailed, body=WechatLogin
        ),
    )
    async def wechat(self, body: RawBody, engine: Engaged) -> ConsumerToken:
        """Log a consumer in."""
        login = await engine.access.login_consumer(decode(WechatLogin, body).code)
        return ConsumerToken(login.token, login.expires_at, User(login.user_id))

    @post(
        "/staff", status_code=200, **says("员工登录：总部、财务、门店与店员", LoginFailed, Overloaded, body=StaffLogin)
    )
    async def staff(self, body: RawBody, engine: Engaged) -> StaffToken:
        """Log a member of staff in."""
        ask = decode(StaffLogin, body)
        login = await engine.access.login_staff(ask.username, ask.password)
        return StaffToken(login.token, login.expires_at, login.role, login.store_id)
