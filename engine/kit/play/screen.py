"""How a game is shown in the terminal: who did what, what came of it, and all that changed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.gate.outcome import EFFECTS, REFUSALS, Outcome
from engine.gate.records import EffectState
from engine.kit.stage.harness import Stage
from engine.kit.stage.model import Intents
from engine.kit.stage.sale import START_MS
from engine.sdk import Status

SHOP_TIME = timedelta(hours=8)  # Beijing
TEXT_MAX = 40
UNSEEN = "not seen"
MOMENTS_FROM = 1 << 40  # ms; a cell of this size is a moment (2004 and later), not an amount


class Snapshot(NamedTuple):
    """All that can be seen of a sale at one moment."""

    left: int
    instances: dict[str, dict[str, Any]]
    mine: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, stage: Stage) -> "Snapshot":
        """As it is now."""
        mine = {user: person.mine for user, person in stage.people().items() if person.mine}
        return cls(stage.left(), stage.instances(), mine)


class Happening(NamedTuple):
    """One thing that happened. `number` is 0 for what followed from time alone."""

    number: int
    now_ms: int
    who: str
    what: str
    outcome: Outcome
    before: Snapshot
    after: Snapshot
    written: Sequence[Intents]
    reasons: Sequence[str]


class Screen:
    """Prints a game on a console."""

    def __init__(self, console: Console, stage: Stage) -> None:
        self._console = console
        self._stage = stage
        self._aliases: dict[str, str] = {session.suffix: session.suffix for session in stage.sale.sessions}

    def show_sale(self) -> None:
        """What is on sale."""
        sale = self._stage.sale
        grid = Table.grid(padding=(0, 2))
        grid.add_row("price", f"{yuan(sale.price_fen)}, {sale.stock} {sale.playbook.unit_name} in stock")
        grid.add_row("on sale", f"{self.clock(START_MS)} to {self.clock(sale.ends_ms)}")
        grid.add_row("rules", ", ".join(f"{name} {self._value(value)}" for name, value in sale.filled().items()))
        if sale.sessions:
            grid.add_row("sessions", ", ".join(session.suffix for session in sale.sessions))
        self._console.print(Panel(grid, title=f"{sale.playbook.name} {sale.playbook.code}", expand=False))

    def show(self, happening: Happening) -> None:
        """What happened and what it changed."""
        grid = self._grid()
        said = Text.assemble(
            (happening.who, "cyan"), " " if happening.who else "", happening.what, "  ", _outcome(happening.outcome)
        )
        grid.add_row(str(happening.number or ""), self.clock(happening.now_ms), said)
        for line in self._changes(happening):
            grid.add_row("", "", line)
        self._console.print(grid)

    def note(self, text: str) -> None:
        """Time passes."""
        grid = self._grid()
        grid.add_row("", self.clock(self._stage.now_ms), Text(text, style="magenta"))
        self._console.print(grid)

    def name(self, suffix: str) -> str:
        """An instance's name in this game: a session's suffix, or #1 for the first that was opened."""
        opened = len(self._aliases) - len(self._stage.sale.sessions) + 1
        return self._aliases.setdefault(suffix, f"#{opened}")

    def clock(self, now_ms: int) -> str:
        """The shop's time; the days since the game began before it."""
        start, now = (datetime.fromtimestamp(ms / 1000, UTC) + SHOP_TIME for ms in (START_MS, now_ms))
        days = (now.date() - start.date()).days
        return f"+{days}d {now:%H:%M:%S}" if days else f"{now:%H:%M:%S}"

    def show_summary(self, outcomes: Counter[tuple[str, Outcome]], turns: Counter[tuple[Status, Status, str]]) -> bool:
        """The summary; whether every unit is accounted for and no step failed."""
        self._console.rule("[bold]the end")
        grid = Table.grid(padding=(0, 2))
        for verb in dict.fromkeys(verb for verb, _ in outcomes):
            counts = [(outcome, count) for (of, outcome), count in outcomes.items() if of == verb]
            grid.add_row(verb, Text(", ").join(Text(f"{count} ") + _outcome(outcome) for outcome, count in counts))
        grid.add_row("instances", self._ends())
        for line in self._moves(turns):
            grid.add_row("", Text(line, style="dim" if line.endswith(UNSEEN) else ""))
        sound = True
        for name, line, kept in self._books():
            grid.add_row(name, Text.assemble(line, ("  ✓", "green") if kept else ("  ✗", "bold red")))
            sound = sound and kept
        self._console.print(grid)
        return sound and not any(outcome == Outcome.PLAYBOOK_FAILED for _, outcome in outcomes)

    def _grid(self) -> Table:
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(width=3, justify="right", style="dim")
        grid.add_column(width=13, justify="right", style="dim")
        grid.add_column(ratio=1, overflow="fold")
        return grid

    # What changed -------------------------------------------------------------------------------

    def _changes(self, happening: Happening) -> Iterator[Text]:
        before, after = happening.before, happening.after
        for reason in happening.reasons:
            yield Text(reason, style="red")
        for suffix, cells in after.instances.items():
            old = before.instances.get(suffix)
            if cells != old:
                yield self._cells(self.name(suffix), old, cells)
        for user, mine in after.mine.items():
            if mine != before.mine.get(user):
                yield self._cells(f"{user}'s own", before.mine.get(user, {}), mine)
        if before.left != after.left:
            yield Text.assemble("stock ", _arrow(str(before.left), str(after.left)))
        for intents in happening.written:
            yield from map(self._intent, self._promises(intents))

    def _cells(self, name: str, old: dict[str, Any] | None, cells: dict[str, Any]) -> Text:
        parts = [
            Text.assemble((f"{cell} ", "dim"), _arrow(self._value(old[cell], cell), self._value(value, cell)))
            if old is not None and cell in old
            else Text.assemble((f"{cell} ", "dim"), (self._value(value, cell), "bold"))
            for cell, value in _ordered(cells)
            if old is None or old.get(cell) != value
        ]
        return Text.assemble((name, "yellow"), "  " if old is not None else " begins  ", Text(", ").join(parts))

    def _value(self, value: Any, cell: str = "") -> str:
        if cell == "status":
            return Status(value).name
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int) and value >= MOMENTS_FROM:
            return self.clock(value)
        if isinstance(value, list | tuple):
            return " ".join(self._value(part) for part in value) or "none"
        if isinstance(value, dict):
            return "(" + ", ".join(f"{name} {self._value(part)}" for name, part in value.items()) + ")"
        text = self._aliases.get(str(value), str(value)).strip() or "–"
        return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"

    def _promises(self, intents: Intents) -> Iterator[str]:
        for _id, _config, suffix, user, _request, quantity, amount_fen, pay_before_ms, *_ in intents.orders:
            unit = self._stage.sale.playbook.unit_name
            until = self.clock(pay_before_ms)
            yield f"order in {self.name(suffix)}: {user}, {quantity} {unit}, {yuan(amount_fen)}, to pay by {until}"
        for _id, _config, suffix, user, _request, verb, *_ in intents.actions:
            yield f"action in {self.name(suffix)}: {user}, {verb}"
        for _source, _number, _config, _suffix, _order, user, kind, amount, free_ms in intents.rewards:
            worth = f"{amount} units" if kind == "ASSET" else yuan(amount)
            yield f"reward: {user}, {kind} {worth}, frozen until {self.clock(free_ms)}"
        for _source, _number, _config, _suffix, user, topic, due_ms in intents.notices:
            yield f"notice: {user}, {topic} at {self.clock(due_ms)}"

    def _intent(self, text: str) -> Text:
        return Text.assemble(("+ ", "green"), text)

    # The end ------------------------------------------------------------------------------------

    def _ends(self) -> str:
        counts = Counter(Status(cells["status"]).name for cells in self._stage.instances().values())
        return ", ".join(f"{counts[status.name]} {status.name}" for status in Status if counts[status.name]) or "none"

    def _moves(self, turns: Counter[tuple[Status, Status, str]]) -> Iterator[str]:
        states = self._stage.sale.playbook.states
        for before, following in states.moves.items():
            for after in following:
                seen = [f"{verb} {count}×" for (x, y, verb), count in turns.items() if (x, y) == (before, after)]
                yield f"{before.name} → {after.name}  {', '.join(seen) or UNSEEN}"

    def _books(self) -> Iterator[tuple[str, str, bool]]:
        """Units of the sale and of each session with stock of its own: left, held and paid make what there was."""
        stage = self._stage
        yield _account("stock", stage.sale.stock, stage.left(), stage, tuple(stage.instances()))
        for session in stage.sale.sessions:
            if session.stock is not None:
                left = stage.cells(session.suffix)["left"]
                yield _account(session.suffix, session.stock, left, stage, (session.suffix,))


