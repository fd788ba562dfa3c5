"""A market and the honest model of 老带新, told the same things; what they answer and what is owed is compared."""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any

from engine.core import ids
from engine.core.transact import transact
from engine.gate import keys, records
from engine.gate.outcome import Outcome
from engine.gate.wire import Reply
from engine.orders.moves import OWE
from tests.acceptance.playbooks.referral_model import Model, Person
from tests.support.market import Market

AT_ONCE = 200  # clicks in one go; a lane decides them in the order in which they were sent
PAYMENTS_AT_ONCE = 8

# As customer service would: the caller's UPDATE is what makes it happen once.
FREEZE_OVER = "UPDATE rewards SET unfreezes_at = now() - interval '1 s' WHERE config_id = $1"
REWARDS = """
SELECT replace(order_id::text, '-', '') AS order_id, user_id, kind, amount, status, reason FROM rewards
 WHERE config_id = $1
"""
REFERRALS = "SELECT status, current, cells FROM instances WHERE config_id = $1"

# (verb, who, at whose referral)
Click = tuple[str, str, str]


class World:
    """One config on sale, its people, and the model beside it."""

    def __init__(self, market: Market, config_id: str, model: Model) -> None:
        self.market = market
        self.config_id = config_id
        self.model = model
        self._numbers = count()
        self._codes: dict[str, str] = {}

    @classmethod
    async def publish(cls, market: Market, **rules: Any) -> "World":
        """A new config with these rules; the model gets the same."""
        sides = {"referrerRewardAmount": 150, "inviteeRewardAmount": 40, "refundDays": 7}
        filled: dict[str, Any] = {"target": 3, "touch": "first", "newcomersOnly": True} | sides | rules
        config_id = await market.publish("REFERRAL", stock=100_000, **filled)
        model = Model(
            target=filled["target"],
            touch=filled["touch"],
            newcomers_only=filled["newcomersOnly"],
            referrer_fen=filled["referrerRewardAmount"],
            invitee_fen=filled["inviteeRewardAmount"],
        )
        return cls(market, config_id, model)

    def meet(self, name: str, *, old: bool = False, device: str | None = None, address: str | None = None) -> str:
        """Somebody comes along; with a device and an address of their own, or with somebody else's."""
        self.model.people[name] = Person(
            name, old, name if device is None else device, f"at {name}" if address is None else address
        )
        return name

    # What people do -----------------------------------------------------------------------------

    async def click(self, clicks: Sequence[Click]) -> list[Outcome]:
        """Many clicks, one after the other in a few batches; each must be answered as the model answers it."""
        outcomes: list[Outcome] = []
        for start in range(0, len(clicks), AT_ONCE):
            some = clicks[start : start + AT_ONCE]
            sent = [self._click(*click) for click in some]  # the model is asked here, in this order
            replies = await asyncio.gather(*(reply for reply, _expected in sent))
            answers = [(click, Outcome(reply.outcome)) for click, reply in zip(some, replies, strict=True)]
            assert answers == [(click, expected) for click, (_reply, expected) in zip(some, sent, strict=True)]
            outcomes += [outcome for _click, outcome in answers]
        return outcomes

    def _click(self, verb: str, name: str, referrer: str) -> tuple[Any, Outcome]:
        request = f"r{next(self._numbers)}"
        order_id = ids.click_id(self.config_id, name, request)
        person = self.model.people[name]
        # Whoever buys does so with a phone that everybody uses; where they came from is known by then.
        device = "lent" if verb == "join" and person.device else person.device
        facts = {"newcomer": person.new, "device": device, "address": person.address}
        if verb == "open":
            suffix, expected = ids.opened_suffix(order_id), self.model.open(name)
            self._codes.setdefault(name, suffix)
        else:
            suffix = self._codes[referrer]
            expected = self.model.visit(name, referrer) if verb == "visit" else self.model.buy(name, order_id)
        fingerprint = ids.fingerprint(verb, suffix, 1)
        return self._reply(verb, suffix, name, order_id, fingerprint, request, facts), expected

    async def _reply(
        self, verb: str, suffix: str, name: str, order_id: str, fingerprint: int, request: str, facts: dict[str, Any]
    ) -> Reply:
        return await self.market.engine.gate.click(
            0, self.config_id, verb, suffix, name, order_id, fingerprint, 1, request, facts
        )

    # What becomes of it ---------------------------------------------------------------------------

    async def pay(self, payers: dict[str, str]) -> None:
        """Orders are paid for, each by somebody; no two of one person at once."""
        await self.market.drain_all()
        few = asyncio.Semaphore(PAYMENTS_AT_ONCE)

        async def one(order_id: str, payer: str) -> None:
            async with few:
                await self.market.pay(order_id, self.model.orders[order_id].buyer, payer=payer)

        await asyncio.gather(*(one(*payment) for payment in payers.items()))
        await self.market.settle()
        for order_id, payer in payers.items():
            self.model.pay(order_id, payer)

    async def expire(self, order_ids: Sequence[str]) -> None:
        """Nobody paid for these in time."""
        await self.market.drain_all()
        await self.market.age(*order_ids)
        await self.market.holds.expire_unpaid()
        await self._given_back(order_ids)

    async def refund(self, order_ids: Sequence[str]) -> None:
        """These are paid back."""
        moves = self.market.engine.orders.moves
        work = partial(moves.make, move=OWE, order_ids=order_ids, why="PAYMENT_REFUSED", by="test")
        assert len(await transact(self.market.pool, work)) == len(order_ids)
        await self._given_back(order_ids)

    async def _given_back(self, order_ids: Sequence[str]) -> None:
        await self.market.settle()
        for order_id in order_ids:
            self.model.give_back(order_id)

    async def lapse(self, name: str) -> None:
        """The binding of a person runs out, as waiting would do."""
        key = keys.people(0, self.config_id)
        mine, effects = records.read_person(await self.market.redis.hget(key, name))
        await self.market.redis.hset(key, name, records.person(effects, mine | {"boundUntil": 1}))
        self.model.lapse(name)

    async def end(self, referrer: str) -> None:
        """The time of a running referral runs out."""
        await self.market.drain_all()
        await self.market.end_group(ids.instance_id(self.config_id, self._codes[referrer]))
        await self.market.settle()
        self.model.end(referrer)

    # What is owed ---------------------------------------------------------------------------------

    async def thaw(self) -> None:
        """The freeze is over, not a moment earlier; what is due is settled."""
        rewards = self.market.engine.rewards
        await self.market.settle()
        assert await rewards.settle_due(1000) == 0
        await self.market.pool.execute(FREEZE_OVER, self.config_id)
        while await rewards.settle_due(1000):
            pass

    async def check(self) -> None:
        """Every referral stands where the model says, and every reward is what the model says, to the fen."""
        rows = await self.market.pool.fetch(REFERRALS, self.config_id)
        stands = {row["cells"]["owner"]: _standing(row) for row in rows}
        assert stands == {
            owner: (one.status.name, one.current, one.bound, one.converted, one.brought)
            for owner, one in self.model.referrals.items()
        }
        rows = await self.market.pool.fetch(REWARDS, self.config_id)
        owed = {(row["order_id"], row["user_id"]): (row["amount"], row["status"], row["reason"]) for row in rows}
        assert len(owed) == len(rows)  # nobody is promised something twice for one order
        assert owed == self.model.rewards()
        granted: dict[str, int] = {}
        for row in rows:
            if row["status"] == "GRANTED":
                granted[row["user_id"]] = granted.get(row["user_id"], 0) + row["amount"]
        assert granted == self.model.granted()


def _standing(row: Any) -> tuple[str, int, int, int, int]:
    cells = row["cells"]
    return row["status"], row["current"], cells["bound"], cells["converted"], cells["brought"]
