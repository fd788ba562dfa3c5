"""The hot routes: which there are, and clicks; reads are in reads.py and lists.py.

Beside Litestar, because its layers cost more than a join.

A click falls straight down: token, body, config from the snapshot, lane, reply bytes. Each method answers
(status, headers, body); api/rsgi.py puts that on the wire.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from api.errors import Answer, Headers, MethodNotAllowed, rendered
from api.hot.again import Again
from api.hot.body import Bodies, BodyStream, ClientGone, RequestHeaders
from api.hot.facts import FactReader, Scope
from api.hot.lists import Lists
from api.hot.own import SECOND, Own
from api.hot.reads import Reads
from api.languages import language_of
from api.requests import allow, not_bearer, options
from api.schema.bodies import decode
from api.schema.queries import checked
from engine.access.tokens import Role, Tokens
from engine.core import errors, ids
from engine.core.schema import FieldError
from engine.core.texts import LANGUAGES, Text
from engine.gate.gate import Gate
from engine.gate.lane import Ticket
from engine.gate.outcome import REFUSALS, Outcome
from engine.gate.records import HeadStatus
from engine.gate.wire import Click, Reply
from engine.live.entries import LiveConfig
from engine.live.live import Live
from engine.live.missed import Missed
from engine.sdk import Status

JSON: Headers = [("content-type", "application/json")]  # answers to POST are not cached without asking
JSON_REPLAYED: Headers = [*JSON, ("idempotent-replayed", "true")]

RequestId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        # Checked by hand in Hot.click: a regular expression costs as much as all the rest of the body.
        extra_json_schema={"pattern": "^[ -~]+$"},
        description="made by the client, new for each intention; a repeat gets the first answer",
        examples=["5f0c6a52-7d0e-4b6f-9a53-2f6f0e3c1a77"],
    ),
]


class Join(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Body of open and join."""

    request_id: RequestId
    quantity: Annotated[int, Meta(ge=1, le=99)] = 1


