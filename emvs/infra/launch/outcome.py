"""How a command ends: an exit code and at most one sentence, never a traceback on the screen."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from emvs.errors import EmvsError, UsageError
from emvs.infra.launch.errors import ExitCode, LaunchError
from emvs.infra.postgres_errors import EmvsInfraError


def print_error(sentence: str, _: ExitCode = ExitCode.FAILED) -> None:
    """Say it on standard error."""
    sys.stderr.write(f"{sentence}\n")


def run_guarded(
    command: Callable[[], ExitCode], *, on_error: Callable[[str, ExitCode], None] = print_error
) -> ExitCode:
    """Run a command; return its exit code, whatever happened."""
    try:
        return command()
    except LaunchError as error:
        code, sentence = error.exit_code, f"{error.title}: {error}."
    except UsageError as error:
        code, sentence = ExitCode.USAGE, f"{error.title}: {str(error).rstrip('.')}."
    except EmvsError as error:
        code, sentence = ExitCode.FAILED, f"{error.title}: {str(error).rstrip('.')}."
    except EmvsInfraError as error:
        code, sentence = ExitCode.FAILED, str(error)
    except KeyboardInterrupt:
        code, sentence = ExitCode.INTERRUPTED, "Interrupted."
    except Exception as error:  # noqa: BLE001 - the last resort: kept in a file, told in a line.
        code = ExitCode.DEFECT
        sentence = f"A defect of this program ({type(error).__name__}); details: {_keep(error)}"
    on_error(sentence, code)
    return code


def _keep(error: Exception) -> str:
    """Return the file in which the traceback is now."""
    text = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="emvs-defect-", suffix=".txt")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except OSError:
        return "none, no file could be written"
    return str(Path(name))
