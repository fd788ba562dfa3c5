"""Logins: a WeChat code becomes a consumer, a user name and a password become a member of staff."""

import asyncio
import re
from datetime import datetime

import asyncpg
import msgspec

from engine.access.passwords import check_password, hash_password
from engine.access.tokens import Role, Tokens
from engine.core import ids
from engine.core.errors import AlreadyExists, BadInput, LoginFailed, NotFound, Overloaded
from engine.core.pages import Page, page_of, unmark
from engine.core.settings import AuthSettings
from engine.core.texts import Text

NO_WECHAT = Text("微信登录未配置", "The login by WeChat is not configured")
DEMO_ONLY = Text("微信登录未配置，请使用 demo-<名字>", "The login by WeChat is not configured: use demo-<name>")
DEMO_CODE = re.compile(r"demo-[0-9A-Za-z_\-\u4e00-\u9fff]{1,32}")
CHECKS_AT_ONCE = 2  # a password check takes 16 MiB and a core
CHECKS_WAITING_MAX = 64

INSERT_USER = "INSERT INTO users (id, openid) VALUES ($1, $2) ON CONFLICT DO NOTHING"
LIST_STAFF = """
SELECT id, username, role, store_id FROM staff WHERE $1::text IS NULL OR username > $1 ORDER BY username LIMIT $2
"""
FIND_STAFF = "SELECT id, password_hash, role, store_id FROM staff WHERE username = $1"
INSERT_STAFF = """
INSERT INTO staff (id, username, password_hash, role, store_id) VALUES ($1, $2, $3, $4, $5)
"""
SAVE_STAFF = f"{INSERT_STAFF}ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash"


class KnownConsumer(msgspec.Struct, frozen=True):
    """A consumer who has just logged in."""

    user_id: str
    token: str
    expires_at: datetime


class KnownStaff(msgspec.Struct, frozen=True):
    """A member of staff who has just logged in."""

    staff_id: str
    token: str
    expires_at: datetime
    role: Role
    store_id: str | None


class Staff(msgspec.Struct, frozen=True, rename="camel"):
    """A member of staff, without the password."""

    id: str
    username: str
    role: Role
    store_id: str | None


class Access:
    """Lets people in. `tokens` knows them again."""

    def __init__(self, pool: asyncpg.Pool, tokens: Tokens, settings: AuthSettings) -> None:
        self._pool = pool
        self.tokens = tokens
        self._settings = settings
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0
        # Checked when nobody has the name, so that a stranger cannot tell the two cases apart by time.
        self._nobodys_hash = hash_password("")

    async def login_consumer(self, code: str) -> KnownConsumer:
        """The user behind a WeChat login code; with auth.demo_logins, `demo-<name>` is one. Raises LoginFailed."""
        if not (self._settings.demo_logins and DEMO_CODE.fullmatch(code)):
            raise LoginFailed(DEMO_ONLY if self._settings.demo_logins else NO_WECHAT)
        user_id = ids.user_id(code)
        await self._pool.execute(INSERT_USER, user_id, code)
        token, expires_at = self.tokens.issue(user_id, Role.CONSUMER, self._settings.consumer_ttl_s)
        return KnownConsumer(user_id, token, expires_at)

    async def login_staff(self, username: str, password: str) -> KnownStaff:
        """The member of staff with this name and password. Raises LoginFailed for either; never says which."""
        row = await self._pool.fetchrow(FIND_STAFF, username)
        matches = await self._check(password, row["password_hash"] if row else self._nobodys_hash)
        if row is None or not matches:
            raise LoginFailed(Text("用户名或密码错误", "The username or the password is wrong"))
        role = Role(row["role"])
        token, expires_at = self.tokens.issue(row["id"], role, self._settings.staff_ttl_s, row["store_id"])
        return KnownStaff(row["id"], token, expires_at, role, row["store_id"])

    async def create_staff(self, username: str, password: str, role: Role, store_id: str | None = None) -> Staff:
        """A new member of staff; STORE and CLERK belong to a store, the others to none.

        Raises BadInput, AlreadyExists (the name), NotFound (the store).
        """
        if role is Role.CONSUMER or (role in (Role.STORE, Role.CLERK)) != (store_id is not None):
            raise BadInput(
                Text(
                    "门店角色必须指定门店，总部角色不能指定门店",
                    "The roles of a store need a store, those of headquarters have none",
                )
            )
        staff = Staff(ids.new_id("a"), username, role, store_id)
        hashed = await asyncio.to_thread(hash_password, password)
        try:
            await self._pool.execute(INSERT_STAFF, staff.id, username, hashed, role.value, store_id)
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(Text(f"用户名 {username} 已存在", f"The username {username} is taken")) from None
        except asyncpg.ForeignKeyViolationError:
            raise NotFound(Text("门店不存在", "There is no such store")) from None
        return staff

    async def ensure_staff(self, username: str, password: str, role: Role, store_id: str | None) -> None:
        """Hire them if there is nobody of that name; else see to it that this is their password."""
        row = await self._pool.fetchrow(FIND_STAFF, username)
        if row is None or not await asyncio.to_thread(check_password, password, row["password_hash"]):
            hashed = await asyncio.to_thread(hash_password, password)
            await self._pool.execute(SAVE_STAFF, ids.new_id("a"), username, hashed, role.value, store_id)

    async def staff_page(self, cursor: str | None, limit: int) -> Page[Staff]:
        """Everyone who works here, by user name. Raises CursorInvalid."""
        after = unmark(cursor, 1)
        rows = await self._pool.fetch(LIST_STAFF, after[0] if after else None, limit + 1)
        staff = [Staff(row["id"], row["username"], Role(row["role"]), row["store_id"]) for row in rows]
        return page_of(staff, limit, lambda one: (one.username,))

    async def _check(self, password: str, stored: str) -> bool:
        if self._waiting >= CHECKS_WAITING_MAX:
            raise Overloaded
        self._waiting += 1
        try:
            async with self._checks:
                return await asyncio.to_thread(check_password, password, stored)
        finally:
            self._waiting -= 1
