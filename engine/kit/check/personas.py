"""Who clicks in a check: the same people every time, some of whom share a telephone or a network."""

from typing import Any, NamedTuple

from engine.core import ids

NAMES = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ida", "joe", "kim", "leo", "mia", "ned", "ola", "pam"]


class Member(NamedTuple):
    """A person. `user` looks as a real consumer's id does."""

    name: str
    user: str
    facts: dict[str, Any]


def member(number: int, name: str = "") -> Member:
    """Person `number`; every third is no newcomer, two share a device, four an address, one says no device."""
    facts = {
        "newcomer": number % 3 != 2,
        "device": f"{number // 2 + 1:016x}" if number != len(NAMES) - 1 else "",
        "address": f"{number // 4 + 1:016x}",
    }
    name = name or f"p{number}"
    return Member(name, ids.user_id(name), facts)


CREW = tuple(member(number, name) for number, name in enumerate(NAMES))
