"""What a campaign claims of its outcome, printed line by line."""

from rich.console import Console
from rich.markup import escape


class Claims:
    """`all_hold` after every `expect` is the campaign's verdict."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.all_hold = True

    def expect(self, what: str, holds: bool, seen: object = "") -> None:
        """Print one claim and what was seen."""
        self.all_hold &= holds
        sign = "[green]ok[/]" if holds else "[red]NO[/]"
        self.console.print(f"  {sign}  {escape(what)}" + (f": {escape(str(seen))}" if seen != "" else ""))
