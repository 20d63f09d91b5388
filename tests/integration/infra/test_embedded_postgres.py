"""The life of an embedded PostgreSQL: first start, restart, crash, death of the parent."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from emvs.infra import embedded_postgres
from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.postgres_account import account_for
from emvs.infra.postgres_binaries import locate_binaries
from emvs.infra.postgres_errors import (
    DataDirectoryBusyError,
    PostgresError,
    PostgresPortTakenError,
)
from emvs.infra.postgres_initdb import server_path
from emvs.infra.postgres_orphans import _server_pids, read_pid_file
from emvs.infra.postgres_process import LOG_BYTES_MAX

NAMELESS_UID = 54321
GONE_WAIT_S = 20.0
SpawnSupervisor = Callable[..., Any]  # The fixture spawn_supervisor.
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root changes accounts")
needs_linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="NOT TESTED: Linux only")


@pytest.fixture
def server(private_data_dir: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(private_data_dir) as started:
        yield started


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + GONE_WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def no_server_on(data_dir: Path) -> bool:
    return not _server_pids(data_dir / "pgdata")


async def store_row(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists kept (n int)")
    await connection.execute("insert into kept values (1)")
    await connection.close()


async def count_rows(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    count = await connection.fetchval("select count(*) from kept")
    await connection.close()
    return int(count)


async def test_first_start_gives_a_durable_database_with_a_login(
    server: EmbeddedPostgres, private_data_dir: Path
) -> None:
    connection = await asyncpg.connect(server.dsn("emvs"))
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await connection.fetchval(f"show {name}") == "on"
    assert await connection.fetchval("show listen_addresses") == "127.0.0.1"
    assert await connection.fetchval("show server_encoding") == "UTF8"
    assert await connection.fetchval("select upper('ä')") == "Ä"
    assert await connection.fetchval("select current_user || current_database()") == "emvsemvs"
    await connection.close()
    assert (private_data_dir / "password").stat().st_mode & 0o777 == 0o600
    wrong = server.dsn("emvs").replace("emvs:", "emvs:x", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


@needs_root
@needs_linux
def test_root_starts_the_server_as_nobody_and_opens_no_folder(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        assert owner_of(server.pid) == 65534
    assert (data_dir / "pgdata").stat().st_uid == 65534
    expected = 0o700 if data_dir.parent.name == "private" else 0o755
    assert data_dir.parent.stat().st_mode & 0o777 == expected


async def test_restart_keeps_rows_and_port(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as first:
        await store_row(first.dsn())
        dsn = first.dsn()
    assert no_server_on(data_dir)
    with EmbeddedPostgres(data_dir) as second:
        assert second.dsn() == dsn
        assert await count_rows(dsn) == 1


@pytest.mark.parametrize("major", [15, 16, 18])
async def test_each_version_works_that_the_machine_has(private_data_dir: Path, major: int) -> None:
    binaries = locate_binaries(None, major=major)
    if binaries.major != major:
        pytest.skip(f"NOT TESTED: PostgreSQL {major} is not on this machine")
    with EmbeddedPostgres(private_data_dir, pg_bin=binaries.bin_dir) as server:
        await store_row(server.dsn())
        server.kill()
        server.start()
        assert await count_rows(server.dsn()) == 1


async def test_a_killed_server_is_recovered_on_the_same_port(server: EmbeddedPostgres) -> None:
    await store_row(server.dsn())
    dsn = server.dsn()
    assert server.poll() is None
    server.kill()
    assert server.poll() == -signal.SIGKILL
    assert not server.is_running()
    server.start()
    assert server.dsn() == dsn
    assert await count_rows(dsn) == 1


async def test_recovery_also_while_clients_keep_connecting(server: EmbeddedPostgres) -> None:
    """Clients that retry must not take the server's port: that is why it is no ephemeral one."""
    ended = threading.Event()

    def knock() -> None:
        while not ended.is_set():
            with socket.socket() as client:
                client.connect_ex(("127.0.0.1", server.port))

    knockers = [threading.Thread(target=knock) for _ in range(4)]
    for knocker in knockers:
        knocker.start()
    port = server.port
    try:
        for _ in range(3):
            server.kill()
            server.start()
            assert server.port == port
    finally:
        ended.set()
        for knocker in knockers:
            knocker.join()


