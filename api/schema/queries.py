"""Query parameters: what each is called and may be, for the document and for the check of what was sent."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, get_args

from api.requests import parameters, wrong_parameter
from engine.core.errors import BadInput
from engine.core.pages import LIMIT_DEFAULT, LIMIT_MAX
from engine.core.schema import SENTENCES, FieldError
from engine.core.texts import Text
from engine.reports.own import STATUSES
from engine.rewards.rewards import RewardStatus

Parameter = Mapping[str, Any]  # as OpenAPI describes it

NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")  # spelt as everything reads it


def _parameter(name: str, description: str, **schema: Any) -> Parameter:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string", **schema}}


CURSOR = _parameter("cursor", "上一页返回的 nextCursor")
LIMIT = _parameter("limit", "每页条数", type="integer", minimum=1, maximum=LIMIT_MAX, default=LIMIT_DEFAULT)
REWARD_STATUS = _parameter("status", "奖励状态", enum=list(get_args(RewardStatus)), default="FLAGGED")
IN_STATUS = _parameter("status", "实例状态", enum=list(STATUSES))
OF_CONFIG = _parameter("configId", "营销商品")
OF_STORE = _parameter("storeId", "门店")
IN_CITY = _parameter("city", "城市代码")
OF_PLAYBOOK = _parameter("playCode", "玩法")

OFFERS = (OF_STORE, IN_CITY, OF_PLAYBOOK, CURSOR, LIMIT)
INSTANCES = (OF_STORE, IN_CITY, IN_STATUS, OF_PLAYBOOK, CURSOR, LIMIT)
# Of Litestar's handlers, by the name of their argument.
_ARGUMENTS = {"of_config": OF_CONFIG, "in_status": IN_STATUS, "status": REWARD_STATUS, "cursor": CURSOR, "limit": LIMIT}


def taken_by(arguments: Collection[str]) -> tuple[Parameter, ...]:
    """The parameters of a handler with these arguments."""
    return tuple(parameter for argument, parameter in _ARGUMENTS.items() if argument in arguments)


def checked(query: str, taken: Iterable[Parameter]) -> dict[str, str]:
    """What a query says, by name. Raises MalformedQuery, or BadInput that names every parameter that does not fit."""
    found = parameters(query)
    known = {parameter["name"]: parameter["schema"] for parameter in taken}
    if wrong := [error for name, value in found.items() for error in _errors(name, value, known)]:
        raise BadInput(errors=wrong)
    return found


def _errors(name: str, value: str, known: Mapping[str, Any]) -> Iterable[FieldError]:
    if name not in known:
        yield wrong_parameter(name, _others(known))
    elif "enum" in known[name]:
        if value not in known[name]["enum"]:
            yield wrong_parameter(name, SENTENCES["enum"](known[name]["enum"]))
    elif known[name]["type"] == "integer":
        least, most = known[name]["minimum"], known[name]["maximum"]
        if not NUMBER.fullmatch(value) or not least <= int(value) <= most:
            yield wrong_parameter(
                name, Text(f"必须是 {least} 至 {most} 的整数", f"must be a whole number, {least} to {most}")
            )


def _others(known: Collection[str]) -> Text:
    if not known:
        return Text("是未知参数，此地址没有参数", "is unknown; there are none here")
    return Text(f"是未知参数，可用：{'、'.join(known)}", f"is unknown; there are: {', '.join(known)}")
