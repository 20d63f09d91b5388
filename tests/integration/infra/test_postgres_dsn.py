"""A server named by a DSN is checked, and every way it can be wrong has its sentence."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.loopback_ports import free_port
from emvs.infra.postgres_dsn import check_external
from emvs.infra.postgres_errors import ExternalPostgresError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("dsn") / "postgres") as started:
        yield started


async def test_a_fit_server_tells_its_version(server: EmbeddedPostgres) -> None:
    version = await check_external(server.dsn())
    assert int(version.split(".")[0]) >= 15


async def test_a_wrong_password_is_said_and_not_shown(server: EmbeddedPostgres) -> None:
    dsn = f"postgresql://emvs:hidden-one@127.0.0.1:{server.port}/emvs"
    with pytest.raises(ExternalPostgresError, match="refuses the login") as caught:
        await check_external(dsn)
    assert "hidden-one" not in str(caught.value)


async def test_an_unknown_database_is_said(server: EmbeddedPostgres) -> None:
    with pytest.raises(ExternalPostgresError, match='"absent" does not exist'):
        await check_external(server.dsn("absent"))


async def test_a_role_that_may_not_make_schemas_is_said(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.dsn())
    await connection.execute("create role weak login password 'weak'")
    await connection.close()
    with pytest.raises(ExternalPostgresError, match="weak may not make schemas"):
        await check_external(f"postgresql://weak:weak@127.0.0.1:{server.port}/emvs")


async def test_nobody_listening_is_said() -> None:
    with pytest.raises(ExternalPostgresError, match="cannot be reached"):
        await check_external(f"postgresql://a:b@127.0.0.1:{free_port()}/emvs")


async def test_an_unknown_host_is_said() -> None:
    with pytest.raises(ExternalPostgresError, match=r"cannot be reached|did not answer"):
        await check_external("postgresql://a:b@no-such-host.invalid/emvs", timeout_s=5)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"N", b"N" * 200])
async def test_a_server_of_another_kind_is_said(answer: bytes) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def reply() -> None:
            for _ in range(2):  # asyncpg tries once with TLS and once without.
                listener.settimeout(3)
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)
                    connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        dsn = f"postgresql://a:b@127.0.0.1:{listener.getsockname()[1]}/emvs"
        with pytest.raises(ExternalPostgresError):
            await check_external(dsn, timeout_s=2)
        thread.join()


async def test_silence_is_waited_for_only_so_long() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        dsn = f"postgresql://a:b@127.0.0.1:{listener.getsockname()[1]}/emvs"
        with pytest.raises(ExternalPostgresError, match=r"did not answer within 0\.3 s"):
            await check_external(dsn, timeout_s=0.3)


async def test_a_file_as_socket_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExternalPostgresError):
        await check_external(f"postgresql:///emvs?host={tmp_path}&user=a")
