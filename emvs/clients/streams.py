"""Standard output and error of a command, whatever they are."""

from __future__ import annotations

import os
import sys


def make_streams_usable() -> None:
    """Put the null device in place of a stream that is closed, and have a stream that lacks a
    letter show its number instead of ending the program."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # Closed by whoever started us.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        getattr(sys, name).reconfigure(errors="backslashreplace")
