# Shared by scripts/up and scripts/test (sourced, POSIX sh): a virtual environment with exactly the locked
# packages and this checkout in it. Does nothing when it is up to date.

say() { printf 'wanfa: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd -- "$root" || exit 1
venv=$root/.venv
asked_python=${WANFA_PYTHON:-}
unset WANFA_PYTHON PYTHONHOME PYTHONPATH  # the first is no setting; the others would mix in strangers' packages

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1 PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0
if [ ! -w "${HOME:-/nonexistent}" ]; then export PIP_NO_CACHE_DIR=1; fi

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
version_of() { "$1" -c 'import platform; print(platform.python_implementation(), platform.python_version())' 2>/dev/null; }
# A build of the same version elsewhere will do: which one the environment was made from is hard to tell.
is_as_asked() { [ -z "$asked_python" ] || [ "$(version_of "$asked_python")" = "$(version_of "$1")" ]; }
can_make_venv() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

# Sets $python to a Python that can make the environment, or ends with one line that says what is missing.
find_python() {
    too_old='' without_venv=''
    # The distribution's own first: it is built with optimisations that a version manager's often lacks, which
    # makes a click a quarter cheaper. From a list, not a loop over $PATH: a version manager's shims exist for
    # versions that are not installed.
    candidates=''
    for version in 3.13 3.12 3.11 3.14; do candidates="$candidates /usr/bin/python$version"; done
    for python in ${asked_python:-$candidates python3.13 python3.12 python3.11 python3.14 python3}; do
        command -v "$python" >/dev/null 2>&1 || continue
        if ! is_new_enough "$python"; then
            version=$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null) \
                && too_old="$python is $version"
        elif ! can_make_venv "$python"; then
            without_venv=$python
        else
            return 0
        fi
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv has no venv module; install it (Debian, Ubuntu: apt install $(basename "$without_venv")-venv)"
    fi
    if [ -n "$too_old" ]; then
        fail "Python 3.11 or newer is needed, but $too_old; install one, or name it with WANFA_PYTHON=/path/to/python3"
    fi
    if [ -n "$asked_python" ]; then fail "WANFA_PYTHON=$asked_python is no Python that runs here"; fi
    fail "Python 3.11 or newer is needed and none was found; install one, or name it with WANFA_PYTHON=/path/to/python3"
}

# The environment is good for this folder, this lock and this pyproject.toml; a copy of it elsewhere is not.
stamp_of() { printf '%s\n' "$root"; cksum "$1" pyproject.toml; }

# pip_install ARGUMENTS: pip, which says by whole lines, on a terminal as in a log, how far it is, and what it complains of.
# $total: of how many packages.
pip_install() {
    { "$venv/bin/python" -m pip install --progress-bar off "$@" 2>&1 || echo 'pip has failed'; } | {
        count=0 failed=''
        while IFS= read -r line; do
            case ${line#"${line%%[! ]*}"} in  # without the blanks in front
                Collecting\ * | Requirement\ already\ satisfied*)
                    count=$((count + 1))
                    if [ $((count % 10)) -eq 0 ]; then say "  $count of $total packages fetched"; fi ;;
                Installing\ collected\ packages*) say "  putting them in place" ;;
                'pip has failed') failed=1 ;;
                Downloading\ * | Using\ cached\ * | Processing\ * | Looking\ in\ * | Obtaining\ * | Getting\ * | Checking\ * | \
                    Preparing\ * | Installing\ * | Building\ * | Created\ * | Stored\ * | Successfully\ * | Ignoring\ * | \
                    Attempting\ * | Found\ * | Uninstalling\ * | '') ;;
                WARNING:\ Location\ *\ is\ ignored*) ;;  # of a find-links in the person's own configuration
                *) printf '%s\n' "$line" >&2 ;;
            esac
        done
        [ -z "$failed" ]
    }
}

# set_up LOCK STAMP: make the environment from LOCK unless .venv/STAMP says that it is.
set_up() {
    if [ -x "$venv/bin/python" ] && is_new_enough "$venv/bin/python" && is_as_asked "$venv/bin/python" \
        && [ "$(stamp_of "$1")" = "$(cat "$venv/$2" 2>/dev/null)" ]; then
        return 0
    fi
    was=$(cat "$venv"/wanfa-*.stamp 2>/dev/null | head -n 1)
    if { [ -n "$was" ] && [ "$was" != "$root" ]; } || ! is_new_enough "$venv/bin/python" \
        || ! is_as_asked "$venv/bin/python" \
        || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        find_python
        say "making .venv with $("$python" --version 2>&1): a few seconds"
        "$python" -m venv --clear "$venv" || fail "could not make $venv; is the folder writable and the disk not full?"
    fi
    rm -f "$venv"/wanfa-*.stamp || fail "$venv may not be written; remove it or run as its owner"
    total=$(grep -c '^[A-Za-z0-9]' "$1")
    say "installing the $total packages of $1: a minute or two, only when it has changed"
    pip_install --require-hashes --prefer-binary -r "$1" \
        || fail "pip could not install the packages of $1; the lines above say why (no network? a full disk?)"
    say "building this checkout: a few seconds"
    pip_install --no-deps --no-build-isolation --editable . \
        || fail "pip could not install this checkout; the lines above say why"
    stamp_of "$1" >"$venv/$2"
}
