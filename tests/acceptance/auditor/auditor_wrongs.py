"""Everything that could be wrong with the auditor's evidence."""

from collections.abc import Callable
from typing import Any

from tests.acceptance.auditor.auditor_world import GROUPS, LATE, NOON_MS, PRICE_FEN, SALE, World

Wrong = tuple[Callable[[World], None], int | str, str]


def order_of(world: World, user: str, config_id: str = SALE, request: str = "r1") -> dict[str, Any]:
    """An order row of the clean world."""
    wanted = (config_id, user, request)
    rows = world.tables["orders"]
    return next(row for row in rows if (row["config_id"], row["user_id"], row["request_id"]) == wanted)


def instance_of(world: World, suffix: str) -> dict[str, Any]:
    """An instance row of the clean world."""
    return next(row for row in world.tables["instances"] if row["suffix"] == suffix)


def session_of(world: World, suffix: str) -> dict[str, Any]:
    """The stock row of a session of the clean world."""
    return next(row for row in world.tables["session_stock"] if row["instance_id"].endswith(f".{suffix}"))


def effect_of(world: World, user: str, config_id: str = SALE) -> list[Any]:
    """A person's first effect in Redis."""
    effect: list[Any] = world.warmed[config_id]["people"][user][0]
    return effect


def delete_a_row(world: World) -> None:
    world.tables["orders"].remove(order_of(world, "uc"))


def lose_an_acknowledged_click_everywhere(world: World) -> None:
    """Both stores agree that it never was; only the client knows."""
    delete_a_row(world)
    del world.warmed[SALE]["people"]["uc"]
    world.warmed[SALE]["left"] += 1
    world.stock(SALE)["reserved"] -= 1


def one_fen_off(world: World) -> None:
    order_of(world, "ua")["amount_fen"] += 1


def capture_one_fen_more(world: World) -> None:
    world.tables["payments"][0]["amount_fen"] += 1


def reserve_one_unit_less(world: World) -> None:
    world.stock(SALE)["reserved"] -= 1


def leave_one_unit_more_in_redis(world: World) -> None:
    world.warmed[SALE]["left"] += 1


def double_an_order(world: World) -> None:
    world.tables["orders"].append(order_of(world, "uc") | {"id": "f" * 32})


def oversell(world: World) -> None:
    for number in range(4):
        world.order(SALE, "s1", f"ux{number}", "r1")


def overfill_a_group(world: World) -> None:
    world.order(GROUPS, "g1", "ux", "g", status="PAID")


def overfill_a_group_in_redis(world: World) -> None:
    """Postgres knows nothing of the fourth."""
    overfill_a_group(world)
    world.tables["orders"].pop()


def release_twice(world: World) -> None:
    """The expired hold's two units came back two times."""
    world.warmed[SALE]["left"] += 2


def release_a_seat_twice(world: World) -> None:
    world.warmed[GROUPS]["instances"]["g2"]["seatsLeft"] += 1


def breach_the_limit(world: World) -> None:
    world.order(SALE, "s1", "ua", "r9")


def breach_the_limit_for_a_moment(world: World) -> None:
    """Two live units bought while the expired two were still held."""
    order_of(world, "ud", request="r2")["created_at"] = order_of(world, "ua")["created_at"]


def breach_the_limit_until_a_cancellation(world: World) -> None:
    """Two units bought half a second before two others were cancelled."""
    world.order(SALE, "s1", "ue", "r2", at=500)


def take_two_seats_in_one_group(world: World) -> None:
    world.tables["play_configs"][1]["rules"]["limitPerPerson"] = 5
    world.order(GROUPS, "g2", "ud", "again")
    world.warmed[GROUPS]["instances"]["g2"]["seatsLeft"] -= 1


def click_before_the_window(world: World) -> None:
    order_of(world, "ua")["created_at"] = "2026-11-22T11:59:59.9+00:00"


def leave_a_row_for_a_refused_click(world: World) -> None:
    row = world.order(SALE, "s1", "ux", "r1")
    del world.lines[-2:]
    world.click(SALE, "ux", row["request_id"], status=409, outcome="SOLD_OUT")


