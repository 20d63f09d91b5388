"""What PostgreSQL is told and what it says: settings, DSNs, causes of a failed start."""

from pathlib import Path

import pytest

from emvs.infra.postgres_data_dir import DataDirectory
from emvs.infra.postgres_dsn import parse_dsn
from emvs.infra.postgres_errors import (
    DataDirectoryBusyError,
    DataDirectoryDamagedError,
    ExternalPostgresError,
    PostgresError,
    PostgresPortTakenError,
    PostgresStartError,
)
from emvs.infra.postgres_settings import SETTINGS, settings_arguments
from emvs.infra.postgres_start_failure import start_failure

STAMP = "2026-11-22 07:54:15.621 UTC [4261] "


def test_durability_is_on() -> None:
    assert {SETTINGS[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {
        "on"
    }


def test_overrides_replace_settings_and_the_port_is_last() -> None:
    arguments = settings_arguments(5555, {"jit": "on", "huge_pages": "off"})
    assert arguments[::2] == ["-c"] * (len(arguments) // 2)
    assert "jit=on" in arguments
    assert "jit=off" not in arguments
    assert "huge_pages=off" in arguments
    assert arguments[-1] == "port=5555"


@pytest.mark.parametrize(
    ("line", "kind", "part"),
    [
        ('LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
         PostgresPortTakenError, "port 5555"),
        ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use",
         DataDirectoryBusyError, "Another PostgreSQL server"),
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device',
         DataDirectoryBusyError, ""),
        ("FATAL:  could not write to file: No space left on device",
         PostgresStartError, "disk is full"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory",
         PostgresStartError, "not enough free memory"),
        ("FATAL:  incorrect checksum in control file", DataDirectoryDamagedError, "control file"),
        ("PANIC:  could not locate a valid checkpoint record", DataDirectoryDamagedError, "locate"),
        ("FATAL:  something new", PostgresStartError, 'It said: "something new". The'),
        ("", PostgresStartError, "signal 9"),
    ],
)  # fmt: skip
def test_each_cause_of_a_failed_start_has_its_error(
    line: str, kind: type[PostgresError], part: str
) -> None:
    error = start_failure(
        DataDirectory(Path("/data")), port=5555, exit_status=-9, said=STAMP + line if line else ""
    )
    assert type(error) is kind
    assert part in str(error)
    assert STAMP not in str(error)


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://me:secret@db.example:5433/emvs", "me@db.example:5433/emvs"),
        ("postgres://me@db.example/emvs?sslmode=require", "me@db.example/emvs"),
        ("postgresql://a%40b:p%3Aw@one:1,two:2/em%20vs", "a@b@one:1,two:2/em vs"),
        ("postgresql:///emvs?host=/run/postgresql", "local socket/emvs"),
    ],
)
def test_a_dsn_is_shown_without_its_password(dsn: str, shown: str) -> None:
    assert str(parse_dsn(dsn)) == shown


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("", "does not begin with postgresql://"),
        ("mysql://me:secret@host/db", "does not begin with postgresql://"),
        ("host=db dbname=emvs password=secret", "does not begin with postgresql://"),
        ("postgresql://me:secret@host", "names no database"),
        ("postgresql://me:secret@host/", "names no database"),
        ("postgresql://me:secret@[::1/db", "cannot be read"),
    ],
)
def test_what_is_no_dsn_is_refused_without_its_password(dsn: str, reason: str) -> None:
    with pytest.raises(ExternalPostgresError, match=reason) as caught:
        parse_dsn(dsn)
    assert "secret" not in str(caught.value)
