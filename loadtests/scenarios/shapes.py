"""How many come when. `--shape` chooses; --users, --spawn-rate and --run-time give the size."""

from collections.abc import Callable

from locust import LoadTestShape

Tick = tuple[int, float] | None


def constant(elapsed_s: float, users: int, rate: float, run_s: float) -> Tick:
    """`users` people from the start, arriving at `rate` a second."""
    return (users, rate) if elapsed_s < run_s else None


def stampede(elapsed_s: float, users: int, _rate: float, run_s: float) -> Tick:
    """Everybody in the first second; a fifth stays on after the first fifth of the time."""
    if elapsed_s >= run_s:
        return None
    return (users, users) if elapsed_s < run_s / 5 else (max(1, users // 5), users)


def soak(elapsed_s: float, users: int, rate: float, run_s: float) -> Tick:
    """A slow rise during the first tenth, then the same load for the rest of the time."""
    if elapsed_s >= run_s:
        return None
    risen = min(1.0, elapsed_s / (run_s / 10) if run_s else 1.0)
    return max(1, round(users * risen)), max(rate, 1.0)


SHAPES: dict[str, Callable[[float, int, float, float], Tick]] = {
    "constant": constant,
    "stampede": stampede,
    "soak": soak,
}


class Chosen(LoadTestShape):
    """The shape named by --shape."""

    use_common_options = True

    def tick(self) -> Tick:
        """Asked by locust once a second."""
        options = self.runner.environment.parsed_options if self.runner else None
        if options is None:
            return None
        run_s = float(options.run_time or 60)
        elapsed_s = float(self.get_run_time())  # type: ignore[no-untyped-call]  # locust is partly untyped
        return SHAPES[options.shape](elapsed_s, options.num_users or 1, options.spawn_rate or 1, run_s)