def answer_a_replay_differently(world: World) -> None:
    world.win(order_of(world, "uc"), replayed=True, at_ms=NOON_MS + 99, payBefore="2026-11-22T12:09:00+00:00")


def replay_at_once_what_nobody_was_told(world: World) -> None:
    for line in world.lines:
        if line["user"] == "uc" and line.get("replayed") is False:
            line["replayed"] = True


def do_one_request_twice_with_two_bodies(world: World) -> None:
    world.win(order_of(world, "uc"), quantity=2, replayed=True, at_ms=NOON_MS + 99)


def answer_two_first_times(world: World) -> None:
    world.win(order_of(world, "uc"), at_ms=NOON_MS + 99)


def refuse_the_same_body_as_reused(world: World) -> None:
    world.click(SALE, "ub", "r1", status=422, outcome="REQUEST_ID_REUSED")


def fence_off_an_acknowledged_click(world: World) -> None:
    row = order_of(world, "ue")
    world.tell(row, [], birth="CANCELLED")
    row["reason"] = "FENCED"


def acknowledge_another_order(world: World) -> None:
    world.lines[-1]["orderId"] = "e" * 32


def resolve_a_hold_both_ways(world: World) -> None:
    """Postgres says expired, Redis says paid."""
    effect_of(world, "ud")[2] = 2


def forget_to_tell_redis(world: World) -> None:
    """Expired in Postgres, held in Redis, and no event on its way."""
    order_of(world, "ud")["gate_state"] = 1


def keep_a_hold_for_ever(world: World) -> None:
    order_of(world, "uc")["pay_before"] = "2026-11-22T12:00:30+00:00"
    effect_of(world, "uc")[5] = NOON_MS + 30_000
    for line in world.lines:
        if line["user"] == "uc" and "payBefore" in line and line["configId"] == SALE:
            line["payBefore"] = "2026-11-22T12:00:30+00:00"


def leave_a_stream_entry(world: World) -> None:
    world.shards[0]["undrained"] = ["1-0"]


def leave_an_event(world: World) -> None:
    world.tables["gate_events"].append({"order_id": order_of(world, "ud")["id"], "kind": "released"})


def succeed_with_two_of_three(world: World) -> None:
    instance_of(world, "g2")["status"] = "SUCCESS"
    world.warmed[GROUPS]["instances"]["g2"]["status"] = 3


def keep_money_of_a_failed_group(world: World) -> None:
    instance_of(world, "g2")["status"] = "FAILED"
    world.warmed[GROUPS]["instances"]["g2"]["status"] = 4


def count_progress_wrong(world: World) -> None:
    instance_of(world, "s1")["current"] += 1
    world.warmed[SALE]["instances"]["s1"]["current"] += 1


def break_a_confirmed_cancellation(world: World) -> None:
    order = order_of(world, "uc")
    line = {"user": "uc", "configId": SALE, "verb": "cancel", "sentAt": NOON_MS, "receivedAt": NOON_MS + 5}
    world.lines.append(line | {"status": 200, "outcome": "DONE", "orderId": order["id"]})


def refund_of(world: World, user: str, kind: str) -> dict[str, Any]:
    """A refund row of the group with the cheaper tier."""
    order_id = order_of(world, user, GROUPS, "g")["id"]
    return next(row for row in world.tables["refunds"] if (row["order_id"], row["kind"]) == (order_id, kind))


def reward_of(world: World, source: str) -> dict[str, Any]:
    """A reward row of the clean world."""
    return next(row for row in world.tables["rewards"] if row["source"] == source)


def sell_below_the_price(world: World) -> None:
    """Half price, paid for exactly: only the playbook may say so, and this one does not."""
    order = order_of(world, "ub")
    payment = next(row for row in world.tables["payments"] if row["order_id"] == order["id"])
    order["amount_fen"] = payment["amount_fen"] = PRICE_FEN // 2


def give_a_joiner_the_leaders_price(world: World) -> None:
    world.tables["play_configs"][1]["rules"]["leaderOffFen"] = 100
    order = order_of(world, "ub", GROUPS, "g")
    payment = next(row for row in world.tables["payments"] if row["order_id"] == order["id"])
    order["amount_fen"] = payment["amount_fen"] = PRICE_FEN - 100


