"""What people read: one text in Chinese and in English. Errors are made of them."""

from typing import Literal, get_args

import msgspec

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


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
