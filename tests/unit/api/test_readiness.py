"""Every condition that a person must know has its line; when there is none, there is none."""

import pytest

from api.readiness import Books, _of_books, _of_disabled, _of_durability, _of_playbooks, _of_shards
from engine.core.texts import Text

WELL = Books(epochs={}, orphans={}, unowned=[], dead_intents=0, stuck_refunds=0, stray_payments=0)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (_of_books(WELL), []),
        (_of_books(WELL._replace(unowned=[1, 3])), ["1, 3"]),
        (_of_books(WELL._replace(dead_intents=7)), ["7"]),
        (_of_books(WELL._replace(stuck_refunds=7)), ["7"]),
        (_of_books(WELL._replace(stray_payments=7)), ["7"]),
        (_of_books(WELL._replace(orphans={"LOTTERY": 7})), ["LOTTERY"]),
        (_of_shards([], {}), []),
        (_of_shards([0, 2], {}), ["2"]),
        (_of_shards([], {3: 12.0}), ["12"]),
        (_of_durability("always"), []),
        (_of_durability("degraded"), ["appendfsync always"]),
        (_of_playbooks({}), []),
        (_of_playbooks({"LOTTERY": "no dice"}), ["no dice"]),
        (_of_disabled(()), []),
        (_of_disabled(("BARGIN",)), ["BARGIN"]),
    ],
)
def test_whatever_is_wrong_is_said(found: list[Text], words: list[str]) -> None:
    """In both languages."""
    assert len(found) == len(words)
    assert all(word in text.zh and word in text.en for word, text in zip(words, found, strict=True))
