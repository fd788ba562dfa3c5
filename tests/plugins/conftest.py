"""A sale on a real Valkey, for each playbook's steps."""

from collections.abc import AsyncIterator

import pytest

from engine.local.running import Running
from tests.support.gate import Sale, open_sale


@pytest.fixture
async def sale(valkey: Running) -> AsyncIterator[Sale]:
    """A gate with open shards and nothing on sale yet."""
    async with open_sale(valkey.url) as opened:
        yield opened
