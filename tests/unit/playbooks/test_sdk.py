"""What a playbook may build on: a name or a field that goes, or changes its kind, breaks somebody else's package."""

import inspect

import msgspec

from engine import sdk
from engine.sdk import Fact, Status

# Additions raise the minor version of SDK_VERSION, anything else the major one. Both are written here by hand.
VERSION = "1.1"
STRUCTS = {
    "Counters": (
        "instances_opened instances_succeeded instances_failed orders_held orders_paid orders_expired orders_refunded "
        "units_stock units_sold gmv_fen rebate_fen net_fen totals"
    ),
    "Example": "rules price_fen stock hours",
    "Metric": "key label unit compute",
    "Offer": "price_fen stock window",
    "Playbook": (
        "code name version unit_name rules states step view metrics actions reserves early totals sessions asks "
        "newcomers_only problems upgrade_rules reseats examples sdk"
    ),
    "Problem": "field message english",
    "Rules": "limit_per_person",
    "Session": "suffix status target wake_at stock cells",
    "States": "moves orders",
    "View": "open join verb actions final",
    "Window": "starts_at ends_at",
}
FUNCTIONS = {"ratio": "(part: int, whole: int) -> float | None", "step_beside": "(manifest: str) -> str"}
OTHERS = {"Fact", "Status", "hookimpl"}
REQUIRED = {
    "Metric": {"key", "label", "unit", "compute"},
    "Offer": {"price_fen", "stock", "window"},
    "Playbook": {"code", "name", "version", "unit_name", "rules", "states", "step", "view"},
    "Problem": {"field", "message"},
    "Session": {"suffix"},
    "States": {"moves"},
    "View": {"join"},
    "Window": {"starts_at", "ends_at"},
}


def test_the_public_names_are_these() -> None:
    assert set(sdk.__all__) == {*STRUCTS, *FUNCTIONS, *OTHERS}
    assert sdk.SDK_VERSION == VERSION


def test_the_fields_are_these() -> None:
    """In their order where a struct may be made without names."""
    for name, fields in STRUCTS.items():
        assert " ".join(getattr(sdk, name).__struct_fields__) == fields


def test_no_playbook_has_to_say_more_than_it_had_to() -> None:
    """A field that becomes required breaks every playbook there is."""
    for name in STRUCTS:
        fields = msgspec.structs.fields(getattr(sdk, name))
        assert {field.name for field in fields if field.required} == REQUIRED.get(name, set())


def test_the_functions_take_and_give_this() -> None:
    for name, signature in FUNCTIONS.items():
        assert str(inspect.signature(getattr(sdk, name))) == signature


def test_the_words_and_numbers_that_are_stored_never_change() -> None:
    """They stand in Redis, in Postgres and in steps."""
    assert {status.name: int(status) for status in Status} == {"PENDING": 1, "ACTIVE": 2, "SUCCESS": 3, "FAILED": 4}
    assert {fact.name: fact.value for fact in Fact} == {
        "NEWCOMER": "newcomer",
        "DEVICE": "device",
        "ADDRESS": "address",
    }
