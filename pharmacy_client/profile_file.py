"""Writing to a profile file: single keys of a TOML file, replaced as a whole or not at all.

The file is written anew beside the old one, flushed to disk, and put in its place, so that whoever
reads it finds the old or the new one. Comments and all other keys stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pharmacy_client.errors import ProfileError


def write_keys(path: Path, values: Mapping[str, str | None]) -> None:
    """Set keys of a profile file, or take out those whose value is None. Raises ProfileError."""
    try:
        text = path.read_text("utf-8")
        before = tomllib.loads(text)
        for name, value in values.items():
            text = _with_key(text, name, value)
        expected = {**before, **values}
        if tomllib.loads(text) != {
            name: value for name, value in expected.items() if value is not None
        }:
            raise ProfileError(
                f"{path} has a form that is not changed here by machine. Set"
                f" {', '.join(values)} by hand, each on a line of its own."
            )
        _replace(path, text.encode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"{path} cannot be changed: {error}") from error


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Be the only one who changes the login in a profile file. Raises ProfileError."""
    import fcntl  # noqa: PLC0415 - not on every system, and only needed here.

    try:
        descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise ProfileError(f"{path} cannot be changed: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ProfileError(f"Another program is changing the login in {path}.") from error
    finally:
        os.close(descriptor)


def write_new_file(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, in full or not at all. Raises ProfileError."""
    try:
        _replace(path, data)
    except OSError as error:
        raise ProfileError(f"{path} cannot be written: {error.strerror}.") from error


def _with_key(text: str, name: str, value: str | None) -> str:
    # JSON's strings are strings of TOML, too, if no letter is spelled in halves.
    line = "" if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
    pattern = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*=.*(?:\n|\Z)", re.MULTILINE)
    if pattern.search(text):
        return pattern.sub(lambda _: line, text, count=1)
    ending = "" if not text or text.endswith("\n") else "\n"
    return text + ending + line


def _replace(path: Path, data: bytes) -> None:
    path = path.resolve()  # A link stays one.
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, made with its mode.
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