def rebate_one_fen_more(world: World) -> None:
    refund_of(world, "uh", "REBATE")["amount_fen"] += 1


def forget_a_rebate(world: World) -> None:
    world.tables["refunds"].remove(refund_of(world, "uh", "REBATE"))


def rebate_what_nobody_promised(world: World) -> None:
    world.refund(order_of(world, "ua", GROUPS, "g"), "REBATE", 90)


def pay_back_the_rebate_twice(world: World) -> None:
    """The rest that was paid back is the whole price."""
    refund_of(world, "uj", "WHOLE")["amount_fen"] = PRICE_FEN


def call_refunded_what_is_not(world: World) -> None:
    refund_of(world, "uj", "WHOLE")["status"] = "PENDING"


def keep_a_late_payment(world: World) -> None:
    """Nobody has taken the payer in, nobody is asked to, and no money goes back."""
    world.tell(world.order(SALE, "s1", "ux", "r1", status="REFUNDING"), LATE)


def seat_a_late_payer_who_paid_nothing(world: World) -> None:
    order_id = order_of(world, "uk", GROUPS, "g")["id"]
    world.tables["payments"] = [row for row in world.tables["payments"] if row["order_id"] != order_id]


def move_an_order_for_no_reason(world: World) -> None:
    order_of(world, "uk", GROUPS, "g")["reseated_at"] = None


def grant_for_an_order_that_was_paid_back(world: World) -> None:
    reward_of(world, "void").update(status="GRANTED", updated_at="2026-11-22T13:00:00+00:00")


def leave_a_reward_of_an_order_that_was_paid_back(world: World) -> None:
    reward_of(world, "void")["status"] = "FROZEN"


def void_the_reward_of_a_paid_order(world: World) -> None:
    reward_of(world, "granted")["status"] = "VOID"


def grant_before_the_refund_window_closes(world: World) -> None:
    reward_of(world, "granted")["unfreezes_at"] = "2026-11-29T12:00:00+00:00"


def reward_for_an_order_nobody_knows(world: World) -> None:
    reward_of(world, "granted")["order_id"] = "d" * 32


def oversell_a_session(world: World) -> None:
    """The config has enough, the session has not."""
    session_of(world, "s2")["total"] = 0
    world.warmed[SALE]["instances"]["s2"]["left"] = -1


def count_a_session_wrong(world: World) -> None:
    session_of(world, "s2")["reserved"] += 1


def forget_a_sessions_stock(world: World) -> None:
    """Redis counts the session's units, Postgres does not."""
    world.tables["session_stock"].clear()


def release_a_sessions_units_twice(world: World) -> None:
    world.warmed[SALE]["instances"]["s2"]["left"] += 2


def forget_what_was_remembered(world: World) -> None:
    del world.warmed[SALE]["remembered"]["ux"]


def remember_something_else(world: World) -> None:
    world.tables["people"][0]["cells"]["device"] = "d2"


def succeed_by_simulation_without_a_rule(world: World) -> None:
    for cells in (instance_of(world, "g4")["cells"], world.warmed[GROUPS]["instances"]["g4"]):
        cells["simulated"] = True
    instance_of(world, "g4")["status"] = "SUCCESS"
    world.warmed[GROUPS]["instances"]["g4"]["status"] = 3


def invent_an_order(world: World) -> None:
    world.order(SALE, "s1", "ux", "r1")
    del world.lines[-2:]


def trade_of(world: World, user: str) -> dict[str, Any]:
    """The provider's trade of a paid order of the flash sale."""
    order_id = order_of(world, user)["id"]
    return next(row for row in world.tables["sandbox_trades"] if row["out_trade_no"] == order_id)


def take_money_for_nobody(world: World) -> None:
    trade = {"out_trade_no": "d" * 32, "amount_fen": 1, "status": "PAID", "transaction_id": "t-1"}
    world.tables["sandbox_trades"].append(trade)


