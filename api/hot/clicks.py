"""The hot routes: which there are, and clicks; reads are in reads.py and lists.py.

Beside Litestar, because its layers cost more than a join.

A click falls straight down: token, body, config from the snapshot, lane, reply bytes. Each method answers
(status, headers, body); api/rsgi.py puts that on the wire.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

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

    def find(self, method: str, path: str) -> Handler | None:
        """The handler of a hot route, or None: the route is Litestar's. The reference is api/README.md."""
        handler: Handler | None = None
        if method == "POST":
            if path.startswith("/v1/instances/"):
                target, _, verb = path[14:].partition("/")
                config_id, _, suffix = target.partition(".")
                if verb == "join":
                    handler = partial(self.click, Join, "join", config_id, suffix)
                elif verb.startswith("actions/"):
                    handler = partial(self.click, Act, verb[8:], config_id, suffix)
            elif path.startswith("/v1/play-configs/") and path.endswith("/instances"):
                handler = partial(self.click, Join, "open", path[17:-10], "")
        elif method == "GET":
            if path.startswith("/v1/instances/") and "/" not in path[14:]:
                handler = partial(self.detail, path[14:])
            elif path == "/v1/instances":
                handler = self.instances
            elif path == "/v1/play-configs":
                handler = self.offers
        return handler

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

    async def click(
        self,
        kind: type[Join | Act],
        verb: str,
        config_id: str,
        suffix: str,
        headers: RequestHeaders,
        body: BodyStream,
        scope: Scope,
    ) -> Answer:
        """POST: join an instance, open one of one's own (no suffix yet), or a playbook's own action.

        One function on purpose: each call on the way costs a click a few per cent.
        """
        user = self._consumer(headers)
        if scope.query_string:
            checked(scope.query_string, ())
        raw = await self._read(headers, body)
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
            return await self._forgotten(config_id, verb, order_id, fingerprint)
        if kind is Act and verb not in live.playbook.actions:
            return self._refused(self._no_action(live), headers)
        if live.guarded and (refusal := self._known_refusal(live, user, verb)):
            return self._refused(refusal, headers)
        order_id = ids.click_id(config_id, user, request_id)
        fingerprint = ids.fingerprint(verb, suffix or config_id, quantity)
        suffix = suffix or ids.opened_suffix(order_id)
        facts = await self._facts(live.asks, user, headers, scope) if live.asks else None
        click = Click(config_id, verb, suffix, user, order_id, fingerprint, quantity, request_id, facts)
        reply = await self._lanes[live.shard].submit(click)
        if not isinstance(reply, Reply):
            return await self._lost(reply, live, click, headers)
        if live.guarded:
            live.reserved(user)
        won = self._won(config_id, order_id, reply)
        if reply.state is False:
            return 201, JSON, won
        return 201, JSON_REPLAYED, await self._again.told(won, order_id, reply.state)

    async def detail(self, instance_id: str, headers: RequestHeaders, _body: BodyStream, scope: Scope) -> Answer:
        """GET instances/{id}: ready bytes; 304 for a client that has them."""
        if scope.query_string:
            checked(scope.query_string, ())
        return await self._reads.detail(instance_id, headers.get("if-none-match"))

    async def instances(self, _headers: RequestHeaders, _body: BodyStream, scope: Scope) -> Answer:
        """GET instances: what is visible, newest sale first, by cursor."""
        return self._lists.instances(scope.query_string)

    async def offers(self, _headers: RequestHeaders, _body: BodyStream, scope: Scope) -> Answer:
        """GET play-configs: what is on sale, and may be opened where the playbook lets consumers open."""
        return self._lists.offers(scope.query_string)

    async def _lost(self, outcome: int, live: LiveConfig, click: Click, headers: RequestHeaders) -> Answer:
        """What the gate refused; a second open is told which instance was the first."""
        verb = click.verb
        if outcome == Outcome.CONFIG_NOT_FOUND:  # on its way into Redis, or archived
            return await self._forgotten(live.config.id, verb, click.order_id, click.fingerprint)
        if verb == "open" and outcome in SECOND:
            language = language_of(headers.get("accept-language"))
            return await self._own.refused(outcome, live.shard, live.config.id, click.user, language)
        return self._refused(outcome, headers)

    async def _forgotten(self, config_id: str, verb: str, order_id: str, fingerprint: int) -> Answer:
        """A click on what memory or Redis does not know: a product that is archived, or none at all."""
        reply = await self._first_answer(config_id, order_id, fingerprint) if CONFIG_ID.fullmatch(config_id) else None
        if reply is None:
            raise errors.ConfigNotFound if verb == "open" else errors.InstanceNotFound
        won = self._won(config_id, order_id, reply)
        return 201, JSON_REPLAYED, await self._again.told(won, order_id, reply.state)

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

    def _consumer(self, headers: RequestHeaders) -> str:
        """The consumer who asks."""
        authorization = headers.get("authorization")
        if authorization is None:
            raise errors.Unauthenticated
        token = authorization[7:].strip()
        if authorization[:7].lower() != "bearer " or not token:
            raise not_bearer(authorization)
        caller = self._verify(token)
        if caller.role is not Role.CONSUMER:
            raise errors.Forbidden
        return caller.subject


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
