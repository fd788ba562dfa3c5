"""Keeps a stranger's Lua within bounds: a budget of loops, calls and memory for each run of a step.

Lua in Valkey cannot be interrupted without losing the shard, and has no debug hooks. So `bounded` puts a call
of `tick` at the head of every block that can be repeated; `BOUNDS` defines it, and libraries whose functions
cannot do much work in one call. This catches mistakes, not malice: a playbook is Python code, too.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.core.errors import PlaybookInvalid

TICKS_MAX = 10_000
MEMORY_KB_MAX = 8192
TEXT_BYTES_MAX = 65536  # what one call of a library function may make

# Found by the step if they were not hidden from it; `tick` cannot be, so `bounded` refuses the name.
BOUNDS_NAMES = "begin_run, overran, libraries"

# Goes to the top of a script. `begin_run()` before each run of a step or of its file; afterwards `overran()`
# is the reason if it was stopped, else nil. `libraries()` makes the `string`, `table` and `math` of a playbook,
# each unless its argument is false.
BOUNDS = f"""\
local tick, begin_run, overran, libraries
do
local ticks_left, memory_kb_max, reason = 0, 0, nil
local memory_kb = collectgarbage

-- `level`: how many calls above its caller the step is, whose line the error shall name.
local function stop(text, level)
  reason = text
  error(text, level + 2)
end

-- `what` has cost so many at once, if it is no loop or call of the step's own.
local function spend(ticks, level, what)
  ticks_left = ticks_left - ticks
  if not (ticks_left >= 0) then
    local cost = what and string.format(': %s costs %.0f of them', what, ticks) or ''
    stop('step ran over its budget of {TICKS_MAX} loops and calls' .. cost, level + 1)
  end
  if memory_kb('count') > memory_kb_max then stop('step used more than {MEMORY_KB_MAX} KB of memory', level + 1) end
end

function tick()
  ticks_left = ticks_left - 1
  if ticks_left < 0 or memory_kb('count') > memory_kb_max then spend(0, 1) end
end

function begin_run()
  ticks_left, memory_kb_max, reason = {TICKS_MAX}, memory_kb('count') + {MEMORY_KB_MAX}, nil
end

function overran()
  return reason
end

