"""Becomes a PostgreSQL program that ends when its parent ends. Run as a script, never imported.

`python -I -S postgres_child.py PARENT_PID UID GID SIGNAL PROGRAM [ARGUMENT ...]` gives up root
(UID -1: stays who it is), asks Linux for SIGNAL at the parent's death, and executes PROGRAM under
the same process id. It needs the standard library only and must not import `emvs`: the process
that runs it has not loaded the virtual environment.

A script between fork and exec, rather than a `preexec_fn`: Python code run between fork and exec
in a process with threads can hang on a lock that another thread held at the fork.

Order matters. Changing the user clears the request for the signal, so the request comes after;
executing a program keeps it (prctl(2), PR_SET_PDEATHSIG). Linux sends the signal when the
*thread* that forked ends, so that thread has to live as long as the server
(`postgres_process.ServerProcess`).
"""

import ctypes
import os
import sys
from typing import NoReturn

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_EXIT_CANNOT_EXECUTE = 126  # What a shell answers for a program it may not run.


def main(arguments: list[str]) -> NoReturn:
    parent_pid, uid, gid, death_signal = (int(text) for text in arguments[:4])
    command = arguments[4:]
    try:
        if uid != -1:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        if sys.platform == "linux":
            _ask_for_signal_at_death_of_parent(death_signal)
            if os.getppid() != parent_pid:
                sys.exit("FATAL:  the process that started this server has ended")
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted here
    except OSError as error:
        sys.stderr.write(f"FATAL:  cannot run {command[0]} as uid {uid}: {error.strerror}\n")
        sys.exit(_EXIT_CANNOT_EXECUTE)


def _ask_for_signal_at_death_of_parent(death_signal: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
