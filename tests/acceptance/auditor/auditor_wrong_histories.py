"""Everything that could be wrong with the history of an order; its row and all else are as they were."""

from tests.acceptance.auditor.auditor_world import GROUPS, HOLD_MS, LATE, NOON_MS, PATHS, World, stamp
from tests.acceptance.auditor.auditor_wrongs import Wrong, move_an_order_for_no_reason, order_of

Moves = list[tuple[str, str, int]]


def retell(world: World, user: str, moves: Moves, *, birth: str = "HELD") -> None:
    """Another history of the order, and the reason it leaves behind; the row's status stays."""
    world.tell(order_of(world, user), moves, birth=birth)


def forget_the_only_move(world: World) -> None:
    """It is PAID, and nobody knows since when."""
    retell(world, "ub", [])


def forget_the_first_move(world: World) -> None:
    """An order that was born EXPIRED."""
    order = order_of(world, "um", GROUPS, "g")
    world.tables["order_events"].remove(world.events_of(order)[0])


def forget_a_move_in_between(world: World) -> None:
    order = order_of(world, "uj", GROUPS, "g")
    world.tables["order_events"].remove(world.events_of(order)[1])


def forget_the_last_move(world: World) -> None:
    order = order_of(world, "uj", GROUPS, "g")
    world.tables["order_events"].remove(world.events_of(order)[-1])


def tell_a_move_twice(world: World) -> None:
    """Paid twice, each time out of the same hold."""
    paid = world.events_of(order_of(world, "ub"))[0]
    world.tables["order_events"].append(paid | {"id": 99})


def move_on_after_the_end(world: World) -> None:
    """The row is still EXPIRED; the history says that it was paid late."""
    retell(world, "ud", LATE)


def pay_what_has_expired(world: World) -> None:
    retell(world, "ub", [*PATHS["EXPIRED"], ("PAID", "PAID_IN_TIME", HOLD_MS + 900)])


def expire_what_is_paid(world: World) -> None:
    retell(world, "ud", [*PATHS["PAID"], ("EXPIRED", "NOT_PAID_IN_TIME", HOLD_MS + 400)])


def pay_back_a_hold(world: World) -> None:
    retell(world, "uw", [("REFUNDING", "PAYMENT_REFUSED", 1000), ("REFUNDED", "PAID_BACK", 2000)])


def give_a_move_another_reason(world: World) -> None:
    world.events_of(order_of(world, "ub"))[0]["why"] = "BY_CONSUMER"


def expire_before_the_deadline(world: World) -> None:
    retell(world, "ud", [("EXPIRED", "NOT_PAID_IN_TIME", HOLD_MS - 1)])


def go_back_in_time(world: World) -> None:
    refunded = order_of(world, "uj", GROUPS, "g")
    world.events_of(refunded)[1]["at"] = stamp(NOON_MS + 60_000)


def move_before_the_birth(world: World) -> None:
    world.events_of(order_of(world, "ub"))[0]["at"] = stamp(NOON_MS - 60_000)


def move_without_the_row(world: World) -> None:
    """The history says that it was paid a minute after the row was changed last."""
    world.events_of(order_of(world, "ub"))[0]["at"] = stamp(NOON_MS + 61_000)


def move_by_nobody(world: World) -> None:
    world.events_of(order_of(world, "ub"))[0]["by_whom"] = ""


def forget_the_reason(world: World) -> None:
    order_of(world, "ud")["reason"] = None


def keep_a_reason_of_a_former_life(world: World) -> None:
    """It was clicked for again, and is HELD because of that and nothing else."""
    order_of(world, "uv")["reason"] = "FENCED"


def give_a_hold_a_reason(world: World) -> None:
    order_of(world, "uc")["reason"] = "NOT_PAID_IN_TIME"


def cancel_at_birth_for_no_reason(world: World) -> None:
    retell(world, "ue", [], birth="CANCELLED")


def revive_what_its_owner_cancelled(world: World) -> None:
    retell(world, "uv", [*PATHS["CANCELLED"], ("HELD", "CLICKED_AGAIN", 2000)])


