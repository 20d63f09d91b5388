"""Files that a user names: read up to a bound, and a plain sentence if that fails."""

from __future__ import annotations

from pathlib import Path

from emvs.errors import EmvsError


class UnreadableFileError(EmvsError):
    """A file cannot be read; the message says which, and why."""

    title = "File not readable"


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return the bytes of a file. Raises UnreadableFileError, also beyond `bytes_max`."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableFileError(f"{path} cannot be read: {reason}.") from error
    if len(data) > bytes_max:
        raise UnreadableFileError(f"{path} is larger than {bytes_max} bytes.")
    return data
