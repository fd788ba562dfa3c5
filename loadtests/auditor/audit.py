"""The audit: every check over one body of evidence."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadtests.auditor.check_bill import bill_fits
from loadtests.auditor.check_history import history_is_whole
from loadtests.auditor.check_holds import ends_once
from loadtests.auditor.check_money import money_fits
from loadtests.auditor.check_people import limits_hold
from loadtests.auditor.check_requests import one_effect, promises_kept
from loadtests.auditor.check_stock import comes_back_once, never_oversold
from loadtests.auditor.evidence import Evidence
from loadtests.auditor.stories import tell
from loadtests.auditor.verdict import Question, Verdict

LISTED_MAX = 50  # violations printed for one invariant


def audit(evidence: Evidence, question: Question) -> list[Verdict]:
    """One verdict for each invariant, in the order of engine/README.md, "What always holds"; then the history."""
    stories = tell(evidence.lines)
    return [
        never_oversold(evidence),
        one_effect(evidence, stories, question),
        promises_kept(evidence, stories, question),
        money_fits(evidence),
        ends_once(evidence, question),
        limits_hold(evidence),
        bill_fits(evidence),
        comes_back_once(evidence, question),
        history_is_whole(evidence),
    ]


def report(verdicts: list[Verdict], console: Console) -> bool:
    """Print one line an invariant, then each violation with its id; True when there is none."""
    table = Table(title="audit", title_justify="left")
    for column in ("invariant", "what must hold", "checked", "violations"):
        table.add_column(column)
    for verdict in verdicts:
        checked = ", ".join(f"{count:,} {kind}" for kind, count in verdict.checked.items())
        notes = "; ".join(f"{count:,} {what}" for what, count in verdict.notes.items())
        found = f"[red]{len(verdict.violations)}[/]" if verdict.violations else "[green]0[/]"
        table.add_row(str(verdict.invariant), verdict.title, "\n".join(filter(None, (checked, notes))), found)
    console.print(table)
    for verdict in verdicts:
        for violation in sorted(verdict.violations)[:LISTED_MAX]:
            console.print(f"[red]{verdict.invariant}[/] {escape(violation.subject)}: {escape(violation.text)}")
        if (more := len(verdict.violations) - LISTED_MAX) > 0:
            console.print(f"[red]{verdict.invariant}[/] … and {more} more")
    return not any(verdict.violations for verdict in verdicts)