def take_money_after_the_end_unheard(world: World) -> None:
    """The order was cancelled, its payment closed, and nobody will ever ask again."""
    order = order_of(world, "ue")
    payment = {"order_id": order["id"], "amount_fen": order["amount_fen"], "status": "CLOSED", "ask_at": None}
    world.tables["payments"].append(payment | {"transaction_id": None})
    trade = {"out_trade_no": order["id"], "amount_fen": order["amount_fen"], "status": "PAID"}
    world.tables["sandbox_trades"].append(trade | {"transaction_id": "t-late"})


def give_back_by_itself_what_nobody_knows(world: World) -> None:
    take_money_after_the_end_unheard(world)
    world.tables["sandbox_trades"][-1]["status"] = "REFUNDED"


def book_another_transaction(world: World) -> None:
    trade_of(world, "ua")["transaction_id"] = "t-other"


def book_another_amount(world: World) -> None:
    trade_of(world, "ua")["amount_fen"] += 1


def book_what_was_never_paid(world: World) -> None:
    trade_of(world, "ua").update(status="CLOSED", transaction_id=None)


def book_what_the_provider_never_heard_of(world: World) -> None:
    world.tables["sandbox_trades"].remove(trade_of(world, "ua"))


def give_back_another_amount(world: World) -> None:
    world.tables["sandbox_refunds"][0]["amount_fen"] -= 1


def give_back_to_another_order(world: World) -> None:
    world.tables["sandbox_refunds"][0]["out_trade_no"] = order_of(world, "ua")["id"]


def give_back_what_nobody_decided(world: World) -> None:
    world.tables["sandbox_refunds"].append(world.tables["sandbox_refunds"][0] | {"refund_no": "r-more"})


def believe_a_refund_done(world: World) -> None:
    world.tables["sandbox_refunds"].pop()


def archive(world: World) -> None:
    """The sale has ended: no wrong as long as Redis has forgotten it."""
    world.tables["play_configs"][0]["archived_at"] = "2026-11-25T12:00:00+00:00"


def forget_in_redis_what_goes_on(world: World) -> None:
    del world.warmed[SALE]


def be_a_newcomer_twice(world: World) -> None:
    """In two groups, both paid."""
    world.tables["play_configs"][1] |= {"newcomer_verbs": ["join"], "rules": {"limitPerPerson": 5, "target": 3}}
    world.order(GROUPS, "g2", "ua", "again", status="PAID")


