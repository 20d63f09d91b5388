"""Load tests as a tester runs them: real systems, the real Locust, reports read back."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from emvs.infra.loopback_ports import free_port
from loadtests.scenarios.arrivals import Arrivals, Errand
from loadtests.scenarios.mix import Role
from loadtests.scenarios.plan import read_plan
from loadtests.scenarios.samples import Flag, read_rows
from tests.acceptance.conftest import EMVS, Environment, stop, wait_until

ROOT = Path(__file__).parents[2]
STALL_S = 1.5
LOCUST_S_MAX = 100.0


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """A market of each dialect, for all tests here."""
    environment = Environment(tmp_path_factory.mktemp("load") / "data")
    environment.up("--markets", "LV,LT", "--packs", "0")
    yield environment
    stop(environment)


@pytest.fixture(scope="module")
def stalled(loaded: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with samples of plain Locust with two workers, whose market stalled meanwhile."""
    cwd = tmp_path_factory.mktemp("locust")
    port = str(free_port())
    command = [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")),
        *("--headless", "--users", "26", "--spawn-rate", "100", "--processes", "2"),
        *("--master-bind-port", port, "--master-port", port),
        *("--emvs-preset", "latvia", "--emvs-markets", "LT", "--emvs-rate", "80"),
        *("--emvs-duration", "6s", "--emvs-data", str(loaded.data), "--only-summary"),
    ]
    with (cwd / "locust.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - Locust with our own file
            command, cwd=cwd, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        try:
            wait_until(
                lambda: any(cwd.glob("load-results/*/samples.bin")), "the run", timeout_s=60.0
            )
            server = loaded.system("nmvs-lt")["pid"]
            os.kill(server, signal.SIGSTOP)
            time.sleep(STALL_S)  # The market really stands still for so long.
            os.kill(server, signal.SIGCONT)
            assert process.wait(LOCUST_S_MAX) == 0, (cwd / "locust.log").read_text()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    (folder,) = cwd.glob("load-results/*")
    return folder


def load(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `emvs load` to its end."""
    return subprocess.run(  # noqa: S603 - the command under test
        [str(EMVS), "load", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module")
def finished(loaded: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run of five seconds that has kept its limits."""
    out = tmp_path_factory.mktemp("results") / "run"
    done = load(
        *(
            "run",
            "latvia",
            "--rate",
            "50",
            "--duration",
            "5s",
            "--alerts",
            "0.05",
            "--duplicates",
            "0.2",
        ),
        # Others use this machine: the limit here only shows that a limit is looked at.
        *("--p95-ms", "5000", "--data", str(loaded.data), "--out", str(out)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def report_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return document


def test_a_run_from_beginning_to_end(finished: Path) -> None:
    report = report_of(finished)
    assert report["kept"]
    assert 150 < report["sent"] < 400
    operations = {group["operation"]: group for group in report["groups"]}
    assert {"verify", "supply"} <= operations.keys()
    assert all(group["dialect"] in {"SOAP", "hub"} for group in report["groups"])
    assert not any(group["errors"] or group["unexpected"] for group in report["groups"])
    codes = {row["code"] for row in report["codes"]}
    assert {"SUCCESS", "NC_PCK_23"} <= codes
    assert codes & {"NC_PC_02", "FE_LOT_13", "FE_LOT_03"}
    (audit,) = report["audit"]
    assert audit["checked"] > 20
    assert audit["entries"] >= audit["checked"]
    assert {one["operation"] for one in report["server"]} >= {"verify", "supply"}
    with (finished / "samples.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == sum(group["requests"] for group in report["groups"])
    assert {line["verdict"] for line in lines} == {"expected"}


def test_the_page_needs_nothing_from_elsewhere(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert page.count("<svg") >= 6
    assert "All limits are kept." in page
    for wish in ("<script", "<link", "src=", "@import", "url("):
        assert wish not in page
    for login in json.loads((finished / "plan.json").read_bytes())["sites"]:
        assert login["soap"]["password"] not in page + (finished / "report.json").read_text()


def planned_scans(folder: Path, *, generators: int) -> int:
    """Return how many scans the plan in a folder holds for all generators together."""
    plan = read_plan(folder / "plan.json")
    return sum(
        arrival.errand is not Errand.BULK
        for index in range(generators)
        for role in Role
        for arrival in iter(Arrivals(plan, role, index=index, generators=generators).pop, None)
    )


def test_a_stalled_server_cannot_slow_the_schedule(stalled: Path) -> None:
    rows = read_rows(stalled / "samples.bin")
    single = rows[rows["operation"] < 20]
    assert len(single) == planned_scans(stalled, generators=2), "each planned scan, and no other"
    latency = single["took"].astype(float) + single["late"]
    worst = single[latency > STALL_S / 3]
    # Many scans were planned while the market stood still: all have been sent, later, and it shows.
    assert len(worst) > 30
    assert latency.max() > STALL_S * 0.8
    late = worst[worst["late"] > 0.2]
    assert len(late) > 10, "with all lanes busy, planned scans wait"
    assert not (late["flags"] & Flag.WAITED).any(), "and that is told apart from the generator's"
    notes = [json.loads(line) for line in (stalled / "generator.jsonl").read_text().splitlines()]
    assert {note["index"] for note in notes} == {0, 1}
    assert all(note["unsent"] == 0 for note in notes)


def test_a_run_of_plain_locust_is_judged_too(stalled: Path) -> None:
    done = load("report", str(stalled), "--p95-ms", "100")
    assert done.returncode == 4, done.stdout + done.stderr
    report = report_of(stalled)
    assert not report["generator_was_the_bottleneck"] or report["remarks"]
    assert any("no lane was free" in remark for remark in report["remarks"])
    assert {row["name"] for row in report["verdict"] if not row["kept"]} == {"p95_ms"}
    (audit,) = report["audit"]
    assert (audit["lost"], audit["doubled"]) == (0, 0)


def test_what_is_lost_or_doubled_in_the_market_is_found(
    loaded: Environment, finished: Path
) -> None:
    config = json.loads((loaded.data / "run" / "nmvs-lv.json").read_bytes())
    asyncio.run(_spoil(config["dsn"]))
    done = load("report", str(finished), "--p95-ms", "5000")
    assert done.returncode == 4, done.stdout + done.stderr
    (audit,) = report_of(finished)["audit"]
    assert (audit["lost"], audit["doubled"], audit["unasked"]) == (1, 1, 1)
    broken = {row["name"] for row in report_of(finished)["verdict"] if not row["kept"]}
    assert broken == {"lost", "doubled", "unasked"}


async def _spoil(dsn: str) -> None:
    """Take one supply out of the market's trail, and write another one twice."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set search_path to nmvs_lv")
        # Packs that were supplied once and left so.
        keys = await connection.fetch(
            "select pack_key from trail where outcome = 2 and operation = 2"
            " and pack_key in (select pack_key from trail group by 1"
            " having count(*) filter (where outcome in (2, 3)) = 1) limit 2"
        )
        lost, doubled = (row["pack_key"] for row in keys)
        where = "where pack_key = $1 and outcome = 2"
        await connection.execute(f"delete from trail {where}", lost)  # noqa: S608 - our own words
        columns = "location_number, operation, outcome, state_before, state_after, manual, dialect"
        await connection.execute(
            f"insert into trail (pack_key, recorded_at, transaction_id, {columns})"  # noqa: S608
            f" select pack_key, recorded_at, gen_random_uuid(), {columns} from trail {where}",
            doubled,
        )
    finally:
        await connection.close()


def test_load_on_nothing_says_what_to_do(tmp_path: Path) -> None:
    done = load("run", "latvia", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert f"emvs up --data {tmp_path / 'none'} --markets LV:soap,LT" in done.stderr
    assert "Traceback" not in done.stderr
