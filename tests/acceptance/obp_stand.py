"""A manufacturer at a desk: runs `obp` against systems that a self-test has started and kept."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from emvs.serial_generator import SerialOrder, random_source, serial_slices
from hub.obp.cli import app
from tests.acceptance.conftest import EMVS, Environment

OBP = EMVS.parent / "obp"
GTIN = "09520000777739"
COMMAND_S_MAX = 100.0


@dataclass
class Stand:
    """Running systems, and what the self-test that started them found."""

    environment: Environment
    selftest: dict[str, Any]

    @property
    def endpoints(self) -> Path:
        return self.environment.data / "endpoints.json"

    def obp(self, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
        """Run a command to its end; return its exit code and what it says as JSON."""
        done = self.said(*arguments, "--json", **variables)
        assert done.stdout, done.output
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["exitCode"] == done.exit_code
        return done.exit_code, answer

    def said(self, *arguments: str, **variables: str) -> Result:
        """Run a command here, in this process: its start takes longer than most of them."""
        others = {name: None for name in os.environ if name.startswith("OBP_")}
        environment = {"OBP_ENDPOINTS": str(self.endpoints), **others, **variables}
        done = CliRunner().invoke(app, arguments, env=environment)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done


def environment_with(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OBP_")}
    return {**kept, "COLUMNS": "200", **variables}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process."""
    return subprocess.run(  # noqa: S603 - the command under test
        [str(OBP), *arguments],
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
        env=environment_with(**variables),
        stdin=subprocess.DEVNULL,
    )


def serial_numbers(count: int) -> list[str]:
    return [one for some in serial_slices(SerialOrder(count), random_source()) for one in some]


def serial_file(folder: Path, count: int, name: str = "serials.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(serial_numbers(count)))
    return path


def upload(path: Path, batch: str, *more: str) -> list[str]:
    return [
        *("upload", "--product", GTIN, "--batch", batch, "--expiry", "301231"),
        *("--serials", str(path), *more),
    ]
