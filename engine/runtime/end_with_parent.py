"""Runs a program that ends when its parent does: `end_with_parent.py PARENT SIGNAL UID GID program args…`.

A script of its own, because what it does cannot be done safely between fork and exec of a program
that has threads: it drops root (UID and GID -1: stays who it is), asks the kernel for SIGNAL at the
parent's death and becomes the program, under the same process id. Only the standard library.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(signal_number: int) -> None:
    """Ask the kernel to send this process `signal_number` when its parent dies; Linux only, else nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def main(argv: list[str]) -> None:
    """Drop root, tie this process to `argv[0]`, its parent, and become the program."""
    parent, signal_number, uid, gid = (int(text) for text in argv[:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)  # first: a change of user undoes what follows
    end_with_parent(signal_number)
    if os.getppid() != parent:  # it died before we were tied to it
        sys.exit(1)
    os.execv(argv[4], argv[4:])  # noqa: S606  # becoming the program is the point


if __name__ == "__main__":
    main(sys.argv[1:])
