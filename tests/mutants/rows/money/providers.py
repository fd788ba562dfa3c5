"""What a provider answers decides only where it is an answer."""

from tests.mutants.row import row

GUARDED = "engine/money/providers/guarded.py"
MONEY = "engine/money/money.py"

ANSWERS = "tests/integration/money/test_provider_answers.py::"
INVALID_TRADES = ANSWERS + "test_a_paid_trade_that_does_not_say_by_what_or_how_much"

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
        GUARDED,
        "(bool(answer.transaction_id) and type(answer.amount_fen) is int)",
        "type(answer.amount_fen) is int",
        INVALID_TRADES,
    ),
    row(
        "a paid trade need not say how much, in whole fen",
        GUARDED,
        "(bool(answer.transaction_id) and type(answer.amount_fen) is int)",
        "bool(answer.transaction_id)",
        INVALID_TRADES,
    ),
    row(
        "one of the amounts of a paid trade may be True",
        GUARDED,
        "type(answer.amount_fen) is int",
        "isinstance(answer.amount_fen, int)",
        INVALID_TRADES,
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
