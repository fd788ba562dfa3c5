"""What two stores could say of each other, or of themselves, and never may; each with the invariant it breaks."""

from collections.abc import Callable

from tests.acceptance.auditor.auditor_world import GROUPS, SALE, World
from tests.acceptance.auditor.auditor_wrongs import order_of


def tell_redis_twice(world: World) -> None:
    event = {"order_id": order_of(world, "ua")["id"], "kind": "paid"}
    world.tables["gate_events"] += [event, event]


def end_a_hold_that_stays(world: World) -> None:
    world.tables["gate_events"].append({"order_id": order_of(world, "uc")["id"], "kind": "released"})


def take_back_what_is_paid(world: World) -> None:
    for kind in ("paid", "released"):
        world.tables["gate_events"].append({"order_id": order_of(world, "ua")["id"], "kind": kind})


def have_an_effect_twice(world: World) -> None:
    record = world.warmed[SALE]["people"]["uc"]
    record.append(list(record[0]))


def act_unknown_to_redis(world: World) -> None:
    row = {"id": "a" * 32, "config_id": SALE, "instance_id": f"{SALE}.s1", "user_id": "uz", "request_id": "r9"}
    world.tables["actions"].append(row)


def promise_nothing(world: World) -> None:
    world.tables["rewards"][0]["amount"] = 0


def order_what_there_is_not(world: World) -> None:
    world.tables["orders"].append(order_of(world, "ug", GROUPS, "g") | {"config_id": "c999999999999"})


def give_two_requests_one_id(world: World) -> None:
    world.tables["orders"].append(order_of(world, "uc") | {"request_id": "r-other"})


def refuse_a_reused_id_by_another_status(world: World) -> None:
    next(line for line in world.lines if line.get("outcome") == "REQUEST_ID_REUSED")["status"] = 409


def be_ahead_of_redis(world: World) -> None:
    next(row for row in world.tables["instances"] if row["suffix"] == "g4")["rev"] += 1


def plan_another_stock(world: World) -> None:
    world.tables["play_configs"][0]["stock"] += 1


def set_an_entry_aside(world: World) -> None:
    world.tables["dead_intents"].append({"shard": 0, "entry_id": "1-1", "error": "odd"})


def lose_an_instance_in_redis(world: World) -> None:
    del world.warmed[GROUPS]["instances"]["g4"]


def invent_an_instance_in_redis(world: World) -> None:
    world.warmed[GROUPS]["instances"]["g9"] = dict(world.warmed[GROUPS]["instances"]["g4"])


def keep_a_whole_group_waiting(world: World) -> None:
    """Everybody has paid, and it goes on."""
    for user in ("un", "uo"):
        world.order(GROUPS, "g4", user, "g", status="PAID")


WRONG_STORES: list[tuple[Callable[[World], None], int]] = [
    (tell_redis_twice, 5),
    (end_a_hold_that_stays, 5),
    (take_back_what_is_paid, 5),
    (have_an_effect_twice, 5),
    (act_unknown_to_redis, 5),
    (promise_nothing, 4),
    (order_what_there_is_not, 6),
    (give_two_requests_one_id, 2),
    (refuse_a_reused_id_by_another_status, 2),
    (be_ahead_of_redis, 8),
    (plan_another_stock, 1),
    (set_an_entry_aside, 8),
    (lose_an_instance_in_redis, 8),
    (invent_an_instance_in_redis, 8),
    (keep_a_whole_group_waiting, 8),
]
