"""Simulated people: the same ones in every check, random ones in a game; some share a telephone or a network."""

from random import Random
from typing import Any, NamedTuple

from engine.core import ids

NAMES = ("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ida", "joe", "kim", "leo", "mia", "ned", "ola", "pam")
NAMES_IN_GAMES = ("ann", "bob", "cai", "dan", "eve", "fan", "gao", "hua", "ivy", "jin", "kai", "lin")
SHARING = 0.2  # of the people in a game: with the one before


class Persona(NamedTuple):
    """A simulated person, and the facts the engine would know of them where a config asks."""

    name: str
    user: str
    facts: dict[str, Any]


def persona(number: int, name: str = "") -> Persona:
    """Person `number` of a check; every third is no newcomer, two share a device, four an address, one says no device.

    `user` looks as a real consumer's id does.
    """
    facts = {
        "newcomer": number % 3 != 2,
        "device": f"{number // 2 + 1:016x}" if number != len(NAMES) - 1 else "",
        "address": f"{number // 4 + 1:016x}",
    }
    name = name or f"p{number}"
    return Persona(name, ids.user_id(name), facts)


PERSONAS = tuple(persona(number, name) for number, name in enumerate(NAMES))


def random_personas(count: int, chance: Random) -> list[Persona]:
    """`count` people of a game; half are newcomers, and one in five shares a device and an address with the one before.

    A game shows users, so theirs are their names.
    """
    people: list[Persona] = []
    for number in range(count):
        name = NAMES_IN_GAMES[number] if number < len(NAMES_IN_GAMES) else f"p{number + 1}"
        shares = bool(people) and chance.random() < SHARING
        before = people[-1].facts if shares else {"device": _hash(chance), "address": _hash(chance)}
        facts = {"newcomer": chance.random() < 0.5, "device": before["device"], "address": before["address"]}
        people.append(Persona(name, name, facts))
    return people


def _hash(chance: Random) -> str:
    return f"{chance.getrandbits(64):016x}"
