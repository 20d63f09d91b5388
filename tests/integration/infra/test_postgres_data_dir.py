"""Data directories that cannot be used are refused with a sentence, and left as they are."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.postgres_binaries import locate_binaries
from emvs.infra.postgres_errors import (
    DataDirectoryDamagedError,
    DataDirectoryError,
    DataDirectoryVersionError,
    PostgresStartError,
)
from emvs.infra.postgres_orphans import _server_pids

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root changes accounts")
SpawnSupervisor = Callable[..., Any]  # The fixture spawn_supervisor.
TRANSIENT = ("pg_wal/", "postmaster.pid", "pg_internal.init")  # PostgreSQL's own business.
Damage = Callable[[Path], object]


def overwrite_wal(data_dir: Path) -> None:
    for segment in (data_dir / "pgdata" / "pg_wal").glob("0*"):
        segment.write_bytes(bytes(segment.stat().st_size))


def overwrite_control_file(data_dir: Path) -> None:
    path = data_dir / "pgdata" / "global" / "pg_control"
    content = bytearray(path.read_bytes())
    content[40] ^= 0xFF  # Within the fields, so that only the checksum tells.
    path.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    "no PG_VERSION": lambda d: (d / "pgdata" / "PG_VERSION").unlink(),
    "PG_VERSION not a number": lambda d: (d / "pgdata" / "PG_VERSION").write_text("x\n"),
    "PG_VERSION empty": lambda d: (d / "pgdata" / "PG_VERSION").write_text(""),
    "no control file": lambda d: (d / "pgdata" / "global" / "pg_control").unlink(),
    "control file cut": lambda d: os.truncate(d / "pgdata" / "global" / "pg_control", 100),
    "control file overwritten": overwrite_control_file,
    "control file of zeros": lambda d: (d / "pgdata" / "global" / "pg_control").write_bytes(
        bytes(8192)
    ),
    "no pg_wal": lambda d: shutil.rmtree(d / "pgdata" / "pg_wal"),
    "pg_wal overwritten": overwrite_wal,
    "no pg_xact": lambda d: shutil.rmtree(d / "pgdata" / "pg_xact"),
    "no base": lambda d: shutil.rmtree(d / "pgdata" / "base"),
    "no catalogue map": lambda d: (d / "pgdata" / "global" / "pg_filenode.map").unlink(),
    "no postgresql.conf": lambda d: (d / "pgdata" / "postgresql.conf").unlink(),
    "no password": lambda d: (d / "password").unlink(),
    "password empty": lambda d: (d / "password").write_text(""),
    "another password": lambda d: (d / "password").write_text("wrong\n"),
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose server was killed: copied for each test, so that each is fast."""
    data_dir = tmp_path_factory.mktemp("pristine") / "postgres"
    server = EmbeddedPostgres(data_dir)
    server.start()
    server.kill()
    server.stop()
    return data_dir


@pytest.fixture
def data_dir(pristine: Path, tmp_path: Path) -> Path:
    # cp keeps the owners.
    copy = ["/bin/cp", "-a", pristine, tmp_path / "postgres"]
    subprocess.run(copy, check=True)  # noqa: S603 - our own command
    return tmp_path / "postgres"


def files_of(data_dir: Path) -> set[str]:
    """Return the names of all files but those that come and go with a running server."""
    names = {str(path.relative_to(data_dir)) for path in data_dir.rglob("*")}
    return {name for name in names if not any(part in name for part in TRANSIENT)}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_database_is_refused_and_left_alone(data_dir: Path, damage: Damage) -> None:
    damage(data_dir)
    before = files_of(data_dir)
    server = EmbeddedPostgres(data_dir)
    with pytest.raises(DataDirectoryDamagedError) as caught:
        server.start()
    message = str(caught.value)
    assert "is damaged" in message
    assert str(server.log_path) in message
    assert "--data" in message
    assert before <= files_of(data_dir)
    assert not server.is_running()
    assert not _server_pids(data_dir / "pgdata")