# What plants it, the invariant it breaks, and words of the violation: by them one check of the auditor has to find it.
WRONGS: list[Wrong] = [
    (delete_a_row, 3, "acknowledged, but there is no row"),
    (lose_an_acknowledged_click_everywhere, 3, "acknowledged, but there is no row"),
    (one_fen_off, 4, "but quantity x price is 2 x 990"),
    (capture_one_fen_more, 4, "captured 1981 fen, fulfilled 1980"),
    (reserve_one_unit_less, 1, "stock.reserved is 8, the orders say 9"),
    (leave_one_unit_more_in_redis, 1, "Redis: 2 left + 9 taken"),
    (double_an_order, 2, "2 rows for one request"),
    (oversell, 1, "13 live units of a stock of 10"),
    (overfill_a_group, 1, "4 live orders, 3 seats"),
    (overfill_a_group_in_redis, 1, "4 live effects, 3 seats"),
    (release_twice, 8, "Redis has 3 left, 9 are live"),
    (release_a_seat_twice, 8, "2 seats left + 2 live orders"),
    (breach_the_limit, 6, "3 units at once, limit 2"),
    (be_a_newcomer_twice, 6, "a newcomer with 2 paid orders"),
    (archive, 8, "archived or a draft, but in Redis"),
    (forget_in_redis_what_goes_on, 8, "published, but Redis does not know it"),
    (take_money_for_nobody, 7, "took 1 fen by t-1, we know of None"),
    (take_money_after_the_end_unheard, 7, "by t-late, we know of None"),
    (give_back_by_itself_what_nobody_knows, 7, "by t-late, we know of None"),
    (book_another_transaction, 7, "by t-other, we know of"),
    (book_another_amount, 7, "took 1981 fen, we have booked 1980"),
    (book_what_was_never_paid, 7, "the provider says Trade"),
    (book_what_the_provider_never_heard_of, 7, "the provider says None"),
    (give_back_another_amount, 7, "the provider gave back 989 fen"),
    (give_back_to_another_order, 7, "we have decided Refund"),
    (give_back_what_nobody_decided, 7, "we have decided None"),
    (believe_a_refund_done, 7, "the provider knows no"),
    (breach_the_limit_for_a_moment, 6, "4 units at once, limit 2"),
    (breach_the_limit_until_a_cancellation, 6, "3 units at once, limit 2"),
    (take_two_seats_in_one_group, 6, "2 seats of one person at once"),
    (click_before_the_window, 6, "outside its config's window"),
    (leave_a_row_for_a_refused_click, 3, "refused, yet it left a row"),
    (answer_a_replay_differently, 2, ", then ('RESERVED'"),
    (replay_at_once_what_nobody_was_told, 2, "a replay of an answer nobody was given"),
    (do_one_request_twice_with_two_bodies, 2, "one requestId won with 2 bodies"),
    (answer_two_first_times, 2, "2 answers claim to be the first"),
    (refuse_the_same_body_as_reused, 2, "refused as reused, though its body was the first"),
    (fence_off_an_acknowledged_click, 3, "status CANCELLED, reason FENCED"),
    (acknowledge_another_order, 3, "is not what was acknowledged"),
    (resolve_a_hold_both_ways, 5, "Redis says (5, 2, 2"),
    (forget_to_tell_redis, 5, "EXPIRED, gate_state 1, no event waits"),
    (keep_a_hold_for_ever, 3, "still HELD 30000 ms after its deadline"),
    (leave_a_stream_entry, 8, "1 entries are not drained"),
    (leave_an_event, 8, "1 events are not followed"),
    (succeed_with_two_of_three, 8, "SUCCESS with 2 of 3 paid"),
    (keep_money_of_a_failed_group, 8, "FAILED, but 1 orders are PAID"),
    (count_progress_wrong, 8, "current 4, paid 3"),
    (break_a_confirmed_cancellation, 5, "cancel was confirmed, the order is HELD"),
    (invent_an_order, 3, "an order that no client asked for"),
    (sell_below_the_price, 4, "495 fen, but quantity x price is"),
    (give_a_joiner_the_leaders_price, 4, "890 fen, but quantity x price is"),
    (rebate_one_fen_more, 4, "rebates of [91] fen, its instance owes 90"),
    (forget_a_rebate, 4, "rebates of [] fen, its instance owes 90"),
    (rebate_what_nobody_promised, 4, "rebates of [90] fen, its instance owes 0"),
    (pay_back_the_rebate_twice, 4, "captured 990 fen, fulfilled 0, refunds 1080"),
    (call_refunded_what_is_not, 4, "REFUNDED, its refund is PENDING"),
    (keep_a_late_payment, 4, "captured 990 fen, fulfilled 0, refunds 0"),
    (seat_a_late_payer_who_paid_nothing, 4, "captured 0 fen, fulfilled 990"),
    (move_an_order_for_no_reason, 3, "is not what was acknowledged"),
    (grant_for_an_order_that_was_paid_back, 4, "GRANTED, its order REFUNDED"),
    (leave_a_reward_of_an_order_that_was_paid_back, 4, "FROZEN, its order REFUNDED"),
    (void_the_reward_of_a_paid_order, 4, "void, its order PAID"),
    (grant_before_the_refund_window_closes, 4, "GRANTED before 2026-11-29"),
    (reward_for_an_order_nobody_knows, 4, "that is not there"),
    (oversell_a_session, 1, "Redis: -1 left + 1 taken, the session's stock 0"),
    (count_a_session_wrong, 1, "1 live units of the session's 4, reserved 2"),
    (forget_a_sessions_stock, 8, "Redis has stock of the session, Postgres has not"),
    (release_a_sessions_units_twice, 8, "Redis has 5 left of the session"),
    (forget_what_was_remembered, 5, "Redis remembers None"),
    (remember_something_else, 5, "Postgres {'device': 'd2'"),
    (succeed_by_simulation_without_a_rule, 8, "SUCCESS with 1 of 3 paid"),
]
