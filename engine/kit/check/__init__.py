"""Whether a playbook keeps its contract: `wanfa playbook check`, and `Conformance` for its own test suite."""

from engine.core.errors import SettingsInvalid

try:
    from engine.kit.check.conformance import Conformance
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "hypothesis":
        raise
    raise SettingsInvalid("checking takes hypothesis; run `pip install 'wanfa[embedded,kit]'`") from None

__all__ = ["Conformance"]
