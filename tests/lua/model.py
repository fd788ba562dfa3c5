"""What the gate should do, in plain Python: one config, its instances and its people. For test_model.py."""

from dataclasses import dataclass, field

from engine.core import ids
from engine.gate.outcome import Outcome
from engine.gate.records import EffectState, HeadStatus
from engine.sdk import Status

LIVE = (EffectState.HELD, EffectState.PAID)
OVER = (Status.SUCCESS, Status.FAILED)

# (outcome, state of a repeat or False, suffix, status, current, target); only the outcome after a refusal.
Answer = tuple[int, int | bool, str, int, int, int]


@dataclass
class Effect:
    """A click that had an effect."""

    fingerprint: int
    state: EffectState
    quantity: int
    suffix: str
    answer: Answer
    opened: bool


@dataclass
class Instance:
    """A flash sale's session (target 0) or a group."""

    status: Status = Status.PENDING
    current: int = 0
    target: int = 0
    seats_left: int = 0
    over: bool = False  # its time has come

    def seen(self) -> tuple[int, int, int]:
        """What a reply says of it."""
        return self.status, self.current, self.target


def refused(outcome: Outcome) -> Answer:
    """The answer of a click that changed nothing."""
    return outcome, False, "", 0, 0, 0


@dataclass
class Model:
    """A config on sale."""

    config_id: str
    code: str
    stock: int
    limit: int
    target: int
    effects_max: int
    left: int = 0
    head: HeadStatus = HeadStatus.PUBLISHED
    begun: bool = True
    over: bool = False
    instances: dict[str, Instance] = field(default_factory=dict)
    people: dict[str, dict[str, Effect]] = field(default_factory=dict)

    def effects(self, suffix: str | None = None) -> list[Effect]:
        """All that happened, or what happened on one instance."""
        every = (effect for record in self.people.values() for effect in record.values())
        return [effect for effect in every if suffix in (None, effect.suffix)]

    def click(self, verb: str, suffix: str, user: str, request: str, quantity: int) -> Answer:
        """A consumer's click; `suffix` is ignored when it opens."""
        order_id = ids.click_id(self.config_id, user, request)
        fingerprint = ids.fingerprint(verb, self.config_id if verb == "open" else suffix, quantity)
        suffix = ids.opened_suffix(order_id) if verb == "open" else suffix
        record = self.people.setdefault(user, {})
        if seen := record.get(request):
            same = seen.fingerprint == fingerprint
            if not same:
                return refused(Outcome.REQUEST_ID_REUSED)
            return (seen.answer[0], seen.state, seen.suffix, *seen.answer[3:])
        if refusal := self._refusal(verb, suffix, record, quantity) or self._step(verb, suffix, record):
            return refused(refusal)
        self.left -= quantity
        answer = (Outcome.RESERVED, False, suffix, *self.instances[suffix].seen())
        record[request] = Effect(fingerprint, EffectState.HELD, quantity, suffix, answer, verb == "open")
        return answer

    def _refusal(self, verb: str, suffix: str, record: dict[str, Effect], quantity: int) -> Outcome | None:
        units = sum(effect.quantity for effect in record.values() if effect.state in LIVE)
        reasons = (
            (self.head == HeadStatus.ENDED or self.over, Outcome.ENDED),
            (self.head == HeadStatus.PAUSED, Outcome.PAUSED),
            (not self.begun, Outcome.NOT_STARTED),
            (verb == "cut" or (verb == "open" and self.code == "FLASH_SALE"), Outcome.ACTION_UNKNOWN),
            (verb == "open" and suffix in self.instances, Outcome.CONFLICT),
            (verb != "open" and suffix not in self.instances, Outcome.INSTANCE_NOT_FOUND),
            (
                sum(effect.state != EffectState.RELEASED for effect in record.values()) >= self.effects_max,
                Outcome.LIMIT_REACHED,
            ),
            (0 < self.limit < units + quantity, Outcome.LIMIT_REACHED),
            (self.left < quantity, Outcome.SOLD_OUT),
        )
        return next((outcome for true, outcome in reasons if true), None)

    def _step(self, verb: str, suffix: str, record: dict[str, Effect]) -> Outcome | None:
        if verb == "open":
            self.instances[suffix] = Instance(target=self.target, seats_left=self.target - 1)
            return None
        instance = self.instances[suffix]
        if refusal := self._place_refusal(instance, suffix, record):
            return refusal
        if self.code == "FLASH_SALE":
            instance.status = Status.ACTIVE
        else:
            instance.seats_left -= 1
        return None

    def _place_refusal(self, instance: Instance, suffix: str, record: dict[str, Effect]) -> Outcome | None:
        group = self.code == "GROUP_BUY"
        sits = any(effect.suffix == suffix and effect.state in LIVE for effect in record.values())
        reasons = (
            (group and instance.status == Status.SUCCESS, Outcome.INSTANCE_FULL),
            (instance.status in OVER or instance.over, Outcome.ENDED),
            (group and instance.seats_left < 1, Outcome.INSTANCE_FULL),
            (group and sits, Outcome.LIMIT_REACHED),
        )
        return next((outcome for true, outcome in reasons if true), None)

    def paid(self, user: str, request: str) -> Outcome:
        """Postgres says: paid for."""
        effect = self.people.get(user, {}).get(request)
        if effect is None or effect.state != EffectState.HELD:
            return Outcome.UNCHANGED
        instance = self.instances[effect.suffix]
        if self.code == "FLASH_SALE":
            instance.current += effect.quantity
            instance.status = Status.SUCCESS if instance.status == Status.FAILED else instance.status
        elif instance.status == Status.FAILED:
            return Outcome.ENDED
        else:
            instance.current += 1
            instance.status = Status.SUCCESS if instance.current >= instance.target else Status.ACTIVE
        effect.state = EffectState.PAID
        return Outcome.DONE

    def released(self, user: str, request: str) -> Outcome:
        """Postgres says: given back."""
        effect = self.people.get(user, {}).get(request)
        if effect is None or effect.state not in LIVE:
            return Outcome.UNCHANGED
        instance, was = self.instances[effect.suffix], effect.state
        effect.state = EffectState.RELEASED
        self.left += effect.quantity
        if was == EffectState.PAID:
            instance.current -= effect.quantity if self.code == "FLASH_SALE" else 1
        if self.code == "GROUP_BUY" and instance.status not in OVER:
            instance.seats_left += 1
            if instance.seats_left == instance.target:
                instance.status = Status.FAILED
        return Outcome.DONE

    def late(self, user: str, request: str, places: list[str]) -> Outcome:
        """Postgres says: paid for after it was given back; one of `places` may take them in."""
        effect = self.people.get(user, {}).get(request)
        if effect is None or effect.state != EffectState.RELEASED:
            return Outcome.UNCHANGED
        if self.code == "FLASH_SALE" or self.head != HeadStatus.PUBLISHED or self.over:
            return Outcome.ENDED
        units = sum(one.quantity for one in self.people[user].values() if one.state in LIVE)
        if 0 < self.limit < units + effect.quantity:
            return Outcome.LIMIT_REACHED
        own = ids.click_id(self.config_id, user, request)[16:]
        outcome = Outcome.ENDED
        for suffix in places:
            outcome = self._take_in(suffix, own, user, effect)
            if outcome == Outcome.DONE:
                break
        return outcome

    def _take_in(self, suffix: str, own: str, user: str, effect: Effect) -> Outcome:
        instance = self.instances.get(suffix)
        if instance is None and suffix != own:
            return Outcome.INSTANCE_NOT_FOUND
        if self.left < effect.quantity:
            return Outcome.SOLD_OUT
        if instance is None:
            instance = self.instances[own] = Instance(target=self.target, seats_left=self.target)
        elif refusal := self._place_refusal(instance, suffix, self.people[user]):
            return refusal
        instance.seats_left -= 1
        instance.current += 1
        instance.status = Status.SUCCESS if instance.current >= instance.target else Status.ACTIVE
        effect.state, effect.suffix = EffectState.PAID, suffix
        self.left -= effect.quantity
        return Outcome.DONE

    def deadline(self, suffix: str) -> Outcome:
        """The time of an instance may have come."""
        instance = self.instances.get(suffix)
        if instance is None:
            return Outcome.UNCHANGED
        before = instance.seen()
        if self.code == "FLASH_SALE" and instance.status == Status.PENDING:
            instance.status = Status.ACTIVE
        if (instance.over or self.over or self.head == HeadStatus.ENDED) and instance.status not in OVER:
            sold = self.code == "FLASH_SALE" and instance.current > 0
            instance.status = Status.SUCCESS if sold else Status.FAILED
        return Outcome.UNCHANGED if instance.seen() == before else Outcome.DONE
