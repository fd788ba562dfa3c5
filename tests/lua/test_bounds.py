"""A step ends: whatever it repeats, it runs out of its budget; and one that repeats little runs as it was written."""

from collections.abc import Callable, Iterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.errors import PlaybookInvalid
from engine.local.running import Running
from engine.playbooks.bounds import BOUNDS, BOUNDS_NAMES, MEMORY_KB_MAX, TEXT_BYTES_MAX, TICKS_MAX, bounded

Run = Callable[[str], tuple[str, str]]

HEAD = f"{BOUNDS}local out = {{}}\nlocal function log(value) out[#out + 1] = tostring(value) end\n"
BEGIN = f"local function load()\nlocal string, table, math = libraries()\nlocal {BOUNDS_NAMES}, collectgarbage\ndo\n"
FIRST_LINE = (HEAD + BEGIN).count("\n") + 2  # one more: Redis takes a line `#!lua`
END = (
    "\nend end\nbegin_run()\nlocal ok, answer = pcall(load)\nlog(ok) log(answer)\n"
    "return { table.concat(out, ' '), overran() or '' }"
)
OVER_BUDGET = f"step ran over its budget of {TICKS_MAX} loops and calls"
TOO_MUCH_MEMORY = f"step used more than {MEMORY_KB_MAX} KB of memory"
TOO_LONG = f"step made a text of more than {TEXT_BYTES_MAX} bytes"


@pytest.fixture
def run(valkey: Running) -> Iterator[Run]:
    """`run(lua)`: what it logged, whether it ended well and its answer or error; and why it was stopped."""
    with redis.Redis.from_url(valkey.url, socket_timeout=10) as client:

        def evaluate(source: str) -> tuple[str, str]:
            try:
                logged, reason = client.eval(f"#!lua\n{HEAD}{BEGIN}{source}{END}", 0)
            except redis.TimeoutError:
                client.script_kill()
                raise
            return logged.decode(), reason.decode()

        yield evaluate


@pytest.mark.parametrize(
    "source",
    [
        "while true do end",
        "while true do if true then end end",
        "repeat until false",
        "repeat local x = 1 until x == 2",
        "for i = 1, math.huge do end",
        "for i = 1, 0, -0 do end",
        "for k in function() return 1 end do end",
        "for _, v in pairs({ 1, 2 }) do while v do end end",
        "local function f() return f() end f()",
        "local function f() f() end f()",
        "local f = function(g) return g(g) end f(f)",
        "local t = {} function t.a() return t.b() end function t.b() return t.a() end t.a()",
        "local t = {} function t:again() return self:again() end t:again()",
        "local t = {} t.f = function(...) return t.f(...) end t.f(1, 2)",
        "do local n = 0 repeat n = n + 1 do end until n < 0 end",
        "table.sort({ 1, 2, 3 }, function(a, b) while true do end end)",
        "string.gsub('ab', '.', function() repeat until nil end)",
        "local t = {} for i = 1, 9000 do t[i] = 1 end for i = 1, 900 do table.sort(t) end",
        "local t = {} for i = 1, 9000 do table.insert(t, 1, i) end",
        "string.find(string.rep('a', 1000), string.rep('.-', 20) .. 'b')",
        "string.match(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40))",
        "string.gsub(string.rep('a', 300), '[%]]-[^]]-[a-z]-x', '')",
        "for _ in string.gmatch(string.rep('(', 9999), '%b()') do end",
        "for i = 1, 9000 do string.find(string.rep('a', 9999), string.rep('a', 999) .. 'b', 1, true) end",
    ],
)
def test_whatever_repeats_without_end_runs_out_of_its_budget(run: Run, source: str) -> None:
    """Loops, recursion and patterns of every kind."""
    logged, reason = run(bounded(source))

    assert reason.partition(": ")[0] == OVER_BUDGET
    assert logged.startswith("false ")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("local s = 'x' while true do s = s .. s end", TOO_MUCH_MEMORY),
        ("local t = {} for i = 1, 9000 do t[i] = string.rep('x', 60000) .. i end", TOO_MUCH_MEMORY),
        ("string.gsub(string.rep('a', 6000), '.', { a = string.rep('b', 60000) })", TOO_MUCH_MEMORY),
        ("string.gsub(string.rep('a', 6000), '.', function() return string.rep('b', 60000) end)", TOO_MUCH_MEMORY),
        ("string.rep('x', 1e9)", TOO_LONG),
        ("string.rep('x', 0 / 0)", TOO_LONG),
        ("string.gsub(string.rep('a', 60000), '.', string.rep('b', 60000))", TOO_LONG),
        ("local t = {} for i = 1, 90 do t[i] = string.rep('x', 60000) end table.concat(t)", TOO_LONG),
        ("table.concat({ 1, 2, 3 }, string.rep('x', 60000))", TOO_LONG),
    ],
)
def test_what_eats_memory_is_stopped(run: Run, source: str, reason: str) -> None:
    """Texts that double, tables that grow, and library functions that make much of little."""
    assert run(bounded(source))[1] == reason


