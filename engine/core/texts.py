"""What people read: one text in Chinese and in English. Errors are made of them."""

import unicodedata
from typing import Literal, get_args

import msgspec

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

JOINERS = "\u200c\u200d"  # scripts and emoji need them between what they join
# Letters and symbols, by their category, that are drawn as nothing.
BLANKS = "\u115f\u1160\u2800\u3164\uffa0\U00013441\U00013442\U0001d159"
TAGS = range(0xE0000, 0xE1000)


class Text(msgspec.Struct, frozen=True):
    """The same said in Chinese and in English."""

    zh: str
    en: str

    def said_in(self, language: Language) -> str:
        """What a reader of that language is shown."""
        return self.en if language == "en" else self.zh


def alike(words: str) -> Text:
    """Words that are the same in every language: a developer's, or a stranger's that nobody has translated."""
    return Text(words, words)


def is_readable(words: str) -> bool:
    """Whether something of it can be seen, by itself, and nothing in it changes how the rest is shown.

    Seen is a letter, number, sign or symbol: no blank, no mark without anything to stand on, and no code point that
    means nothing or is private. By the Unicode of this Python.
    """
    return any(map(_shows, words)) and not any(map(_hides, words))


def _shows(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS" and char not in BLANKS


def _hides(char: str) -> bool:
    """All that Unicode calls a control, a format, a surrogate or a separator of lines, but for the joiners."""
    return (unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in JOINERS) or ord(char) in TAGS
