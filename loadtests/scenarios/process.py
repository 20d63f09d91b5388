"""This Locust process: its part in the run, how the plan comes in and how samples go out.

Alone, the process reads the plan and writes the samples itself. With a master, the master reads the
plan, gives each worker its index, and writes the samples that come with the workers' reports.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, Final

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from loadtests.scenarios.generator import Generator
from loadtests.scenarios.locust_stats import Teller
from loadtests.scenarios.mix import Role
from loadtests.scenarios.plan import PLAN_VARIABLE, Plan, read_plan

ROWS_NAME: Final = "samples.bin"
NOTES_NAME: Final = "generator.jsonl"
_MESSAGE: Final = "emvs_plan"
_LAST_MESSAGE: Final = "emvs_last"
_NOTE_S: Final = 1.0
_SPAWN_S_MAX: Final = 15.0
_DRAIN_S: Final = 2.0
"""After the last planned moment, besides the time-out: what is late may still be sent."""
_LAST_S_MAX: Final = 30.0
"""And from then on at most, until all answers and results of many packs are there."""


class Process:
    """One Locust process. There is one object of it."""

    def __init__(self) -> None:
        self.planned = Event()
        self.ready = Event()
        self.plan: Plan | None = None
        self.generator: Generator | None = None
        self.lanes: Counter[Role] = Counter()
        """Lanes that Locust has started here."""
        self._environment: Environment | None = None
        self._folder: Path | None = None
        self._files: dict[str, BinaryIO] = {}
        self._notes: list[dict[str, Any]] = []
        self._over: set[int] = set()
        self._generators = 1
        self._spawned = Event()
        self._watching: Any = None

    def attach(self, environment: Environment) -> None:
        """Listen to what Locust tells."""
        self._environment = environment
        events: Any = environment.events  # Without annotations in Locust.
        runner = environment.runner
        events.spawning_complete.add_listener(lambda **_: self._spawned.set())
        # Locust's own order closes first and stops then; of workers it waits for half a second.
        events.quitting.add_listener(lambda **_: self._runner.stop())
        events.quit.add_listener(lambda **_: self._close())
        events.test_stopping.add_listener(self._on_stopping)
        events.test_stop.add_listener(self._on_stop)
        if isinstance(runner, WorkerRunner):
            runner.register_message(_MESSAGE, self._on_plan)
            events.report_to_master.add_listener(self._on_report)
            return
        events.test_start.add_listener(self._on_start)
        if isinstance(runner, MasterRunner):
            events.worker_report.add_listener(self._on_worker_report)
            runner.register_message(_LAST_MESSAGE, self._on_last)

    def _on_start(self, environment: Environment, **_: Any) -> None:
        self._close()
        self._forget()
        path = plan_path(environment)
        if path is None:
            # In a greenlet of its own: the test must have started before it can be stopped.
            gevent.spawn(_give_up, environment)
            return
        self._folder = path.parent
        for name in (ROWS_NAME, NOTES_NAME):
            (self._folder / name).unlink(missing_ok=True)
        document = path.read_bytes()
        self.plan = read_plan(document)
        runner = environment.runner
        if isinstance(runner, LocalRunner):
            self._generators = 1
            gevent.spawn(self._begin, self.plan, 0, 1)
        elif isinstance(runner, MasterRunner):
            clients = [client.id for client in runner.clients.ready]
            self._generators = len(clients)
            for index, client_id in enumerate(clients):
                data = {"plan": document, "index": index, "generators": len(clients)}
                runner.send_message(_MESSAGE, data, client_id=client_id)

    def _on_plan(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._forget()
        data = msg.data
        gevent.spawn(self._begin, read_plan(data["plan"]), data["index"], data["generators"])

    def _forget(self) -> None:
        """Begin anew: a run of the web page may follow another one."""
        if self._watching is not None:
            self._watching.kill()
        self._over.clear()
        self.lanes.clear()
        self.ready.clear()
        self.planned.clear()
        self.plan = self.generator = None

    def _begin(self, plan: Plan, index: int, generators: int) -> None:
        """Prepare this process's share, then start the run. Later runs follow earlier ones."""
        self.plan, self._generators = plan, generators
        self.planned.set()
        assert self._environment is not None, "attached before anything starts"
        teller = Teller(self._environment)
        generator = Generator(plan, index=index, generators=generators, teller=teller)
        generator.warm_up()
        self._spawned.wait(_SPAWN_S_MAX)
        # What lives as long as the run need not be looked through again and again meanwhile.
        gc.collect()
        gc.freeze()
        self.generator = generator
        generator.start(dict(self.lanes))
        self.ready.set()
        self._watching = gevent.spawn(self._watch, generator)

    def _watch(self, generator: Generator) -> None:
        """Note every second what this process costs, until the run is over."""
        cpu, at = time.process_time(), time.perf_counter()
        end = generator.plan.duration_s + _DRAIN_S + generator.plan.timeout_s
        is_closed, last = False, 0.0
        while True:
            gevent.sleep(_NOTE_S)
            cpu_now, now = time.process_time(), time.perf_counter()
            second = generator.now()
            if not is_closed and second > generator.plan.duration_s:
                is_closed = second > end or (generator.is_idle and not generator.due_count())
                if is_closed:
                    generator.stop_sending()
                    last = generator.now() + _LAST_S_MAX
            # Whoever is under way now has waited longest: its sample must not be missing.
            over = is_closed and (generator.is_idle or generator.now() > last)
            if over:
                generator.finish()
            self._note(generator, (cpu_now - cpu) / (now - at), is_over=over)
            cpu, at = cpu_now, now
            if not isinstance(self._runner, WorkerRunner):
                self._write(generator.take_rows(), self._take_notes())
            if over:
                return

    def _note(self, generator: Generator, cpu: float, *, is_over: bool) -> None:
        is_ended = is_over or generator.is_stopped
        self._notes.append(
            {
                "index": generator.index,
                "at": round(generator.now(), 3),
                "cpu": round(cpu, 4),
                "busy": generator.busy_lanes,
                "due": 0 if is_ended else generator.due_count(),
                "unsent": generator.unsent_count,
                "empty": [name for name, one in generator.markets.items() if one.is_empty],
                "started_at": time.time() - generator.now(),
                "generators": self._generators,
                "over": is_over,
                "stopped": generator.is_stopped,
            }
        )

    @property
    def _runner(self) -> Any:
        assert self._environment is not None, "attached before anything starts"
        return self._environment.runner

    def _take_notes(self) -> list[dict[str, Any]]:
        notes, self._notes = self._notes, []
        return notes

    def _on_report(self, client_id: str, data: dict[str, Any]) -> None:
        if self.generator is not None:
            data["emvs"] = {"rows": self.generator.take_rows(), "notes": self._take_notes()}

    def _on_worker_report(self, client_id: str, data: dict[str, Any]) -> None:
        part = data.pop("emvs", None)
        if part is not None:
            self._write(part["rows"], part["notes"])

    def _on_last(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._write(msg.data["rows"], msg.data["notes"])

    def _write(self, rows: bytes, notes: list[dict[str, Any]]) -> None:
        """Append to the run's files; stop the test when every generator is through."""
        if self._folder is None:
            return
        if not self._files:
            for name in (ROWS_NAME, NOTES_NAME):
                self._files[name] = (self._folder / name).open("ab")
        self._files[ROWS_NAME].write(rows)
        for note in notes:
            self._files[NOTES_NAME].write(json.dumps(note).encode() + b"\n")
            if note["over"]:
                self._over.add(note["index"])
        for file in self._files.values():
            file.flush()
        if notes and len(self._over) == self._generators:
            gevent.spawn(self._finish)

    def _finish(self) -> None:
        runner = self._runner
        options = self._environment.parsed_options if self._environment else None
        if options is not None and options.headless:
            runner.quit()
        else:
            runner.stop()

    def _on_stopping(self, **_: Any) -> None:
        """Send no more. What is under way has until Locust's --stop-timeout."""
        if self.generator is not None and not self.generator.is_over:
            self.generator.stop()

    def _on_stop(self, **_: Any) -> None:
        """Hand on all that is left, once nobody is under way any more."""
        generator = self.generator
        if generator is None:
            return
        if not generator.is_over:
            generator.finish()
            self._note(generator, 0.0, is_over=False)
        if self._watching is not None and self._watching is not gevent.getcurrent():
            self._watching.kill()
        rows, notes = generator.take_rows(), self._take_notes()
        if isinstance(self._runner, WorkerRunner):
            self._runner.send_message(_LAST_MESSAGE, {"rows": rows, "notes": notes})
        else:
            self._write(rows, notes)

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


def _give_up(environment: Environment) -> None:
    environment.process_exit_code = 1
    assert environment.runner is not None, "a test has been started"
    if environment.parsed_options is not None and environment.parsed_options.headless:
        environment.runner.quit()
    else:
        environment.runner.stop()


def plan_path(environment: Environment) -> Path | None:
    """Return the run's plan: the one that was prepared, or one that is prepared now.

    None if there is no system to test; what to do then has been printed.
    """
    prepared = os.environ.get(PLAN_VARIABLE)
    if prepared:
        return Path(prepared)
    options: Any = environment.parsed_options
    command = [sys.executable, "-m", "loadtests.run", "prepare", options.emvs_preset, "--quiet"]
    command += ["--data", options.emvs_data, "--duration", options.emvs_duration]
    for name in ("rate", "alerts", "markets", "model", "client"):
        value = getattr(options, f"emvs_{name}")
        if value:
            command += [f"--{name}", str(value)]
    if isinstance(environment.runner, MasterRunner):
        command += ["--processes", str(max(1, len(environment.runner.clients.ready)))]
    done = subprocess.run(  # noqa: S603 - our own module.
        command, stdout=subprocess.PIPE, text=True, check=False
    )
    return Path(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else None


PROCESS: Final = Process()
"""What Locust's users of this process share."""
