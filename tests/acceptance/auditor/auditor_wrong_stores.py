"""What the two stores say of themselves and of each other, and cannot be true."""

from tests.acceptance.auditor.auditor_world import GROUPS, HOLD_MS, HOUR_MS, NOON_MS, SALE, World, stamp
from tests.acceptance.auditor.auditor_wrongs import Wrong, effect_of, instance_of, order_of, reward_of


def tell_redis_twice(world: World) -> None:
    """The same end of the same order waits two times."""
    event = {"order_id": order_of(world, "ud")["id"], "kind": "released"}
    world.tables["gate_events"] += [event, dict(event)]


def end_a_hold_that_is_held(world: World) -> None:
    world.tables["gate_events"].append({"order_id": order_of(world, "uc")["id"], "kind": "released"})


def release_what_is_paid(world: World) -> None:
    """Redis is to hear both ends of one hold."""
    order_id = order_of(world, "ua")["id"]
    world.tables["gate_events"] += [{"order_id": order_id, "kind": kind} for kind in ("paid", "released")]


def remember_a_click_twice(world: World) -> None:
    world.warmed[SALE]["people"]["ue"].append(effect_of(world, "ue"))


def forget_an_order_in_redis(world: World) -> None:
    """An expired one: the units fit."""
    world.warmed[SALE]["people"]["ud"].pop(0)


def invent_an_effect(world: World) -> None:
    """A released click: the units fit."""
    world.warmed[SALE]["people"]["ux"] = [["e" * 16, 5, 0, 1, "s1", NOON_MS + HOLD_MS, 1, 0, 0]]


def forget_an_action(world: World) -> None:
    world.warmed[SALE]["people"]["ub"].pop()


def take_an_action_for_a_hold(world: World) -> None:
    world.warmed[SALE]["people"]["ub"][-1][2] = 0


def reward_nothing(world: World) -> None:
    reward_of(world, "granted")["amount"] = 0


def order_of_an_unknown_config(world: World) -> None:
    config_id = "c0000000000cc"
    unknown = {"id": "d" * 32, "config_id": config_id, "instance_id": f"{config_id}.s1"}
    world.tables["orders"].append(order_of(world, "ud") | unknown)


def name_an_action_like_an_order(world: World) -> None:
    world.tables["actions"][0]["id"] = order_of(world, "ua")["id"]


def act_twice_for_one_request(world: World) -> None:
    world.tables["actions"].append(world.tables["actions"][0] | {"id": "e" * 32})


def order_and_act_for_one_request(world: World) -> None:
    world.tables["actions"][0]["request_id"] = order_of(world, "ub")["request_id"]


def refuse_a_reused_id_as_sold_out(world: World) -> None:
    """Right that it is refused, with the wrong status."""
    next(line for line in world.lines if line.get("outcome") == "REQUEST_ID_REUSED")["status"] = 409


def publish_another_stock(world: World) -> None:
    world.tables["play_configs"][0]["stock"] = 11


def leave_an_instance_in_redis(world: World) -> None:
    world.tables["instances"].remove(instance_of(world, "g4"))


def forget_an_instance_in_redis(world: World) -> None:
    del world.warmed[GROUPS]["instances"]["g4"]


def run_ahead_in_redis(world: World) -> None:
    world.warmed[GROUPS]["instances"]["g2"]["rev"] += 1


def leave_a_dead_letter(world: World) -> None:
    dead = {"shard": 0, "entry_id": "1-0", "error": "nobody could read it"}
    world.tables["dead_intents"].append(dead)


def leave_a_full_group_open(world: World) -> None:
    instance_of(world, "g1")["status"] = "ACTIVE"
    world.warmed[GROUPS]["instances"]["g1"]["status"] = 2


def sell_less_than_nothing(world: World) -> None:
    """One unit more is taken than there were."""
    taken = world.warmed[SALE]["left"] + 1
    world.warmed[SALE]["left"] = -1
    effect_of(world, "uc")[3] += taken


def click_when_it_is_over(world: World) -> None:
    """The end is no part of the window."""
    order_of(world, "ua")["created_at"] = stamp(NOON_MS + HOUR_MS)


def click_before_the_session(world: World) -> None:
    """The config is on sale, its session is not yet."""
    instance_of(world, "s1")["cells"]["opensAt"] = NOON_MS + 1


def click_when_the_session_is_over(world: World) -> None:
    """The end is no part of the session."""
    instance_of(world, "s1")["cells"]["endsAt"] = NOON_MS


WRONG_STORES: list[Wrong] = [
    (tell_redis_twice, 5, "2 events released"),
    (end_a_hold_that_is_held, 5, "HELD, yet an event ended it"),
    (release_what_is_paid, 5, "PAID, yet a release waits"),
    (remember_a_click_twice, 5, "2 effects of one click"),
    (forget_an_order_in_redis, 5, "Redis does not know this order"),
    (invent_an_effect, 5, "has no row in Postgres"),
    (forget_an_action, 5, "Redis does not know this action"),
    (take_an_action_for_a_hold, 5, "Redis does not know this action"),
    (reward_nothing, 4, "of 0"),
    (order_of_an_unknown_config, 6, "orders of an unknown config"),
    (name_an_action_like_an_order, 2, "2 rows with one id"),
    (act_twice_for_one_request, 2, "2 rows for one request"),
    (order_and_act_for_one_request, 2, "2 rows for one request"),
    (refuse_a_reused_id_as_sold_out, 2, "reused id answered 409, not 422"),
    (publish_another_stock, 1, "stock.total 10, published 11"),
    (leave_an_instance_in_redis, 8, "in Redis, but not in Postgres"),
    (forget_an_instance_in_redis, 8, "in Postgres, but not in Redis"),
    (run_ahead_in_redis, 8, "Redis says ("),
    (leave_a_dead_letter, 8, "nobody could read it"),
    (leave_a_full_group_open, 8, "ACTIVE with 3 of 3 paid"),
    (sell_less_than_nothing, 1, "Redis has -1 units left"),
    (click_when_it_is_over, 6, "outside its config's window"),
    (click_before_the_session, 6, "outside its instance's window"),
    (click_when_the_session_is_over, 6, "outside its instance's window"),
]
