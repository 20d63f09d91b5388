"""Load tests as a tester runs them: real systems, the real Locust, reports read back."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest

from emvs.errors import UsageError
from emvs.infra.loopback_ports import free_port
from loadtests.run.options import make_options
from loadtests.run.systems import choose_systems
from loadtests.scenarios.arrivals import Arrivals, Errand
from loadtests.scenarios.mix import Operation, Role
from loadtests.scenarios.plan import read_plan
from loadtests.scenarios.samples import Flag, Verdict, read_rows
from tests.acceptance.conftest import EMVS, Environment, stop, wait_until

# The first test waits for all systems and runs.
pytestmark = pytest.mark.timeout(300)
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


class Runs(NamedTuple):
    """Folders of runs."""

    finished: Path
    """Five seconds that have kept their limits."""
    stalled: Path
    """Plain Locust with two workers, whose market stood still meanwhile."""
    interrupted: Path
    """Ctrl-C while the market stood still."""


@pytest.fixture(scope="module")
def runs(loaded: Environment, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All runs, on each market one after the other, on both at the same time."""

    def of_lithuania() -> tuple[Path, Path]:
        stalled = run_stalled(loaded, tmp_path_factory.mktemp("locust"))
        return stalled, run_interrupted(loaded, tmp_path_factory.mktemp("stopped") / "run")

    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(of_lithuania)
        finished = run_finished(loaded, tmp_path_factory.mktemp("results") / "run")
        return Runs(finished, *others.result())


@pytest.fixture
def finished(runs: Runs) -> Path:
    return runs.finished


@pytest.fixture
def stalled(runs: Runs) -> Path:
    return runs.stalled


def run_stalled(loaded: Environment, cwd: Path) -> Path:
    port = str(free_port())
    command = [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")),
        *("--headless", "--users", "26", "--spawn-rate", "100", "--processes", "2"),
        *("--master-bind-port", port, "--master-port", port),
        *("--emvs-preset", "latvia", "--emvs-markets", "LT", "--emvs-rate", "80"),
        *("--emvs-duration", "5s", "--emvs-data", str(loaded.data), "--only-summary"),
    ]
    with (cwd / "locust.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - Locust with our own file
            command, cwd=cwd, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        with ended(process):
            wait_until(
                lambda: any(cwd.glob("load-results/*/samples.bin")), "the run", timeout_s=60.0
            )
            with standing_still(loaded):
                time.sleep(STALL_S)  # The market really stands still for so long.
            assert process.wait(LOCUST_S_MAX) == 0, (cwd / "locust.log").read_text()
    (folder,) = cwd.glob("load-results/*")
    return folder


def run_interrupted(loaded: Environment, out: Path) -> Path:
    command = [str(EMVS), "load", "run", "latvia", "--markets", "LT", "--rate", "100"]
    command += ["--duration", "60s", "--data", str(loaded.data), "--out", str(out)]
    samples = out / "samples.bin"
    process = subprocess.Popen(  # noqa: S603 - the command under test
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with ended(process):
        wait_until(
            lambda: samples.exists() and samples.stat().st_size > 0, "samples", timeout_s=60.0
        )
        with standing_still(loaded):
            time.sleep(0.3)  # Some thirty scans that nobody answers.
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=LOCUST_S_MAX)
    assert process.returncode == 130, text
    assert f"emvs load report {out}` makes a report" in text.replace("\n", " ")
    return out


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """End a process in any case."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


@contextmanager
def standing_still(loaded: Environment) -> Iterator[None]:
    """Stop Lithuania's system meanwhile."""
    server = loaded.system("nmvs-lt")["pid"]
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


def load(*arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `emvs load` to its end. `data`: where it looks for systems when no option says it."""
    return subprocess.run(  # noqa: S603 - the command under test
        [str(EMVS), "load", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | ({"EMVS_DATA": str(data)} if data else {}),
    )


def run_finished(loaded: Environment, out: Path) -> Path:
    done = load(
        *("run", "latvia", "--rate", "50", "--duration", "5s"),
        *("--alerts", "0.05", "--duplicates", "0.2"),
        # Others use this machine: the limit here only shows that a limit is looked at.
        *("--p95-ms", "5000", "--out", str(out)),
        data=loaded.data,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"systems of {loaded.data}" in " ".join((done.stdout + done.stderr).split())
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


def test_locust_itself_is_told_of_every_request(stalled: Path) -> None:
    rows = read_rows(stalled / "samples.bin")
    log = (stalled.parents[1] / "locust.log").read_text()
    told = re.findall(r"^(?:SOAP|REST) .* ([0-9]+) +[0-9]+\([0-9.]+%\)", log, re.MULTILINE)
    assert sum(map(int, told)) == int((rows["operation"] < Operation.UPLOAD).sum())


def test_what_was_under_way_at_ctrl_c_is_neither_lost_nor_unasked(
    runs: Runs, tmp_path: Path
) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text("[limits]\nsent_share = 0\n")
    done = load("report", str(runs.interrupted), "--p95-ms", "60000", "--limits", str(limits))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_rows(runs.interrupted / "samples.bin")
    unknown = int((rows["verdict"] == Verdict.UNKNOWN).sum())
    assert unknown >= 10
    assert f"{unknown} requests were under way when the run was stopped" in done.stdout
    (audit,) = report_of(runs.interrupted)["audit"]
    assert audit["checked"] > 10
    assert audit["unanswered_done"] > 0, "the market goes on and does what it has got"
    assert (audit["lost"], audit["doubled"], audit["unasked"]) == (0, 0, 0)


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


def test_systems_without_the_markets_are_left_alone(loaded: Environment, tmp_path: Path) -> None:
    options = make_options("belgium")
    chosen, text = choose_systems(replace(options, data=loaded.data), fresh=False)
    assert chosen.data == loaded.data
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMVS_DATA", str(loaded.data))
        chosen, text = choose_systems(options, fresh=False)
        assert chosen.data is None
        assert text.startswith("fresh systems for this run; ")
        assert "run without BE" in text
        chosen, text = choose_systems(make_options("latvia"), fresh=False)
        assert chosen.data == loaded.data
        chosen, text = choose_systems(make_options("latvia"), fresh=True)
        assert chosen.data is None
        patch.setenv("EMVS_DATA", str(tmp_path))
        _, text = choose_systems(make_options("latvia"), fresh=False)
        assert text == f"fresh systems for this run; nothing runs on {tmp_path}"
    with pytest.raises(UsageError, match="give one of them"):
        choose_systems(replace(options, data=tmp_path), fresh=True)