def _account(name: str, stock: int, left: int, stage: Stage, suffixes: Iterable[str]) -> tuple[str, str, bool]:
    chosen = [order for order in stage.orders.values() if order.suffix in set(suffixes)]
    states = EffectState.HELD, EffectState.PAID
    held, paid = (sum(order.quantity for order in chosen if order.state == state) for state in states)
    return name, f"{stock} = {left} left + {held} held + {paid} paid", stock == left + held + paid


def yuan(amount_fen: int) -> str:
    """Money as a consumer reads it."""
    return f"{amount_fen / 100:.2f} 元"


def _outcome(outcome: Outcome) -> Text:
    if outcome in EFFECTS:
        return Text(outcome.name, style="bold green")
    if outcome == Outcome.PLAYBOOK_FAILED:
        return Text(outcome.name, style="bold red")
    words = f" {REFUSALS[outcome].text.zh}" if outcome in REFUSALS else ""
    return Text(f"{outcome.name}{words}", style="yellow" if outcome in REFUSALS else "dim")


def _arrow(before: str, after: str) -> Text:
    return Text.assemble(before, (" → ", "dim"), (after, "bold"))


def _ordered(cells: dict[str, Any]) -> list[tuple[str, Any]]:
    """The engine's cells first; without `rev`, which changes with every other."""
    first = ("status", "current", "target", "left", "wakeAt")
    rank = {cell: place for place, cell in enumerate(first)}
    found = [(cell, value) for cell, value in cells.items() if cell != "rev"]
    return sorted(found, key=lambda item: (rank.get(item[0], len(first)), item[0]))
