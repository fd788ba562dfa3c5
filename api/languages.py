"""Which language a caller reads, by Accept-Language (RFC 9110, 12.5.4)."""

import re
from functools import lru_cache

from engine.core.texts import LANGUAGES, Language

CHARACTERS_MAX = 256  # of a header that is looked at; browsers send some thirty
REMEMBERED_MAX = 256  # different headers whose answer is kept

_RANGE = re.compile(r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


def language_of(header: str | None) -> Language:
    """The language to answer in: Chinese for no header, a broken one, or one that wants neither."""
    return "zh" if header is None or len(header) > CHARACTERS_MAX else _best(header)


@lru_cache(REMEMBERED_MAX)
def _best(header: str) -> Language:
    wanted: dict[str, float] = {}
    for part in header.lower().split(","):
        if not (text := part.strip(" \t")):
            continue
        if not (match := _RANGE.fullmatch(text)):
            return "zh"
        language, quality = match[1].partition("-")[0], float(match[2] or 1)  # en-US is our English too
        wanted[language] = max(quality, wanted.get(language, 0))
    others = wanted.get("*", 0)
    named = [language for language in wanted if language in LANGUAGES and wanted[language]]
    # The first of the best: of two wanted alike the one named first, of two not named Chinese.
    return max([*named, *LANGUAGES], key=lambda language: wanted.get(language, others))
