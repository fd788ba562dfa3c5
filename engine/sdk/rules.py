"""The base of every playbook's rules: one Struct gives the JSON Schema and the decoder."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Subclass it; each field has a Chinese `title` and `description` in its Meta."""

    limit_per_person: Annotated[
        int,
        Meta(ge=0, le=1000, title="每人限购", description="每人最多可购买的份数，0 表示不限"),
    ] = 1
