"""What a run must keep to; decided when locust quits, as its exit code."""

from argparse import ArgumentParser
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests.scenarios.shapes import SHAPES
from loadtests.scenarios.watch import OVERSELL, TWO_EFFECTS

FAILED = 3


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # locust is partly untyped
def add_options(parser: ArgumentParser, **_: Any) -> None:
    """Our own options; they appear in locust's web form as well."""
    parser.add_argument("--shape", choices=sorted(SHAPES), default="constant", env_var="WANFA_LOAD_SHAPE")
    parser.add_argument("--group-configs", default="", help="configs to open groups of, comma-separated")
    parser.add_argument("--store-user", default="store-1001", help="whose group buys the leaders open")
    parser.add_argument(
        "--store-password", default="", env_var="WANFA_DEMO_PASSWORD", is_secret=True, help="of that staff member"
    )
    parser.add_argument("--max-fail-ratio", type=float, default=0.0, help="share of requests that may fail")
    parser.add_argument("--max-p99-ms", type=float, default=2000.0, help="99th percentile of all requests")
    parser.add_argument("--min-requests", type=int, default=1, help="fewer: the run showed nothing")


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # locust is partly untyped
def judge(environment: Environment, **_: Any) -> None:
    """Say what was broken and set the exit code; in a distributed run only the master judges."""
    if isinstance(environment.runner, WorkerRunner):
        return
    broken = violations(environment)
    for line in broken:
        print(f"BROKEN  {line}")
    if broken:
        environment.process_exit_code = FAILED
    else:
        print("all thresholds kept")
        environment.process_exit_code = 0


def violations(environment: Environment) -> list[str]:
    """One line for each threshold that was not kept."""
    options, total = environment.parsed_options, environment.stats.total
    if options is None:
        return ["locust passed no options"]
    found = []
    if total.num_requests < options.min_requests:
        found.append(f"{total.num_requests} requests, expected at least {options.min_requests}")
    if total.fail_ratio > options.max_fail_ratio:
        found.append(f"{total.fail_ratio:.2%} of requests failed, allowed {options.max_fail_ratio:.2%}")
    p99 = total.get_response_time_percentile(0.99) or 0
    if p99 > options.max_p99_ms:
        found.append(f"p99 {p99:.0f} ms, allowed {options.max_p99_ms:.0f} ms")
    for kind in ("5xx", "unexpected", OVERSELL, TWO_EFFECTS):
        errors = [error for error in environment.stats.errors.values() if kind in str(error.error)]
        if errors:
            count = sum(error.occurrences for error in errors)
            found.append(f"{kind}: {count} times, such as {errors[0].name}: {errors[0].error}")
    return found
