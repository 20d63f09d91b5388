"""What all tests share: a real PostgreSQL for the session and a schema of its own for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from emvs.infra import loopback_ports
from emvs.infra.embedded_postgres import EmbeddedPostgres

# No time limit per example: the machine may be busy.
settings.register_profile("emvs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("emvs")

_schema_numbers = itertools.count(1)

# Tests that run side by side take no port that another has chosen and not opened yet.
if _worker := os.environ.get("PYTEST_XDIST_WORKER"):
    _share = 1_500
    loopback_ports._LOWEST += _share * (int(_worker.removeprefix("gw")) % 8)
    loopback_ports._HIGHEST = loopback_ports._LOWEST + _share


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the session."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


@pytest.fixture
def dsn(postgres: EmbeddedPostgres) -> str:
    """The server's address."""
    return postgres.dsn("emvs")


@pytest.fixture
def schema_name() -> str:
    """A schema that no other test uses."""
    return f"test_{next(_schema_numbers)}"
