"""Who would be rewarded if everyone kept to 老带新's rules: people, bindings and orders in plain Python.

It is told what people do in the order in which they do it, says what each is answered, and in the end who
is granted what. It shares no line with the playbook, the gate or the SQL.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Literal

from engine.gate.outcome import Outcome
from engine.sdk import Status

RUNNING = (Status.PENDING, Status.ACTIVE)


@dataclass
class Person:
    """Somebody, where they come from, and what they have done so far."""

    name: str
    old: bool  # had paid for something before this sale
    device: str
    address: str
    opened: bool = False
    guest_of: str | None = None
    bound: bool = False  # the binding to `guest_of` is alive
    counted: str | None = None  # the order with which they counted
    acted: bool = False  # something is known of their origin
    payments: int = 0

    @property
    def new(self) -> bool:
        """Nothing of theirs is paid."""
        return not self.old and self.payments == 0


@dataclass
class Referral:
    """One person's invitations."""

    status: Status = Status.PENDING
    current: int = 0
    bound: int = 0
    converted: int = 0
    brought: int = 0


@dataclass
class Order:
    """A purchase; `referrer` is whom it counts for if it is paid."""

    buyer: str
    referrer: str | None
    by_newcomer: bool
    state: Literal["HELD", "PAID", "GONE"] = "HELD"
    payer: str = ""


@dataclass
class Model:
    """A config on sale. `side` amounts in fen; the most people a device, an address or a payer may stand for."""

    target: int
    touch: Literal["first", "last"]
    newcomers_only: bool
    referrer_fen: int
    invitee_fen: int
    devices_max: int = 1
    addresses_max: int = 3
    payers_max: int = 1
    people: dict[str, Person] = field(default_factory=dict)
    referrals: dict[str, Referral] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    # What people do -----------------------------------------------------------------------------

    def open(self, name: str) -> Outcome:
        """They want invitations of their own."""
        person = self.people[name]
        if person.opened:
            return Outcome.LIMIT_REACHED
        person.opened = person.acted = True
        self.referrals[name] = Referral()
        return Outcome.DONE

    def visit(self, name: str, referrer: str) -> Outcome:
        """They accept an invitation."""
        person, referral = self.people[name], self.referrals[referrer]
        if referral.status == Status.SUCCESS:
            return Outcome.INSTANCE_FULL
        if referral.status == Status.FAILED:
            return Outcome.ENDED
        if person.opened or person.counted or (self.newcomers_only and not person.new):
            return Outcome.NOT_ELIGIBLE
        if person.bound and (self.touch == "first" or person.guest_of == referrer):
            return Outcome.CONFLICT
        person.guest_of, person.bound, person.acted = referrer, True, True
        referral.bound += 1
        return Outcome.DONE

    def buy(self, name: str, order_id: str) -> Outcome:
        """They click on buying, on whoever's page."""
        person = self.people[name]
        referrer = person.guest_of if person.bound and not person.counted else None
        if referrer and self.referrals[referrer].status not in RUNNING:
            referrer = None
        self.orders[order_id] = Order(name, referrer, person.new)
        return Outcome.RESERVED

    # What becomes of it ---------------------------------------------------------------------------

    def pay(self, order_id: str, payer: str) -> None:
        """An order is paid for."""
        order = self.orders[order_id]
        buyer = self.people[order.buyer]
        order.state, order.payer = "PAID", payer
        buyer.payments += 1
        if order.referrer is None or buyer.counted:
            return
        buyer.counted = order_id
        referral = self.referrals[order.referrer]
        referral.current += 1
        referral.converted += 1
        referral.brought += order.by_newcomer
        if referral.current >= self.target:
            referral.status = Status.SUCCESS
        elif referral.status == Status.PENDING:
            referral.status = Status.ACTIVE

    def give_back(self, order_id: str) -> None:
        """An order is not paid for in time, or paid back."""
        order = self.orders[order_id]
        buyer = self.people[order.buyer]
        if order.state == "PAID":
            buyer.payments -= 1
        if order.state == "PAID" and buyer.counted == order_id and order.referrer:
            referral = self.referrals[order.referrer]
            referral.converted -= 1
            referral.brought -= order.by_newcomer
            referral.current -= referral.status != Status.SUCCESS
        order.state = "GONE"

    def lapse(self, name: str) -> None:
        """A binding is over."""
        self.people[name].bound = False

    def end(self, referrer: str) -> None:
        """The time of a referral is over."""
        if self.referrals[referrer].status in RUNNING:
            self.referrals[referrer].status = Status.FAILED

    # What is owed ---------------------------------------------------------------------------------

    def rewards(self) -> dict[tuple[str, str], tuple[int, str, str | None]]:
        """(order, who) -> (fen, status, why); once the freeze is over."""
        owed = {}
        devices = Counter(person.device for person in self.people.values() if person.acted)
        addresses = Counter(person.address for person in self.people.values() if person.acted)
        payers = defaultdict(set)
        for order in self.orders.values():
            payers[order.payer].add(order.buyer)
        for person in self.people.values():
            if person.counted is None:
                continue
            order = self.orders[person.counted]
            assert order.referrer
            if order.state == "GONE":
                verdict: tuple[str, str | None] = "VOID", "ORDER_REFUNDED"
            elif person.device and devices[person.device] > self.devices_max:
                verdict = "FLAGGED", "SHARED_DEVICE"
            elif addresses[person.address] > self.addresses_max:
                verdict = "FLAGGED", "SHARED_ADDRESS"
            elif len(payers[order.payer]) > self.payers_max:
                verdict = "FLAGGED", "SHARED_PAYER"
            else:
                verdict = "GRANTED", None
            owed[person.counted, order.referrer] = (self.referrer_fen, *verdict)
            owed[person.counted, person.name] = (self.invitee_fen, *verdict)
        return owed

    def granted(self) -> dict[str, int]:
        """Fen a person."""
        sums: Counter[str] = Counter()
        for (_order, name), (fen, status, _why) in self.rewards().items():
            sums[name] += fen if status == "GRANTED" else 0
        return {name: fen for name, fen in sums.items() if fen}