def seat_who_had_cancelled(world: World) -> None:
    """Who cancelled does not want the seat any more: nobody was asked."""
    late = [*PATHS["CANCELLED"], ("REFUNDING", "LATE_PAYMENT", 2000), ("PAID", "RESEATED", HOLD_MS + 5000)]
    world.tell(order_of(world, "uk", GROUPS, "g"), late)


def seat_whose_group_has_failed(world: World) -> None:
    failed = [*PATHS["REFUNDING"], ("PAID", "RESEATED", HOLD_MS + 5000)]
    world.tell(order_of(world, "uk", GROUPS, "g"), failed)


def turn_away_who_was_never_late(world: World) -> None:
    answered = [*PATHS["REFUNDING"], ("REFUNDING", "NO_SEAT", 2500), ("REFUNDED", "PAID_BACK", 3000)]
    world.tell(order_of(world, "uj", GROUPS, "g"), answered)


def turn_away_twice(world: World) -> None:
    answers = [("REFUNDING", "NO_SEAT", HOLD_MS + 4000), ("REFUNDING", "NO_SEAT", HOLD_MS + 4500)]
    world.tell(order_of(world, "um", GROUPS, "g"), [*LATE, *answers, ("REFUNDED", "PAID_BACK", HOLD_MS + 5000)])


def tell_of_an_order_that_is_not_there(world: World) -> None:
    world.tables["order_events"].append(world.events_of(order_of(world, "ub"))[0] | {"order_id": "f" * 32})


WRONG_HISTORIES: list[Wrong] = [
    (forget_the_only_move, "history", "its history ends with HELD, its row PAID"),
    (forget_the_first_move, "history", "its history begins with EXPIRED"),
    (forget_a_move_in_between, "history", "moved REFUNDING to REFUNDED (PAID_BACK) while it was PAID"),
    (forget_the_last_move, "history", "its history ends with REFUNDING, its row REFUNDED"),
    (tell_a_move_twice, "history", "moved HELD to PAID (PAID_IN_TIME) while it was PAID"),
    (move_on_after_the_end, "history", "its history ends with REFUNDING, its row EXPIRED"),
    (pay_what_has_expired, "history", "moved EXPIRED to PAID (PAID_IN_TIME), which no order may"),
    (expire_what_is_paid, "history", "moved PAID to EXPIRED (NOT_PAID_IN_TIME), which no order may"),
    (pay_back_a_hold, "history", "moved HELD to REFUNDING (PAYMENT_REFUSED), which no order may"),
    (give_a_move_another_reason, "history", "moved HELD to PAID (BY_CONSUMER), which no order may"),
    (expire_before_the_deadline, "history", "could be paid until"),
    (go_back_in_time, "history", "after what happened at 2026-11-22 12:01:00"),
    (move_before_the_birth, "history", "after what happened at 2026-11-22 12:00:00"),
    (move_without_the_row, "history", "its row was changed last at"),
    (move_by_nobody, "history", "by nobody"),
    (forget_the_reason, "history", "its reason is None, its history says NOT_PAID_IN_TIME"),
    (keep_a_reason_of_a_former_life, "history", "its reason is FENCED, its history says None"),
    (give_a_hold_a_reason, "history", "its reason is NOT_PAID_IN_TIME, its history says None"),
    (cancel_at_birth_for_no_reason, "history", "its history ends with HELD, its row CANCELLED"),
    (revive_what_its_owner_cancelled, "history", "moved CANCELLED to HELD (CLICKED_AGAIN) after HELD to CANCELLED"),
    (seat_who_had_cancelled, "history", "moved REFUNDING to PAID (RESEATED) after CANCELLED to REFUNDING"),
    (seat_whose_group_has_failed, "history", "moved REFUNDING to PAID (RESEATED) after PAID to REFUNDING"),
    (turn_away_who_was_never_late, "history", "(NO_SEAT) after PAID to REFUNDING"),
    (turn_away_twice, "history", "(NO_SEAT) after REFUNDING to REFUNDING"),
    (tell_of_an_order_that_is_not_there, "history", "it has a history, but there is no such order"),
    (move_an_order_for_no_reason, "history", "reseated, and its row does not say when"),
]
