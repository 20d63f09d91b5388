"""Options that the commands of `emvs load` have: names, help and what a limit is without them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loadtests.run.verdict import LIMITS
from loadtests.scenarios.presets import PRESETS

PresetArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(PRESETS)}.")]
DurationOption = Annotated[str | None, typer.Option(help="Length, such as 30s, 5m, 1h.")]
RateOption = Annotated[
    float | None, typer.Option(help="Transactions per second, in place of the preset's peak.")
]
CurveOption = Annotated[
    str | None,
    typer.Option(help="peak (constant), day, week, morning or ramp, compressed to the duration."),
]
MarketsOption = Annotated[
    str | None, typer.Option(help="In place of the preset's: DE=0.6,IE:rest=0.4.")
]
AlertsOption = Annotated[
    float | None, typer.Option(help="Alerts per transaction; 0.0002 is today's, 0.03 2019's.")
]
IntermarketOption = Annotated[
    float | None, typer.Option(help="Share about packs of another market.")
]
ManualOption = Annotated[float | None, typer.Option(help="Share typed in by hand.")]
DuplicatesOption = Annotated[float | None, typer.Option(help="Share of supplies sent twice.")]
BulkOption = Annotated[
    float | None, typer.Option(help="Share of hospital and wholesale packs that go in bulk.")
]
RecallsOption = Annotated[int | None, typer.Option(help="Batches recalled during the run.")]
RecallShareOption = Annotated[
    float | None, typer.Option(help="Share of new packs that are of a batch which is recalled.")
]
ModelOption = Annotated[
    str, typer.Option(help="open: arrivals keep their schedule; closed: tills wait.")
]
ClientOption = Annotated[
    str, typer.Option(help="wire: cheap connections of ours; fasthttp: Locust's own client.")
]
PlainOption = Annotated[bool, typer.Option("--plain", help="Without TLS and client certificates.")]
ProcessesOption = Annotated[
    int | None, typer.Option(help="Locust processes; without it one for each two cores.")
]
LanesOption = Annotated[int, typer.Option(help="Requests one process has under way at most.")]
SeedOption = Annotated[
    int | None, typer.Option(help="Of packs and traffic; a new one without it.", min=0, max=999_999)
]
PacksOption = Annotated[
    int | None, typer.Option(help="Packs to prepare; as many as needed without it.", min=1)
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of systems that run; without it those of EMVS_DATA or .emvs, if they"
        " run with the markets, and otherwise fresh ones."
    ),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Start systems for this run in any case.")
]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the results.")]
LimitsOption = Annotated[Path | None, typer.Option(help=r"TOML file with a table \[limits].")]
P95Option = Annotated[float | None, typer.Option(help=f"Limit of p95, ms [{LIMITS['p95_ms']:g}].")]
ErrorsOption = Annotated[
    float | None,
    typer.Option(help=f"Limit of unusable answers, share [{LIMITS['error_share']:g}]."),
]
UnexpectedOption = Annotated[
    float | None,
    typer.Option(help=f"Limit of unexpected answers, share [{LIMITS['unexpected_share']:g}]."),
]
