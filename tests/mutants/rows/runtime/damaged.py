"""An append-only file that the server cannot load."""

from tests.mutants.row import row

DAMAGED = "engine/local/damaged.py"
EMBEDDED = "engine/local/embedded.py"

CHILDREN = "tests/unit/local/test_children.py::"
TESTS = "tests/integration/local/test_damaged_aof.py::"
COMES_BACK = TESTS + "test_it_comes_back_with_what_was_before_the_damage"
NOT_ITS_FAULT = TESTS + "test_what_is_none_of_the_folders_fault_leaves_it_alone"
TRIALS = TESTS + "test_who_was_killed_loads_its_file_once"

ROWS = (
    row(
        "what a server ended over is trusted",
        EMBEDDED,
        "self._trusted = code in BY_OTHERS",
        "self._trusted = True",
        TRIALS,
    ),
    row(
        "a server that was killed has to prove its file",
        EMBEDDED,
        "self._trusted = code in BY_OTHERS",
        "self._trusted = code == 0",
        TRIALS,
    ),
    row(
        "a program is not told how it ended",
        "engine/local/children.py",
        "            self.program.on_end(code)\n",
        "",
        CHILDREN + "test_its_program_is_told_how_it_ended_before_it_starts_again",
    ),
    row(
        "a torn end is loaded without a word",
        DAMAGED,
        '    "aof-load-truncated": "no",\n',
        "",
        COMES_BACK + "[cut_the_end-199-199]",
    ),
    row(
        "a folder without its manifest is written over",
        DAMAGED,
        "if not (folder / MANIFEST).exists() and any(folder.iterdir()):",
        "if False:",
        COMES_BACK + "[lose_the_manifest-0-0]",
    ),
    row(
        "what was cut is not tried",
        DAMAGED,
        "return done.returncode == 0 and _refused(program, folder) is None",
        "return done.returncode == 0",
        COMES_BACK + "[XADF]",
    ),
    row(
        "a full disk is a damaged file",
        DAMAGED,
        "if words is None or is_explained(words) or",
        "if words is None or",
        NOT_ITS_FAULT,
    ),
    row(
        "what no folder would mend is the folder's fault",
        DAMAGED,
        " or _trial(program, folder.parent) is not None:",
        ":",
        NOT_ITS_FAULT,
    ),
    row(
        "a trial that was killed has failed",
        DAMAGED,
        "return None if process.returncode in BY_OTHERS else",
        "return",
        NOT_ITS_FAULT,
    ),
)
