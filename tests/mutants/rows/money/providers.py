"""What a provider answers decides only where it is an answer."""

from tests.mutants.row import row

GUARDED = "engine/money/providers/guarded.py"
MONEY = "engine/money/money.py"
PAYMENTS = "engine/money/payments.py"
PORT = "engine/money/providers/port.py"

ANSWERS = "tests/integration/money/test_provider_answers.py::"
INVALID_TRADES = ANSWERS + "test_a_paid_trade_that_does_not_say_by_what_or_how_much"
UNKEEPABLE_TRADES = ANSWERS + "test_a_paid_trade_that_no_table_can_hold"

ROWS = (
    row(
        "an exception of an unknown kind ends the whole job",
        GUARDED,
        "        except Exception as error:",
        "        except OSError as error:",
        ANSWERS + "test_an_exception_of_any_kind_says_that_nothing_is_known[ValueError-prepay]",
    ),
    row(
        "a worker that is told to stop is a provider that fails",
        GUARDED,
        "        except Exception as error:",
        "        except BaseException as error:",
        ANSWERS + "test_who_is_told_to_stop_stops[query]",
    ),
    row(
        "a provider that hangs holds up everything",
        GUARDED,
        "            async with asyncio.timeout(self._timeout_s):",
        "            async with asyncio.timeout(None):",
        ANSWERS + "test_a_call_that_hangs_ends[prepay]",
    ),
    row(
        "a provider has so long to answer that the job is given up first",
        GUARDED,
        "CALL_TIMEOUT_S = 5.0",
        "CALL_TIMEOUT_S = 60.0",
        ANSWERS + "test_a_job_ends_in_time_though_every_call_hangs",
    ),
    row(
        "a plain no of the provider passes for no answer",
        GUARDED,
        "        except WanfaError:\n            raise\n",
        "",
        ANSWERS + "test_an_error_of_ours_is_what_the_provider_says[error1-prepay]",
    ),
    row(
        "any answer is believed",
        GUARDED,
        "        if not fits(answer):",
        "        if answer is NotImplemented:",
        ANSWERS + "test_an_answer_that_the_port_does_not_know[None-prepay]",
    ),
    row(
        "a payment is begun with whatever the provider answers",
        GUARDED,
        "lambda one: isinstance(one, Prepay)",
        "lambda one: one is not None",
        ANSWERS + "test_an_answer_that_the_port_does_not_know['PAID'-prepay]",
    ),
    row(
        "any answer but none to a refund is one",
        GUARDED,
        "lambda one: isinstance(one, RefundState)",
        "lambda one: one is not None",
        ANSWERS + "test_an_answer_that_the_port_does_not_know['PAID'-refund]",
    ),
    row(
        "a hold goes though its trade may still be paid",
        GUARDED,
        "_is_trade(one) and one.state in SHUT",
        "_is_trade(one)",
        ANSWERS + "test_after_a_close_a_trade_is_shut_or_the_close_has_failed[TradeState.UNKNOWN]",
    ),
    row(
        "a trade that was paid back is not shut",
        GUARDED,
        "SHUT = frozenset({TradeState.CLOSED, TradeState.PAID, TradeState.REFUNDED})",
        "SHUT = frozenset({TradeState.CLOSED, TradeState.PAID})",
        ANSWERS + "test_after_a_close_a_trade_is_shut_or_the_close_has_failed[TradeState.REFUNDED]",
    ),
    row(
        "a trade in a state that there is not is believed",
        GUARDED,
        "if not isinstance(answer, Trade) or not isinstance(answer.state, TradeState):",
        "if not isinstance(answer, Trade):",
        INVALID_TRADES,
    ),
    row(
        "a paid trade need not say by which transaction",
        PORT,
        "return bool(trade.transaction_id) and has_amount",
        "return has_amount",
        INVALID_TRADES,
    ),
    row(
        "a paid trade need not say how much, in whole fen",
        PORT,
        "type(trade.amount_fen) is int and abs",
        "abs",
        INVALID_TRADES,
    ),
    row(
        "one of the amounts of a paid trade may be True",
        PORT,
        "type(trade.amount_fen) is int",
        "isinstance(trade.amount_fen, int)",
        INVALID_TRADES,
    ),
    row(
        "a trade of nothing is paid",
        GUARDED,
        "answer.amount_fen > 0",
        "answer.amount_fen >= 0",
        INVALID_TRADES,
    ),
    row(
        "a trade is paid with an amount that no table can hold",
        PORT,
        "abs(trade.amount_fen) < FEN_END",
        "abs(trade.amount_fen) <= FEN_END",
        UNKEEPABLE_TRADES,
    ),
    row(
        "a trade is paid by a transaction that no index can hold",
        PORT,
        " or len(text) > TEXT_MAX",
        "",
        UNKEEPABLE_TRADES,
    ),
    row(
        "a trade is paid by a transaction with half a character",
        PORT,
        """return not any("\\ud800" <= char <= "\\udfff" for char in text)""",
        "return True",
        UNKEEPABLE_TRADES,
    ),
    row(
        "whoever paid may be called anything",
        PORT,
        " + ([] if trade.payer is None else [trade.payer])",
        "",
        UNKEEPABLE_TRADES,
    ),
    row(
        "a notification is believed whatever it says",
        PAYMENTS,
        "if not (is_text(order_id) and can_be_kept(trade)):",
        "if not is_text(order_id):",
        ANSWERS + "test_a_notification_that_no_table_can_hold",
    ),
    row(
        "what a provider says of a failed refund is kept as it is",
        "engine/money/refunds.py",
        "keepable(str(error))",
        "str(error)",
        "tests/integration/money/test_refund_steps.py::test_whatever_goes_wrong_is_tried_again",
    ),
    row(
        "a hold that something is wrong with keeps the others",
        "engine/orders/holds.py",
        "        except Exception:  # whatever",
        "        except TimeoutError:  # whatever",
        "tests/integration/orders/test_orders_holds.py"
        "::test_an_order_that_something_is_wrong_with_keeps_no_other_waiting",
    ),
    row(
        "a question that something is wrong with keeps the others",
        "engine/money/asking.py",
        "        except Exception:  # whatever",
        "        except TimeoutError:  # whatever",
        "tests/integration/money/test_asking.py::test_an_order_that_something_is_wrong_with_keeps_no_other_waiting",
    ),
    row(
        "which provider is set is not read",
        MONEY,
        "open_provider(settings.provider, pool)",
        'open_provider("sandbox", pool)',
        ANSWERS + "test_the_provider_is_the_one_that_is_set",
    ),
    row(
        "payments believe whatever the provider says",
        MONEY,
        "self.payments = Payments(pool, moves, guarded,",
        "self.payments = Payments(pool, moves, self.provider,",
        ANSWERS + "test_a_hold_stays_until_its_close_is_certain[OSError('reset')]",
    ),
    row(
        "refunds believe whatever the provider says",
        MONEY,
        "self.refunds = Refunds(pool, moves, guarded,",
        "self.refunds = Refunds(pool, moves, self.provider,",
        ANSWERS + "test_a_refund_is_done_when_the_provider_says_so_and_not_before[OSError('reset')]",
    ),
)