def test_the_copy_without_damage_starts(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        assert server.is_running()


def test_after_a_refusal_the_repaired_directory_starts(data_dir: Path) -> None:
    version = data_dir / "pgdata" / "PG_VERSION"
    content = version.read_text()
    version.write_text("x")
    server = EmbeddedPostgres(data_dir)
    with pytest.raises(DataDirectoryDamagedError):
        server.start()
    version.write_text(content)
    server.start()
    server.stop()


def test_another_major_version_is_named(data_dir: Path) -> None:
    (data_dir / "pgdata" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DataDirectoryVersionError, match=r"made by PostgreSQL 12, .* --pg-bin"):
        EmbeddedPostgres(data_dir).start()


def test_an_older_database_finds_the_programs_that_made_it(tmp_path: Path) -> None:
    newest = locate_binaries(None)
    older = locate_binaries(None, major=16)
    if older.major != 16 or newest.major == 16:
        pytest.skip("NOT TESTED: this machine has only one major version")
    with EmbeddedPostgres(tmp_path / "postgres", pg_bin=older.bin_dir):
        pass
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        assert server.is_running()
    with pytest.raises(DataDirectoryVersionError, match="made by PostgreSQL 16"):
        EmbeddedPostgres(tmp_path / "postgres", pg_bin=newest.bin_dir).start()


def test_a_database_open_to_others_is_refused(data_dir: Path) -> None:
    (data_dir / "pgdata").chmod(0o777)
    with pytest.raises(DataDirectoryError, match="chmod 700"):
        EmbeddedPostgres(data_dir).start()


@pytest.mark.parametrize("below", [".", "deeper", "deeper/still"])
def test_a_file_in_the_place_of_the_directory_is_said(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("something of the user's")
    with pytest.raises(DataDirectoryError, match="a file in its place"):
        EmbeddedPostgres(tmp_path / "file" / below).start()
    assert (tmp_path / "file").read_text() == "something of the user's"


def test_a_file_in_the_place_of_the_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "pgdata").write_text("")
    with pytest.raises(DataDirectoryError, match="is a file, not the folder"):
        EmbeddedPostgres(tmp_path).start()


def test_a_link_to_nowhere_is_said(tmp_path: Path) -> None:
    (tmp_path / "pgdata").symlink_to(tmp_path / "unmounted")
    with pytest.raises(DataDirectoryError, match="a link to a place that does not exist"):
        EmbeddedPostgres(tmp_path).start()


def test_a_database_of_another_program_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("18\n")
    with pytest.raises(DataDirectoryError, match="made by another program"):
        EmbeddedPostgres(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == ["PG_VERSION"]


def test_an_unknown_setting_is_a_clear_error(data_dir: Path) -> None:
    with pytest.raises(PostgresStartError, match=r'A setting is wrong.*"no_such_setting"'):
        EmbeddedPostgres(data_dir, settings={"no_such_setting": "1"}).start()


@needs_root
def test_a_database_owned_by_root_is_refused_with_the_way_out(data_dir: Path) -> None:
    os.chown(data_dir / "pgdata", 0, 0)
    with pytest.raises(DataDirectoryError, match="chown -R nobody"):
        EmbeddedPostgres(data_dir).start()


@needs_root
def test_a_normal_user_is_told_about_a_directory_of_root(
    open_folder: Path, spawn_supervisor: SpawnSupervisor, plain_uid: int
) -> None:
    report = spawn_supervisor(open_folder / "postgres", plain_user=True).report()
    assert report["error"] == "DataDirectoryError"
    assert f"cannot be used by uid {plain_uid}: Permission denied" in report["message"]
    with EmbeddedPostgres(open_folder / "postgres"):
        pass
    for path in (open_folder / "postgres", open_folder / "postgres" / "lock"):
        os.chown(path, plain_uid, plain_uid)
    report = spawn_supervisor(open_folder / "postgres", plain_user=True).report()
    assert report["error"] == "DataDirectoryError"
    assert f"this process runs as uid {plain_uid}" in report["message"]
