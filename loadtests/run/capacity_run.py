"""`emvs load capacity`: run after run over the same systems, and the picture of it."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

import orjson

from loadtests.pages.frame import page, table
from loadtests.pages.line_charts import Line, Mark, line_chart
from loadtests.run.capacity import Step, answer, next_rate
from loadtests.run.options import RunOptions
from loadtests.run.report import kept_cell
from loadtests.run.results import Results
from loadtests.run.running import Talk, finish, generate, prepare_plan
from loadtests.run.systems import Systems

_REQUESTS_MIN = 20
"""Of an operation whose percentiles are drawn."""


async def find_capacity(
    options: RunOptions, systems: Systems, folder: Path, talk: Talk, *, start: float, most: float
) -> Step | None:
    """Return the step with the highest rate that keeps the verdict; None if none does."""
    steps: list[Step] = []
    while (rate := next_rate(steps, start=start, most=most)) is not None:
        place = folder / f"step-{len(steps) + 1:02}"
        place.mkdir(exist_ok=True)
        talk.step(f"step {len(steps) + 1}: {rate:,.0f}/s for {options.duration_s:g} s")
        plan = await prepare_plan(replace(options, rate=rate), systems, place, talk)
        await generate(plan, place, processes=options.processes, talk=talk)
        results = await finish(place, limits=options.thresholds, talk=talk)
        steps.append(_step(rate, results))
        talk.step(f"{rate:,.0f}/s {'kept' if steps[-1].kept else 'not kept: ' + steps[-1].why}")
        write(steps, options, folder)
    return answer(steps)


def _step(rate: float, results: Results) -> Step:
    single = [group for group in results.groups if group.is_single]
    single = [group for group in single if group.requests >= _REQUESTS_MIN] or single
    broken = [row for row in results.rows if not row.kept]
    latency = {
        name: max((group.latency.planned[name] for group in single), default=0.0)
        for name in ("p50", "p95", "p99")
    }
    why = "; ".join(f"{row.subject}: {row.name} {row.value:.5g}" for row in broken[:2])
    return Step(
        rate,
        results.kept,
        results.bottleneck.is_generator,
        results.rate,
        latency["p50"],
        latency["p95"],
        latency["p99"],
        why,
    )


def write(steps: list[Step], options: RunOptions, folder: Path) -> None:
    """Write capacity.html and capacity.json."""
    best = answer(steps)
    (folder / "capacity.json").write_bytes(
        orjson.dumps(
            {
                "preset": options.preset.name,
                "step_s": options.duration_s,
                "limits": options.thresholds,
                "best": best._asdict() if best else None,
                "steps": [step._asdict() for step in steps],
            },
            option=orjson.OPT_INDENT_2,
        )
    )
    title = f"Capacity, {options.preset.name}: " + (
        f"{best.rate:,.0f} transactions/s" if best else "not found yet"
    )
    ordered = sorted(steps, key=lambda step: step.rate)
    rates = [step.rate for step in ordered]
    chart = line_chart(
        "Latency against rate (worst operation, from the planned moment)",
        [
            Line("p50", rates, [step.p50_ms for step in ordered]),
            Line("p95", rates, [step.p95_ms for step in ordered]),
            Line("p99", rates, [step.p99_ms for step in ordered]),
        ],
        x_unit="transactions/s",
        y_unit="ms",
        marks=[Mark(f"{options.thresholds['p95_ms']:g} ms", options.thresholds["p95_ms"])],
        log=True,
        dots=True,
    )
    rows = [
        [
            f"{step.rate:,.0f}",
            f"{step.reached:,.0f}",
            f"{step.p50_ms:,.1f}",
            f"{step.p95_ms:,.1f}",
            f"{step.p99_ms:,.1f}",
            "yes" if step.is_generators else "no",
            kept_cell(kept=step.kept),
            escape(step.why),
        ]
        for step in ordered
    ]
    heads = ["rate/s", "sent/s", "p50 ms", "p95 ms", "p99 ms", "generator gave out", "", "why"]
    body = (
        f"<h1>{escape(title)}</h1>"
        f'<p class="sub">steps of {options.duration_s:g} s · {escape(options.client)} client ·'
        f" Locust processes: {options.processes} · each step's own report is in step-NN/</p>"
        f"{chart}<h2>Steps</h2>{table(heads, rows, texts=(7,))}"
    )
    (folder / "capacity.html").write_text(page(title, body), encoding="utf-8")