def test_the_error_names_the_line_of_the_loop(run: Run) -> None:
    """Lines stay what they were, so an author finds the place."""
    logged, _ = run(bounded("local function f()\n  return 1\nend\nf()\nwhile true do\nend"))

    assert f"user_script:{FIRST_LINE + 4}: {OVER_BUDGET}" in logged


@pytest.mark.parametrize("name", ["find", "match", "gmatch", "gsub"])
def test_the_error_names_the_pattern_that_cost_so_much(run: Run, name: str) -> None:
    """No loop is to be seen there: it says which function, on how long a text, and how many it counts as."""
    arguments = "string.rep('1', 2000), '%d+'" + (", ''" if name == "gsub" else "")
    logged, reason = run(bounded(f"\nstring.{name}({arguments})"))

    cost = round(2001 * 2001 / 256)
    assert reason == f"{OVER_BUDGET}: the pattern of string.{name} on a text of 2000 characters costs {cost} of them"
    assert f"user_script:{FIRST_LINE + 1}: {reason}" in logged


def test_the_error_names_the_sort_that_cost_so_much(run: Run) -> None:
    source = "local t = {} for i = 1, 6000 do t[i] = i end table.sort(t)"
    assert run(bounded(source))[1] == f"{OVER_BUDGET}: table.sort of 6000 items costs 6000 of them"


def test_what_the_guide_says_a_pattern_may_read_is_true(run: Run) -> None:
    """Of digits without an anchor some 1,500; with one, as much as a cell holds, for little."""
    assert run(bounded("string.match(string.rep('1', 1500), '%d+')"))[1] == ""
    assert run(bounded("for i = 1, 500 do string.match(string.rep('1', 4096), '^%d+') end"))[1] == ""


def test_the_budget_is_for_one_run(run: Run) -> None:
    """All of it and no more: the file itself, entered by nobody's call, costs nothing."""
    assert run(bounded(f"for i = 1, {TICKS_MAX} do end")) == ("true nil", "")
    assert run(bounded(f"for i = 1, {TICKS_MAX + 1} do end"))[1] == OVER_BUDGET


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("string.rep('ab', 3)", "ababab"),
        ("string.find('abc', 'c')", "3"),
        ("string.find('a.c', '.', 1, true)", "2"),
        ("string.match('2026-11-22', '^(%d+)%-(%d+)%-(%d+)$')", "2026"),
        ("string.gsub('hello world', '%w+', string.upper)", "HELLO WORLD"),
        ("string.gsub('$a $b', '%$(%w+)', { a = 1 })", "1 $b"),
        ("string.gsub('abc', '', '-')", "-a-b-c-"),
        ("string.gsub('abc', '.', '%0%0', 2)", "aabbc"),
        ("string.gmatch('a,b', '[^,]+')()", "a"),
        ("string.format('%05d %s', 42, 'x')", "00042 x"),
        ("('x'):upper()", "X"),
        ("table.concat({ 1, 2, 3 }, ', ', 2)", "2, 3"),
        ("table.concat({})", ""),
        ("math.floor(2.5)", "2"),
        ("math.max(1, 3, 2)", "3"),
        ("bit.band(6, 3)", "2"),
        ("math.random", "nil"),
        ("string.dump", "nil"),
    ],
)
def test_the_bounded_libraries_answer_as_the_real_ones(run: Run, expression: str, answer: str) -> None:
    """Only chance and bytecode are missing."""
    assert run(bounded(f"return ({expression})"))[0] == f"true {answer}"


def test_lists_are_changed_as_by_the_real_table_library(run: Run) -> None:
    source = (
        "local t = { 3, 1 } table.insert(t, 2) table.insert(t, 1, 9) table.remove(t) table.remove(t, 2)"
        " table.insert(t, 5) table.sort(t, function(a, b) return a > b end) return table.concat(t, ' ')"
    )
    assert run(bounded(source)) == ("true 9 5 1", "")