-- What matching may cost at worst: each repetition in a pattern multiplies the ways to try.
local function spend_on_pattern(name, text, pattern)
  local ways, size, position = 1, #text + 1, 1
  if string.byte(pattern) ~= 94 then ways = size end -- ^
  while position <= #pattern do
    local char = string.sub(pattern, position, position)
    if char == '%' then
      position = position + 1
      if string.find(pattern, '^[b%d]', position) then ways = ways * size end
    elseif char == '[' then
      local _, last = string.find(pattern, '^%^?%%?.', position + 1)
      while last and string.sub(pattern, last + 1, last + 1) ~= ']' do
        _, last = string.find(pattern, '^%%?.', last + 1)
      end
      position = (last or #pattern) + 1
    elseif char == '*' or char == '+' or char == '-' then
      ways = ways * size
    elseif char == '?' then
      ways = ways * 2
    end
    position = position + 1
  end
  spend(ways / 256, 2, 'the pattern of string.' .. name .. ' on a text of ' .. #text .. ' characters')
end

local function check_size(bytes)
  spend(1, 2)
  if not (bytes <= {TEXT_BYTES_MAX}) then stop('step made a text of more than {TEXT_BYTES_MAX} bytes', 2) end
end

local function string_library()
  local safe = {{
    byte = string.byte, char = string.char, format = string.format, len = string.len, lower = string.lower,
    reverse = string.reverse, sub = string.sub, upper = string.upper,
  }}
  function safe.rep(text, times)
    check_size(#tostring(text) * (tonumber(times) or 0))
    return string.rep(text, times)
  end
  function safe.find(text, pattern, from, plain)
    if plain then spend(#tostring(text) / 256 * #tostring(pattern), 1)
    else spend_on_pattern('find', tostring(text), tostring(pattern)) end
    return string.find(text, pattern, from, plain)
  end
  function safe.match(text, pattern, from)
    spend_on_pattern('match', tostring(text), tostring(pattern))
    return string.match(text, pattern, from)
  end
  function safe.gmatch(text, pattern)
    spend_on_pattern('gmatch', tostring(text), tostring(pattern))
    return string.gmatch(text, pattern)
  end
  function safe.gsub(text, pattern, by, times)
    spend_on_pattern('gsub', tostring(text), tostring(pattern))
    if type(by) == 'string' or type(by) == 'number' then
      check_size((#tostring(text) + 1) * (#tostring(by) + 1))
      return string.gsub(text, pattern, by, times)
    end
    return string.gsub(text, pattern, function(...)
      local found
      if type(by) == 'table' then found = by[...] else found = by(...) end
      if type(found) == 'string' then check_size(#found) end
      return found
    end, times)
  end
  return safe
end

local function table_library()
  local safe = {{ maxn = table.maxn }}
  function safe.concat(list, between, first, last)
    local bytes = 0
    for i = first or 1, last or #list do
      bytes = bytes + #tostring(list[i]) + #tostring(between or '')
      check_size(bytes)
    end
    return table.concat(list, between, first, last)
  end
  function safe.insert(list, ...)
    if select('#', ...) > 1 then spend(#list / 16, 1) end
    return table.insert(list, ...)
  end
  function safe.remove(list, ...)
    if select('#', ...) > 0 then spend(#list / 16, 1) end
    return table.remove(list, ...)
  end
  function safe.sort(list, before)
    spend(#list, 1, 'table.sort of ' .. #list .. ' items')
    return table.sort(list, before)
  end
  return safe
end

local function math_library()
  local safe = {{}}
  for name, value in pairs(math) do safe[name] = value end
  safe.random, safe.randomseed = nil, nil -- `random(click, n)` is what a repeated click has the same answer from
  return safe
end

-- Only what is wanted: whoever asks does so for every batch of clicks.
function libraries(texts, tables, numbers)
  return texts ~= false and string_library() or nil,
    tables ~= false and table_library() or nil,
    numbers ~= false and math_library() or nil
end
end
"""

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\v\f]+)
    | (?P<line>\r\n|\n\r|\n|\r)
    | (?P<comment>--\[(?P<deep>=*)\[ .*? (?:\](?P=deep)\]|\Z(?P<open_comment>)) | --[^\r\n]*)
    | (?P<text>\[(?P<level>=*)\[ .*? (?:\](?P=level)\]|\Z(?P<open_text>))
             | (?P<quote>["'])(?: \\(?:\r\n|\n\r|.) | (?!(?P=quote))[^\\\r\n] )* (?:(?P=quote)|(?P<open_quote>)))
    | (?P<number>(?:\d|\.\d)[\d.]*(?:[eE][+-]?)?[A-Za-z0-9_]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>\.\.\.?|.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LINE_END = re.compile(r"\r\n|\n\r|\n|\r")
_OPENS = {"do": "end", "function": "end", "if": "end", "repeat": "until"}
_TICK = " tick();"  # with its semicolon, or `(f or g)()` behind it would call what it returns
_COSTLY_METHODS = frozenset({"rep", "find", "match", "gmatch", "gsub"})


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def bounded(source: str) -> str:
    """`source` with a `tick()` at the head of every loop, block and function, on the line it had.

    PlaybookInvalid, with the line, for what would get out of bounds: an unfinished text or comment, an `end`
    too many, the name `tick`, and methods of strings that are bounded only as functions.
    """
    parts: list[str] = []
    blocks: list[tuple[str, int]] = []
    before = ""
    at_parameters = False
    for kind, text, line in _tokens(source):
        parts.append(text)
        if kind in ("space", "line", "comment"):
            continue
        if kind == "name":
            _check_name(text, before, line)
            _follow(blocks, text, line)
            at_parameters = at_parameters or text == "function"
            if text in ("do", "repeat"):
                parts.append(_TICK)
        elif at_parameters and text == ")":
            at_parameters = False
            parts.append(_TICK)
        before = text
    if blocks:
        raise _invalid(blocks[-1][1], f"a block begins that no '{blocks[-1][0]}' ends")
    return "".join(parts)


def _tokens(source: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(source):
        for unfinished, what in (("open_comment", "comment"), ("open_text", "text"), ("open_quote", "text")):
            if match[unfinished] is not None:
                raise _invalid(line, f"an unfinished {what}")
        yield _Token(match.lastgroup or "", match[0], line)
        line += len(_LINE_END.findall(match[0]))


def _check_name(text: str, before: str, line: int) -> None:
    if text == "tick" and before not in (".", ":"):
        raise _invalid(line, "the name 'tick' belongs to the engine")
    if before == ":" and text in _COSTLY_METHODS:
        raise _invalid(line, f"write string.{text}(text, …) instead of text:{text}(…)")


def _follow(blocks: list[tuple[str, int]], text: str, line: int) -> None:
    """Keep the stack of open blocks: the step may not close one that the engine has opened around it."""
    if text in _OPENS:
        blocks.append((_OPENS[text], line))
    elif text in ("end", "until") and (not blocks or blocks.pop()[0] != text):
        raise _invalid(line, f"'{text}' ends no block")


def _invalid(line: int, what: str) -> PlaybookInvalid:
    return PlaybookInvalid(f"step.lua:{line}: {what}")