@needs_linux
@pytest.mark.parametrize("plain_user", [False, True], ids=["same user", "normal user"])
async def test_sigkill_of_the_parent_leaves_no_server(
    open_folder: Path, spawn_supervisor: SpawnSupervisor, plain_uid: int, *, plain_user: bool
) -> None:
    data_dir = owned_folder(open_folder, plain_uid if plain_user else None)
    supervisor = spawn_supervisor(data_dir, plain_user=plain_user)
    report = supervisor.report()
    await store_row(report["dsn"])
    supervisor.process.kill()
    assert wait_until(lambda: no_server_on(data_dir))
    again = spawn_supervisor(data_dir, plain_user=plain_user)
    assert again.report()["dsn"] == report["dsn"]
    assert await count_rows(report["dsn"]) == 1
    assert again.tell("stop") == 0
    assert no_server_on(data_dir)


@needs_root
async def test_a_normal_users_database_survives_a_killed_server(
    open_folder: Path, spawn_supervisor: SpawnSupervisor, plain_uid: int
) -> None:
    data_dir = owned_folder(open_folder, plain_uid)
    supervisor = spawn_supervisor(data_dir, plain_user=True)
    report = supervisor.report()
    assert owner_of(report["pid"]) == plain_uid
    await store_row(report["dsn"])
    os.kill(report["pid"], signal.SIGKILL)
    supervisor.tell("leave")
    again = spawn_supervisor(data_dir, plain_user=True).report()
    assert await count_rows(again["dsn"]) == 1


@needs_root
def test_an_account_without_a_name_is_told_what_initdb_wants(
    open_folder: Path, spawn_supervisor: SpawnSupervisor
) -> None:
    data_dir = open_folder / "postgres"
    data_dir.mkdir()
    os.chown(data_dir, NAMELESS_UID, NAMELESS_UID)
    report = spawn_supervisor(data_dir, plain_user=True, uid=NAMELESS_UID).report()
    assert report["error"] == "PostgresStartError"
    assert f"as uid {NAMELESS_UID}, because that number has no name" in report["message"]
    assert not list(data_dir.glob("pgdata*"))


@needs_root
async def test_root_goes_on_with_a_normal_users_database_as_that_user(
    open_folder: Path, spawn_supervisor: SpawnSupervisor, plain_uid: int
) -> None:
    data_dir = owned_folder(open_folder, plain_uid)
    first = spawn_supervisor(data_dir, plain_user=True)
    await store_row(first.report()["dsn"])
    first.tell("stop")
    with EmbeddedPostgres(data_dir) as server:
        assert owner_of(server.pid) == plain_uid
        assert await count_rows(server.dsn()) == 1


@needs_linux
def test_a_parent_that_forgets_to_stop_leaves_no_server(
    open_folder: Path, spawn_supervisor: SpawnSupervisor
) -> None:
    data_dir = open_folder / "postgres"
    supervisor = spawn_supervisor(data_dir)
    supervisor.report()
    assert supervisor.tell("leave") == 0
    assert wait_until(lambda: no_server_on(data_dir))


def test_the_server_outlives_the_thread_that_started_it(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "postgres")
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        time.sleep(0.3)  # The kernel's signal would have come at once.
        assert server.is_running()
        server.create_database_if_absent("emvs")
    finally:
        server.stop()


@needs_linux
@pytest.mark.parametrize("delay_s", [0.2, 0.4, 0.6, 0.9])
def test_a_first_start_that_was_killed_is_begun_again(
    open_folder: Path, spawn_supervisor: SpawnSupervisor, delay_s: float
) -> None:
    data_dir = open_folder / "postgres"
    supervisor = spawn_supervisor(data_dir)
    time.sleep(delay_s)  # Anywhere in the interpreter's start, initdb or the server's start.
    supervisor.process.kill()
    supervisor.process.wait()
    with EmbeddedPostgres(data_dir):
        assert not list(data_dir.glob("pgdata.unfinished-*"))