def test_a_playbook_cannot_change_another_ones_libraries(valkey: Running) -> None:
    """Each has tables of its own."""
    script = f"#!lua\n{BOUNDS}local mine, yours = libraries(), libraries() mine.rep = nil return yours.rep and 1"

    with redis.Redis.from_url(valkey.url) as client:
        assert client.eval(script, 0) == 1


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("local tick = 1", "step.lua:1: the name 'tick' belongs to the engine"),
        ("\n\nfunction tick() end", "step.lua:3: the name 'tick' belongs to the engine"),
        ("-- one\r\n--[[ two\n]] tick = nil", "step.lua:3: the name 'tick' belongs to the engine"),
        ("local a = 'x\\\ny'\nlocal b = a:rep(3)", "step.lua:3: write string.rep(text, …) instead of text:rep(…)"),
        ("return {} end end redis = 1 do do", "step.lua:1: 'end' ends no block"),
        ("do until true", "step.lua:1: 'until' ends no block"),
        ("repeat end", "step.lua:1: 'end' ends no block"),
        ("\nlocal function f()\n  if x then\nend", "step.lua:2: a block begins that no 'end' ends"),
        ("repeat", "step.lua:1: a block begins that no 'until' ends"),
        ("\nlocal x = 'abc\n'", "step.lua:2: an unfinished text"),
        ('local x = "abc', "step.lua:1: an unfinished text"),
        ("local x = 'abc\\", "step.lua:1: an unfinished text"),
        ("\nlocal x = [==[ abc ]=]", "step.lua:2: an unfinished text"),
        ("return {}\n--[[ abc", "step.lua:2: an unfinished comment"),
    ],
)
def test_what_would_get_out_of_bounds_is_refused_with_its_line(source: str, error: str) -> None:
    with pytest.raises(PlaybookInvalid) as raised:
        bounded(source)

    assert str(raised.value) == error


@pytest.mark.parametrize(
    "source",
    [
        "return 'while true do tick() end'",
        'return "it\'s \\" tick"',
        "return [[ do tick\nrepeat ]]",
        "return [==[ ]] tick ]=] ]==]",
        "-- tick do repeat function()",
        "--[==[ tick ]]\n do ]==] return 1",
        "--[=x tick",
        "return cells.tick, a.b.tick, 0x1F, .5e-3, 3e2, 1 ..2, '\\\\'",
        "return a[ [[x]] ], a[b[1]], #t, t.n",
    ],
)
def test_words_in_texts_comments_and_fields_are_left_alone(source: str) -> None:
    assert bounded(source) == source


NAMES = st.sampled_from(["a", "b", "n_2", "done", "ends", "_if"])
VALUES = st.sampled_from(
    ["1", "2.5", ".5", "0x1F", "3e2", "nil", "true", "'do'", '"\\"end\\""', "[[until]]", "[=[ ]] ]=]", "'\\\n'", "{}"]
)
GAPS = st.sampled_from([" ", "\n", "\r\n", "\t", " -- while do\n", " --[[ repeat ]] ", " --[=[ function()\n ]=] "])
EXPRESSIONS = st.recursive(
    VALUES | NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} == {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"tostring({pair[0]})..tostring({pair[1]})"),
        inner.map(lambda value: f"(function(x, ...) return {value} end)(1, 2)"),
        inner.map(lambda value: f"#tostring({value})"),
        inner.map(lambda value: f"({{ key = {value}, [1] = 2; }}).key"),
    ),
    max_leaves=4,
)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(st.tuples(inner, GAPS).map("".join), max_size=3).map(" ".join)
    return st.one_of(
        st.tuples(st.integers(0, 3), body).map(lambda made: f"for i = 1, {made[0]} do {made[1]} end"),
        body.map(lambda text: f"for k, v in pairs({{ 1, x = 2 }}) do {text} log(k) end"),
        st.tuples(EXPRESSIONS, body, body).map(
            lambda made: f"if {made[0]} then {made[1]} elseif a then {made[2]} else {made[1]} end"
        ),
        body.map(lambda text: f"do local n = 0 while n < 2 do n = n + 1 {text} end end"),
        body.map(lambda text: f"do local n = 0 repeat\n(log)(n) n = n + 1 {text} until n > 1 end"),
        body.map(lambda text: f"do local function f(x) (log)(x) {text} if x > 0 then return f(x - 1) end end f(2) end"),
        body.map(lambda text: f"do local t = {{}} function t.go:on(...) end end {text}".replace("t.go:on", "t:on")),
        body.map(lambda text: f"do {text} end"),
        body.map(lambda text: f"local b = function(...) {text} return ... end log(b(7))"),
    )


STATEMENTS = st.recursive(
    st.one_of(
        EXPRESSIONS.map(lambda value: f"log({value});"),
        st.tuples(NAMES, EXPRESSIONS).map(lambda made: f"local {made[0]} = {made[1]}"),
        st.just("if a then error('line') end"),
    ),
    _blocks,
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(STATEMENTS, GAPS).map("".join), max_size=5).map("".join))
def test_a_bounded_program_does_what_it_did(run: Run, program: str) -> None:
    """What it logs, answers and complains about, its line included."""
    source = f"local a, b, n_2, done, ends, _if\n{program}"

    before, after = run(source), run(bounded(source))

    assert bounded(source).count("\n") == source.count("\n")
    assert _nameless(after[0]) == _nameless(before[0])
    assert after[1] == ""


def _nameless(logged: str) -> str:
    """Without the addresses of tables and functions."""
    return " ".join("0x" if word.startswith("0x") else word for word in logged.split(" "))
