"""Every body that takes a text for people takes only what people can read."""

import msgspec
import pytest

from api.schema import bodies
from api.schema.examples import EXAMPLES
from engine.core.errors import BadInput
from engine.core.schema import WORDS

HUMAN = [
    (bodies.NewStore, "name"),
    (bodies.NewService, "name"),
    (bodies.NewService, "unitName"),
    (bodies.NewPlayConfig, "title"),
    (bodies.PlayConfigChange, "title"),
]
# Names for programs, and secrets.
OTHERS = {"id", "code", "username", "password", "city", "storeId", "serviceId", "templateCode", "payer"}


@pytest.mark.parametrize(("kind", "field"), HUMAN, ids=[f"{kind.__name__}.{field}" for kind, field in HUMAN])
def test_a_text_that_nobody_can_read_is_refused_by_its_field(kind: type[msgspec.Struct], field: str) -> None:
    good = msgspec.to_builtins(EXAMPLES[kind])
    for text in (" ", "\u3000", "\u200b", "\u202eab", "a\n", "\0", "\u034f", "\ud7ff", "\u0301"):
        with pytest.raises(BadInput) as refused:
            bodies.decode(kind, msgspec.json.encode({**good, field: text}))
        assert [wrong.pointer for wrong in refused.value.extra["errors"]] == [f"/{field}"]


def test_no_other_body_has_a_text_for_people() -> None:
    """Whoever adds one either uses the definition, or says above that it is none."""
    human = set()
    for kind in (kind for kind in EXAMPLES if isinstance(kind, type) and issubclass(kind, bodies.Body)):
        for name, schema in bodies.schema_of(kind).document["$defs"][kind.__name__]["properties"].items():
            branches = [schema, *schema.get("anyOf", ())]
            texts = [one for one in branches if one.get("type") == "string" and one.get("format") != "date-time"]
            if texts and name not in OTHERS:
                human.add((kind, name))
                assert [one.get("format") for one in texts] == [WORDS], (kind, name)
    assert human == set(HUMAN)
