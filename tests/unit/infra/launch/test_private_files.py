"""Files with keys are their owner's alone, whatever stood in the folder before."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from emvs.infra.launch.client_certificates import write_private
from emvs.infra.launch.errors import LaunchError


def test_a_key_is_never_in_a_file_that_others_have_made(tmp_path: Path) -> None:
    trap = tmp_path / f".a.pem.{os.getpid()}.tmp"
    trap.touch()
    trap.chmod(0o666)
    old = tmp_path / "a.pem"
    old.write_text("old")
    old.chmod(0o644)
    write_private(old, b"new")
    assert old.read_bytes() == b"new"
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert trap.read_bytes() == b""
    assert sorted(tmp_path.iterdir()) == sorted([old, trap])


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError, match="file"):
        write_private(tmp_path / "file" / "a.pem", b"")
