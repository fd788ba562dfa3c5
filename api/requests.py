"""What every route asks of a request: which methods its path takes, a query that can be read, and a bearer token."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from engine.core.errors import BadInput, MalformedQuery, TokenInvalid, Unauthenticated, WanfaError
from engine.core.schema import FieldError, escape
from engine.core.texts import Text

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS")
PARAMETERS_MAX = 20
NAME_CHARS_SHOWN = 64

BEARER = Text("请在请求头 Authorization 中填写 Bearer <token>", "The header Authorization must be: Bearer <token>")
WRONG = Text("不正确", "is wrong")
TWICE = Text("只能出现一次", "may be there once only")


def allow(methods: Iterable[str]) -> str:
    """The value of `Allow` for a path with these handlers: HEAD wherever there is GET, and OPTIONS everywhere."""
    taken = {*methods, "OPTIONS"}
    if "GET" in taken:
        taken.add("HEAD")
    return ", ".join(method for method in METHODS if method in taken)


def options(allowed: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """The answer to OPTIONS: 204, and nothing but `Allow`."""
    return 204, [("allow", allowed)], b""


def not_bearer(authorization: str) -> WanfaError:
    """What an Authorization header hears that is not `Bearer <token>`; one that is empty, as if it were not there."""
    if authorization.strip().lower() in ("", "bearer"):
        return Unauthenticated(BEARER)
    return TokenInvalid(BEARER)


def parameters(query: str) -> dict[str, str]:
    """What stands behind the `?`, in ASCII, by name. Raises MalformedQuery, or BadInput for a name there twice."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError:  # escapes that are no UTF-8, or too many parameters
        raise MalformedQuery from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise BadInput(errors=[wrong_parameter(name, TWICE)])
        found[name] = value
    return found


def wrong_parameter(name: str, why: Text = WRONG) -> FieldError:
    """A parameter of a path or query that does not fit; `why` goes on after its name."""
    shown = name[:NAME_CHARS_SHOWN]
    return FieldError(f"/{escape(shown)}", Text(f"参数 {shown} {why.zh}", f"The parameter {shown} {why.en}"))
