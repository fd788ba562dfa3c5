"""What is wrong with a playbook's examples, and with what its functions answer; and the examples that a crowd fills."""

import copy
from collections.abc import Iterator

import msgspec

from engine.core.errors import PlaybookFailed, RulesInvalid
from engine.core.schema import Schema
from engine.kit.manifest.variations import variations
from engine.kit.stage.sale import START_MS, Sale, can_be_published, window_from
from engine.playbooks.consult import PRICE_FEN_MAX, STOCK_MAX, judge, reason_of
from engine.sdk import Example, Offer, Playbook

HOURS_MAX = 10 * 365 * 24


def example_faults(playbook: Playbook) -> list[str]:
    """Why an example could not be published as it is."""
    if not playbook.examples:
        return ["it has no example"]
    found = [(number, fault) for number, one in enumerate(playbook.examples) for fault in _faults(playbook, one)]
    return [f"example {number + 1}: {fault}" for number, fault in found]


def _faults(playbook: Playbook, example: Example) -> Iterator[str]:
    bounds = {"price_fen": PRICE_FEN_MAX, "stock": STOCK_MAX, "hours": HOURS_MAX}
    wrong = [name for name, most in bounds.items() if not 1 <= getattr(example, name) <= most]
    if wrong:
        yield from (f"its {name} must be from 1 to {bounds[name]}" for name in wrong)
        return
    schema = Schema(playbook.rules)
    rules = dict(example.rules)
    if errors := schema.errors(rules):
        yield from (f"{error.pointer or '/'}: {error.message.zh}" for error in errors)
        return
    try:
        decoded = msgspec.convert(rules, playbook.rules)
    except msgspec.ValidationError as error:
        yield str(error)
        return
    filled = msgspec.json.decode(msgspec.json.encode(decoded))  # as they are stored: a tuple is a list there
    yield from (f"with its defaults, {error.pointer}: {error.message.zh}" for error in schema.errors(filled))
    yield from _answers(playbook, example, refusable=False)


def answer_faults(playbook: Playbook) -> list[str]:
    """Rules that the form lets through and that one of the playbook's functions has no answer for."""
    found = [
        f"{playbook.code} with {what}, else as in example {number}: {fault}"
        for number, example in enumerate(playbook.examples, 1)
        for other, what in variations(playbook, example)
        for fault in _answers(playbook, other, refusable=True)
    ]
    return found[:5]


def _answers(playbook: Playbook, example: Example, *, refusable: bool) -> Iterator[str]:
    """What publication would ask; `refusable`: the playbook may find a problem."""
    rules = msgspec.convert(dict(example.rules), playbook.rules)
    window = window_from(START_MS, example.hours)
    offer = Offer(price_fen=example.price_fen, stock=example.stock, window=window)
    try:
        judge(playbook, rules, offer)
    except (RulesInvalid, PlaybookFailed) as error:
        if not (refusable and isinstance(error, RulesInvalid)):
            yield reason_of(error)


def upgrade_faults(playbook: Playbook) -> Iterator[str]:
    """Examples that `upgrade_rules` changes although they are of this version, or whose argument it writes to."""
    for number, example in enumerate(playbook.examples):
        rules = copy.deepcopy(dict(example.rules))
        try:
            upgraded = playbook.upgrade_rules(rules, playbook.version)
        except Exception as error:  # noqa: BLE001  # a stranger's function may raise anything
            yield f"example {number + 1}: upgrade_rules raised {type(error).__name__}: {error}"
            continue
        if rules != example.rules:
            yield f"example {number + 1}: upgrade_rules writes to the rules it is given"
        elif upgraded != example.rules:
            yield f"example {number + 1}: upgrade_rules makes {upgraded} of {dict(example.rules)}"


def largest(playbook: Playbook) -> Iterator[Example]:
    """Examples, and those with one number as large as it may be: what a crowd fills most."""
    for example in playbook.examples:
        yield example
        before = Sale.of(playbook, example, START_MS).filled()
        for other, _what in variations(playbook, example):
            if can_be_published(playbook, other):
                after = Sale.of(playbook, other, START_MS).filled()
                if any(type(value) is int and value > (before[name] or 0) for name, value in after.items()):
                    yield other