def start_without_supervisor(data_dir: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a server that nobody will stop, as a killed supervisor leaves it outside of Linux."""
    pgdata = data_dir / "pgdata"
    account = account_for(pgdata)
    settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with server_path(pgdata, account) as path:
        orphan = subprocess.Popen(  # noqa: S603 - our own command
            [locate_binaries(None).postgres, "-D", path.name, "-p", str(port), *settings],
            cwd="/",
            pass_fds=path.descriptors,
            stderr=subprocess.DEVNULL,
            user=account.uid if account.switches else None,
            group=account.gid if account.switches else None,
            extra_groups=[] if account.switches else None,
        )
    assert wait_until(lambda: (known := read_pid_file(pgdata)) is not None and known.is_ready)
    return orphan


async def test_an_orphan_server_is_stopped_first(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        await store_row(server.dsn())
        port, dsn = server.port, server.dsn()
    orphan = start_without_supervisor(data_dir, port)
    client = await asyncpg.connect(dsn)
    with EmbeddedPostgres(data_dir) as server:
        assert orphan.wait(GONE_WAIT_S) == 0
        assert server.pid != orphan.pid
        assert await count_rows(server.dsn()) == 1
    client.terminate()


def test_a_stale_pid_file_does_not_hit_the_process_that_has_the_number_now(
    private_data_dir: Path,
) -> None:
    with EmbeddedPostgres(private_data_dir) as server:
        pid_file = private_data_dir / "pgdata" / "postmaster.pid"
        server.kill()
        account = account_for(private_data_dir / "pgdata")
        # Of the same account as the server: PostgreSQL alone would refuse to start.
        stranger = subprocess.Popen(
            ["/bin/sleep", "60"],
            user=account.uid if account.switches else None,
            group=account.gid if account.switches else None,
            extra_groups=[] if account.switches else None,
        )
        try:
            _, _, rest = pid_file.read_text().partition("\n")
            pid_file.write_text(f"{stranger.pid}\n{rest}")
            server.start()
            assert server.is_running()
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


@pytest.mark.parametrize("content", ["", "nonsense\n", "0\n"])
def test_a_pid_file_spoilt_by_a_power_cut_is_no_obstacle(
    private_data_dir: Path, content: str
) -> None:
    with EmbeddedPostgres(private_data_dir) as server:
        server.kill()
        (private_data_dir / "pgdata" / "postmaster.pid").write_text(content)
        server.start()
        assert server.is_running()


def test_a_second_supervisor_is_refused(
    server: EmbeddedPostgres, private_data_dir: Path, spawn_supervisor: SpawnSupervisor
) -> None:
    report = spawn_supervisor(private_data_dir).report()
    assert report["error"] == "DataDirectoryBusyError"
    assert f"process {os.getpid()}" in report["message"]
    with pytest.raises(DataDirectoryBusyError, match="in use by another run"):
        EmbeddedPostgres(private_data_dir).start()
    assert server.is_running()
    server.create_database_if_absent("still_there")


def test_of_two_that_start_at_once_one_wins(
    open_folder: Path, spawn_supervisor: SpawnSupervisor
) -> None:
    both = [spawn_supervisor(open_folder / "postgres") for _ in range(2)]
    reports = [one.report() for one in both]
    assert sorted("pid" in report for report in reports) == [False, True]


def test_a_wanted_port_that_is_taken_is_said(open_folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = EmbeddedPostgres(open_folder / "postgres", port=port)
        with pytest.raises(PostgresPortTakenError, match=f"already listens on port {port}"):
            server.start()
    assert no_server_on(open_folder / "postgres")


def test_a_remembered_port_that_is_taken_gives_way(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "_SAME_PORT_WAIT_S", 0.1)
    with EmbeddedPostgres(open_folder / "postgres") as server:
        port = server.port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with EmbeddedPostgres(open_folder / "postgres") as server:
            assert server.port != port
            server.create_database_if_absent("emvs")


async def test_a_database_is_made_once_and_only_under_a_plain_name(
    server: EmbeddedPostgres,
) -> None:
    server.create_database_if_absent("nmvs_de")
    server.create_database_if_absent("nmvs_de")
    connection = await asyncpg.connect(server.dsn("nmvs_de"))
    await connection.close()
    for name in ("", 'a"b', "a-b", "1a", "ä", "a" * 64):
        with pytest.raises(PostgresError, match="cannot be called"):
            server.create_database_if_absent(name)


def test_a_server_that_does_not_stop_is_killed(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "_IMMEDIATE_STOP_TIMEOUT_S", 0.2)
    server = EmbeddedPostgres(open_folder / "postgres")
    server.start()
    os.kill(server.pid, signal.SIGSTOP)
    server.stop(timeout_s=0.2)
    assert wait_until(lambda: no_server_on(open_folder / "postgres"))


def test_the_log_is_bounded(open_folder: Path) -> None:
    with EmbeddedPostgres(open_folder / "postgres") as server:
        log_path = server.log_path
    with log_path.open("ab") as log:
        log.truncate(LOG_BYTES_MAX + 1)
    with EmbeddedPostgres(open_folder / "postgres"):
        assert 0 < log_path.stat().st_size < LOG_BYTES_MAX
        assert log_path.with_name("postgres.log.1").stat().st_size > LOG_BYTES_MAX


def test_a_server_not_started_has_no_address(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "postgres")
    assert server.poll() is None
    server.stop()
    with pytest.raises(PostgresError, match="has not been started"):
        server.dsn()


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def owned_folder(folder: Path, uid: int | None) -> Path:
    data_dir = folder / "postgres"
    data_dir.mkdir()
    if uid is not None and os.geteuid() == 0:
        os.chown(data_dir, uid, uid)
    return data_dir
