"""Logs that stay bounded while their process writes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def bound_log(path: Path, bytes_max: int) -> None:
    """Set a full log aside as `<name>.1`. Its process appends, so it goes on in the emptied file.

    Lines written between the copy and the emptying are lost; a log that cannot be copied is
    emptied all the same, because a full disk is worse.
    """
    try:
        if path.stat().st_size <= bytes_max:
            return
        try:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
        finally:
            os.truncate(path, 0)
    except OSError:
        return
