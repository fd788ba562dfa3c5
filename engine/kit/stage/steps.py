"""What a playbook's step.lua returns: which steps there are, or why there are none."""

from redis.exceptions import ResponseError

from engine.core.errors import PlaybookInvalid
from engine.kit.stage.connection import PipelinedConnection
from engine.kit.stage.harness import CLOCK
from engine.kit.stage.source_map import step_lines
from engine.playbooks import script
from engine.sdk import Playbook

UNCOMPILED = "Error compiling script (new function): "


LIST = """
begin_run()
local steps = playbook_of('{code}')
if type(steps) ~= 'table' then return redis.error_reply('step.lua must return a table of functions') end
local names = {{}}
for name, step in next, steps do
  if type(step) ~= 'function' then return redis.error_reply('step.lua: ' .. tostring(name) .. ' is no function') end
  names[#names + 1] = tostring(name)
end
return names
"""


def step_names(url: str, playbook: Playbook) -> list[str]:
    """The names of the steps, sorted. Raises PlaybookInvalid: the file cannot be compiled or run, and where."""
    source = script.compose_library([playbook], clock=CLOCK)
    connection = PipelinedConnection(url, 0)
    try:
        (names,) = connection.ask(("EVAL", source + LIST.format(code=playbook.code), 0))
    except ResponseError as error:
        raise PlaybookInvalid(step_lines(playbook)(str(error).removeprefix(UNCOMPILED))) from None
    finally:
        connection.close()
    return sorted(name.decode(errors="replace") for name in names)
