"""Configuration files: TOML or JSON, read once at start into a frozen struct. Nobody else reads
files or the environment for settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from emvs.errors import ConfigurationError

_Config = TypeVar("_Config")


def load_config(path: Path, kind: type[_Config]) -> _Config:
    """Return the settings in `path`, checked against `kind`.

    Raises ConfigurationError naming the file and the member that is wrong.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    try:
        if path.suffix == ".toml":
            return msgspec.convert(tomllib.loads(raw.decode()), kind)
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
