"""Who asks in English is told in English; everyone else in Chinese."""

import pytest

from api.languages import CHARACTERS_MAX, language_of

HEADERS = [
    (None, "zh"),
    ("", "zh"),
    ("zh-CN", "zh"),
    ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
    ("en", "en"),
    ("EN-gb", "en"),
    ("en-US,en;q=0.9,zh;q=0.8", "en"),
    ("zh;q=0.8, en-US", "en"),
    ("en ; q=0.5 ,\tzh;q=0.4", "en"),
    ("en;q=0.5,zh;q=0.500", "en"),  # wanted alike: the one named first
    ("zh,en", "zh"),
    ("en;q=0.1,en-US;q=0.7,zh;q=0.5", "en"),
    ("en-US;q=0.7,en;q=0.1,zh;q=0.5", "en"),
    ("en,,zh;q=0.1,", "en"),  # empty elements are skipped
    ("fr", "zh"),
    ("fr,de;q=0.9,en;q=0.1", "en"),
    ("*", "zh"),
    ("en,*", "en"),
    ("*,en;q=0.5", "zh"),
    ("zh;q=0,*", "en"),
    ("zh;q=0", "zh"),  # wants neither, and is told in Chinese all the same
    ("en;q=0", "zh"),
    ("en;q=0,*", "zh"),
    ("en;q=1.5", "zh"),
    ("en;q=", "zh"),
    ("en;level=1", "zh"),
    ("en_US", "zh"),
    ("en us", "zh"),
    ("english-language", "zh"),
    ("\xff,en", "zh"),
    ("en,☃", "zh"),
    (";", "zh"),
]


@pytest.mark.parametrize(("header", "language"), HEADERS)
def test_the_language_that_is_wanted_most_is_chosen(header: str | None, language: str) -> None:
    assert language_of(header) == language


def test_a_flood_of_languages_is_not_read() -> None:
    """Whatever stands in it; the longest that is read still counts."""
    many = ",".join(["fr"] * CHARACTERS_MAX)
    assert language_of(f"en,{many}") == "zh"
    assert language_of("en" + "," * (CHARACTERS_MAX - 2)) == "en"