class Act(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Body of a playbook's own action."""

    request_id: RequestId

    @property
    def quantity(self) -> int:
        """An action is done once."""
        return 1


Handler = Callable[[RequestHeaders, BodyStream, Scope], Awaitable["Answer"]]


class Target(NamedTuple):
    """What a click's path says: the body it takes, what it wants done, and with which config and instance.

    `suffix` is empty for who opens an instance: there is none yet.
    """

    kind: type[Join | Act]
    verb: str
    config_id: str
    suffix: str


class Asked(msgspec.Struct, gc=False):
    """A click that only Redis can decide, and what its reply is turned into an answer with."""

    live: LiveConfig
    click: Click
    config_id: str


_decoders: dict[type[Join | Act], Callable[[bytes], Any]] = {
    Join: msgspec.json.Decoder(Join).decode,
    Act: msgspec.json.Decoder(Act).decode,
}
_STATUS_NAMES = {int(status): status.name for status in Status}

_HOT_PATHS = re.compile(r"/v1/(instances(/[^/]+(/join|/actions/[^/]+)?)?|play-configs(/[^/]+/instances)?)")
MOMENTS_MAX = 1000
NOT_PRINTABLE = Text("requestId 只能包含可打印的 ASCII 字符", "requestId may hold printable ASCII characters only")
CONFIG_ID = re.compile(r"c[0-9a-f]{12}")
NOT_STARTED_MARGIN_MS = 1000  # this close to the start only Redis says whether it has come


class Hot:
    """The hot routes of one process."""

    def __init__(
        self,
        *,
        gate: Gate,
        live: Live,
        tokens: Tokens,
        bodies: Bodies,
        facts: FactReader,
        missed: Missed,
        status_of: Callable[[str], Awaitable[str | None]],
        first_answer: Callable[[str, str, int], Awaitable[Reply | None]],
    ) -> None:
        """Postgres knows what Redis does not: `status_of(order_id)`, of the order of a repeat, once it holds nothing;
        `first_answer(config_id, order_id, fingerprint)`, to a click on a product that is archived.
        """
        self._lanes = gate.lanes
        self._live = live
        self._configs = live.configs
        self._verify = tokens.verify
        self._read = bodies.read
        self._facts = facts.facts
        self._again = Again(status_of)
        self._own = Own(gate)
        self._lists = Lists(live)
        self._reads = Reads(live, self._lists, missed)
        self._first_answer = first_answer
        self._refusals: dict[str, dict[int, Answer]] = {
            language: {outcome: rendered(error(), language) for outcome, error in REFUSALS.items()}
            for language in LANGUAGES
        }
        self._moments: dict[int, str] = {}
        self._browsed = {"/v1/instances": self._lists.instances, "/v1/play-configs": self._lists.offers}

    def find(self, method: str, path: str) -> Handler | None:
        """The handler of a hot route, or None: the route is Litestar's. The reference is api/README.md."""
        if method == "POST":
            target = target_of(path)
            return None if target is None else partial(self.click, target)
        if method == "GET":
            here = path in self._browsed or (path.startswith("/v1/instances/") and "/" not in path[14:])
            return partial(self._read_for, path) if here else None
        return None

    def other(self, method: str, path: str) -> Answer | None:
        """What the path of a hot route answers to a method without a handler: its methods. None: no hot route.

        Raises MethodNotAllowed unless that is just what was asked, by OPTIONS.
        """
        if not _HOT_PATHS.fullmatch(path):
            return None
        allowed = allow(name for name in ("GET", "POST") if self.find(name, path))
        if method == "OPTIONS":
            return options(allowed)
        raise MethodNotAllowed(allow=allowed)

    async def click(self, target: Target, headers: RequestHeaders, body: BodyStream, scope: Scope) -> Answer:
        """POST: join an instance, open one of one's own, or a playbook's own action."""
        user = self.consumer(headers.get("authorization"))
        answer = self.asked(target, user, await self._read(headers, body), headers, scope.query_string)
        if isinstance(answer, Asked):
            if answer.live.asks:
                return await self.with_facts(answer, headers, scope)
            reply = await self._lanes[answer.live.shard].submit(answer.click)
            answer = self.told(answer, reply, headers)
        return answer if isinstance(answer, tuple) else await answer

    async def with_facts(self, asked: Asked, headers: RequestHeaders, scope: Scope) -> Answer:
        """The answer to a click of a config that asks for facts: they are read first."""
        user = asked.click.user
        asked.click.extra = await self._facts(asked.live.asks, user, headers, scope)
        answer = self.told(asked, await self._lanes[asked.live.shard].submit(asked.click), headers)
        return answer if isinstance(answer, tuple) else await answer

    def enter(self, asked: Asked, ticket: Ticket) -> None:
        """Hand a click that asks for no facts to its lane. Raises Overloaded or Paused; `ticket` hears the rest."""
        self._lanes[asked.live.shard].enter(asked.click, ticket)

    def asked(
        self, target: Target, user: str, raw: bytes, headers: RequestHeaders, query: str
    ) -> Asked | Answer | Awaitable[Answer]:
        """What happens before the lane: the click to be decided, or what it is answered without Redis.

        One function on purpose: each call on the way costs a click a few per cent.
        """
        kind, verb, config_id, suffix = target
        if query:
            checked(query, ())
        try:
            ask = _decoders[kind](raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            ask = decode(kind, raw)  # raises what is wrong with it, field by field
        request_id, quantity = ask.request_id, ask.quantity
        if not (request_id.isascii() and request_id.isprintable()):
            raise errors.BadInput(errors=[FieldError("/requestId", NOT_PRINTABLE)])
        live = self._configs.get(config_id)
        if live is None:
            order_id = ids.click_id(config_id, user, request_id)
            fingerprint = ids.fingerprint(verb, suffix or config_id, quantity)
            return self._forgotten(config_id, verb, order_id, fingerprint)
        if kind is Act and verb not in live.playbook.actions:
            return self._refused(self._no_action(live), headers)
        if live.guarded and (refusal := self._known_refusal(live, user, verb)):
            return self._refused(refusal, headers)
        order_id = ids.click_id(config_id, user, request_id)
        fingerprint = ids.fingerprint(verb, suffix or config_id, quantity)
        suffix = suffix or ids.opened_suffix(order_id)
        click = Click(config_id, verb, suffix, user, order_id, fingerprint, quantity, request_id)
        return Asked(live, click, config_id)

    def told(self, asked: Asked, reply: int | Reply, headers: RequestHeaders) -> Answer | Awaitable[Answer]:
        """What becomes of the lane's reply."""
        live, click, config_id = asked.live, asked.click, asked.config_id
        if not isinstance(reply, Reply):
            return self._lost(reply, live, click, headers)
        if live.guarded:
            live.reserved(click.user)
        won = self._won(config_id, click.order_id, reply)
        if reply.state is False:
            return 201, JSON, won
        return self._repeated(won, click.order_id, reply.state)

    async def _repeated(self, first: bytes, order_id: str, state: int) -> Answer:
        return 201, JSON_REPLAYED, await self._again.told(first, order_id, state)

    def read(self, path: str, headers: RequestHeaders, scope: Scope) -> Answer | Awaitable[Answer] | None:
        """GET: one instance's detail, or a list, as ready bytes; None: no read of ours. Raises WanfaErrors."""
        if not path.startswith("/v1/"):
            return None
        if path.startswith("/v1/instances/") and "/" not in path[14:]:
            if scope.query_string:
                checked(scope.query_string, ())
            return self._reads.detail(path[14:], headers.get("if-none-match"))
        browsed = self._browsed.get(path)
        return None if browsed is None else browsed(scope.query_string)

    async def _read_for(self, path: str, headers: RequestHeaders, _body: BodyStream, scope: Scope) -> Answer:
        answer = self.read(path, headers, scope)
        assert answer is not None
        return answer if isinstance(answer, tuple) else await answer

    def _lost(
        self, outcome: int, live: LiveConfig, click: Click, headers: RequestHeaders
    ) -> Answer | Awaitable[Answer]:
        """What the gate refused; a second open is told which instance was the first."""
        verb = click.verb
        if outcome == Outcome.CONFIG_NOT_FOUND:  # on its way into Redis, or archived
            return self._forgotten(live.config.id, verb, click.order_id, click.fingerprint)
        if verb == "open" and outcome in SECOND:
            language = language_of(headers.get("accept-language"))
            return self._own.refused(outcome, live.shard, live.config.id, click.user, language)
        return self._refused(outcome, headers)

    async def _forgotten(self, config_id: str, verb: str, order_id: str, fingerprint: int) -> Answer:
        """A click on what memory or Redis does not know: a product that is archived, or none at all."""
        reply = await self._first_answer(config_id, order_id, fingerprint) if CONFIG_ID.fullmatch(config_id) else None
        if reply is None:
            raise errors.ConfigNotFound if verb == "open" else errors.InstanceNotFound
        won = self._won(config_id, order_id, reply)
        return await self._repeated(won, order_id, reply.state)

    def _refused(self, outcome: int, headers: RequestHeaders) -> Answer:
        """A refusal, ready in each language; the header is read only here, so a click that wins pays nothing for it."""
        return self._refusals[language_of(headers.get("accept-language"))][outcome]

    def _no_action(self, live: LiveConfig) -> Outcome:
        """What an action is told that the playbook does not have; or nobody knows, because it is not installed."""
        if not live.missing:
            return Outcome.ACTION_UNKNOWN
        # In the order of scripts/lua/include/rules.lua.
        return Outcome.ENDED if self._live.now_ms() >= live.ends_ms else Outcome.PAUSED

    def _known_refusal(self, live: LiveConfig, user: str, verb: str) -> Outcome | None:
        """What the snapshot alone may answer, so that neither early nor late crowds reach Redis."""
        if (
            live.starts_ms - self._live.now_ms() > NOT_STARTED_MARGIN_MS
            and verb not in live.playbook.early
            and live.head_status == HeadStatus.PUBLISHED
            and self._live.fresh(live.shard)
        ):
            return Outcome.NOT_STARTED
        if verb in live.playbook.reserves and self._live.sold_out(live, user):
            return Outcome.SOLD_OUT
        return None

    def _won(self, config_id: str, order_id: str, reply: Reply) -> bytes:
        suffix, pay_before_ms = reply.suffix, reply.pay_before_ms
        moment = self._moments.get(pay_before_ms) or self._moment(pay_before_ms)
        progress = f'{{"current":{reply.current},"target":{reply.target}}}'
        state = f'"status":"{_STATUS_NAMES[reply.status]}","progress":{progress}'
        if reply.outcome == Outcome.RESERVED:
            body = (
                f'{{"outcome":"RESERVED","orderId":"{order_id}","instanceId":"{config_id}.{suffix}",'
                f'"payBefore":"{moment}","instance":{{{state}}}}}'
            )
        else:
            body = f'{{"outcome":"DONE","instanceId":"{config_id}.{suffix}","instance":{{{state}}}}}'
        return body.encode()

    def _moment(self, ms: int) -> str:
        """RFC 3339 in UTC. A whole batch shares one moment, so its text is kept."""
        if len(self._moments) > MOMENTS_MAX:
            self._moments.clear()
        moment = datetime.fromtimestamp(ms / 1000, UTC)
        text = self._moments[ms] = moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
        return text

    def consumer_of(self, authorization: bytes | None) -> str:
        """Likewise, of a header in bytes."""
        return self.consumer(None if authorization is None else authorization.decode("latin-1"))

    def consumer(self, authorization: str | None) -> str:
        """The consumer who asks, by their header. Raises Unauthenticated, TokenInvalid, TokenExpired or Forbidden."""
        if authorization is None:
            raise errors.Unauthenticated
        token = authorization[7:].strip()
        if authorization[:7].lower() != "bearer " or not token:
            raise not_bearer(authorization)
        caller = self._verify(token)
        if caller.role is not Role.CONSUMER:
            raise errors.Forbidden
        return caller.subject


def target_of(path: str) -> Target | None:
    """Which click a POST to that path is; None: none."""
    if path.startswith("/v1/instances/"):
        target, _, verb = path[14:].partition("/")
        config_id, _, suffix = target.partition(".")
        if verb == "join":
            return Target(Join, verb, config_id, suffix)
        if verb.startswith("actions/"):
            return Target(Act, verb[8:], config_id, suffix)
    elif path.startswith("/v1/play-configs/") and path.endswith("/instances"):
        return Target(Join, "open", path[17:-10], "")
    return None


async def answered(handler: Handler, headers: RequestHeaders, body: BodyStream, scope: Scope) -> Answer:
    """What a handler answers; whatever it raises, as a problem document. Raises ClientGone."""
    if not scope.query_string.isascii():  # raw bytes that no client may send, whether or not anybody reads them
        return rendered(errors.MalformedQuery(), language_of(headers.get("accept-language")))
    try:
        return await handler(headers, body, scope)
    except ClientGone:
        raise
    except Exception as error:  # noqa: BLE001  # the last door: an unexpected error is logged and becomes a 500
        return rendered(error, language_of(headers.get("accept-language")))
