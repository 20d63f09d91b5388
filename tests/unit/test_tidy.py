"""What the layout promises: directions of imports and sizes that a reader can take in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("emvs", "hub", "nmvs", "pharmacy_client", "loadtests")
MODULE_LINES_MAX = 400
TEST_LINES_MAX = 600
OBP = ROOT / "hub" / "obp"
STARTS_A_SYSTEM = "emvs.infra.launch.attaching"
"""Knows the launcher by its name only."""


def imported_packages(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize(
    "path", [path for path in sorted((ROOT / "emvs").glob("*.py")) if path.name != "cli.py"]
)
def test_the_words_and_rules_need_the_standard_library_only(path: Path) -> None:
    for name in imported_packages(path):
        top = name.split(".")[0]
        assert top == "emvs" or top in sys.stdlib_module_names, name
        assert not name.startswith("emvs.infra"), name
        assert name not in {"asyncio", "socket", "subprocess"}, name


@pytest.mark.parametrize("path", sorted((ROOT / "emvs" / "clients").glob("*.py")))
def test_what_clients_share_needs_little(path: Path) -> None:
    for name in imported_packages(path):
        is_standard = name.split(".")[0] in sys.stdlib_module_names
        assert is_standard or name in {"emvs.errors", "typer"}, name


def test_the_client_knows_no_server_and_no_database() -> None:
    for path in (ROOT / "pharmacy_client").rglob("*.py"):
        for name in imported_packages(path):
            if name == STARTS_A_SYSTEM:
                continue
            assert not name.startswith(("emvs.infra", "asyncpg", "hub", "nmvs")), (path, name)


def test_the_manufacturers_client_and_the_hub_meet_over_http_only() -> None:
    for path in (ROOT / "hub").rglob("*.py"):
        for name in imported_packages(path):
            if OBP in path.parents:
                is_server = name.startswith("hub.") and not name.startswith("hub.obp")
                assert not is_server, (path, name)
                assert not name.startswith(("asyncpg", "nmvs", "pharmacy_client")), (path, name)
            else:
                assert not name.startswith("hub.obp"), (path, name)


def test_nothing_asks_the_machine_for_the_time_but_the_clock() -> None:
    for package in ("hub", "nmvs"):
        for path in (ROOT / package).rglob("*.py"):
            if OBP in path.parents:  # A client is no system: nobody moves its clock.
                continue
            text = path.read_text()
            assert "datetime.now(" not in text, path
            assert "time.time(" not in text, path


def test_modules_can_be_read_in_one_sitting() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for folder in (*PACKAGES, "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines()))
        > (TEST_LINES_MAX if folder == "tests" else MODULE_LINES_MAX)
    ]
    assert not long
