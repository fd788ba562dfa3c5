"""What is wrong with the words of a manifest: they are missing, or not Chinese."""

from collections.abc import Iterator

from engine.kit.manifest.forms import is_chinese
from engine.sdk import Playbook


def word_faults(playbook: Playbook) -> Iterator[str]:
    """Words that operators and consumers see and that are no Chinese."""
    view = playbook.view
    words = {"name": playbook.name, "unit_name": playbook.unit_name, "view.join": view.join}
    words |= {} if view.open is None else {"view.open": view.open}
    words |= {f"view.actions[{verb!r}]": view.actions.get(verb, "") for verb in playbook.actions}
    for field, text in words.items():
        if not is_chinese(text):
            yield f"{field} is {text!r}: it needs Chinese words" if text else f"{field} has no words"
    if not playbook.version:
        yield "version is empty"
