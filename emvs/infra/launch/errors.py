"""What can go wrong with starting and stopping, each with a sentence and an exit code.

EmvsError
└── LaunchError             1  the sentence says what happened and where to read more
    ├── AlreadyRunningError 1  a supervisor works on the data directory
    ├── NotRunningError     3  none does
    └── SystemLostError     1  a process ended too often to be started again
"""

from __future__ import annotations

from enum import IntEnum

from emvs.errors import EmvsError


class ExitCode(IntEnum):
    """How a command ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    LIMIT_BROKEN = 4
    DEFECT = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done; for status: everything is healthy",
    ExitCode.FAILED: "it could not be done, one sentence says why; for status: something is wrong",
    ExitCode.USAGE: "wrong usage of the command line",
    ExitCode.NOT_RUNNING: "nothing runs on this data directory (status, clock)",
    ExitCode.LIMIT_BROKEN: "load: the run was made, and a limit is broken",
    ExitCode.DEFECT: "a defect of this program; details are in a file that the message names",
    ExitCode.INTERRUPTED: "interrupted before everything was ready, or during the demo",
}


class LaunchError(EmvsError):
    """The systems could not be started, reached or stopped."""

    title = "Not done"
    exit_code = ExitCode.FAILED


class AlreadyRunningError(LaunchError):
    """A supervisor works on the data directory."""

    title = "Already running"


class NotRunningError(LaunchError):
    """No supervisor works on the data directory."""

    title = "Not running"
    exit_code = ExitCode.NOT_RUNNING


class SystemLostError(LaunchError):
    """A process ended too often to be started once more; everything is stopped."""

    title = "Stopped"
