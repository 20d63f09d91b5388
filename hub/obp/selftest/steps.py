"""Steps of a self-test: what each found, how long it took, and how fast that was. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from emvs.errors import EmvsError


@dataclass(slots=True)
class Step:
    """One step. `ok` is None where it was interrupted."""

    name: str
    ok: bool | None = True
    detail: str = ""
    seconds: float = 0.0
    count: int = 0
    """Serial numbers that it was about."""

    @property
    def per_s(self) -> float | None:
        """Serial numbers in a second; None where there is nothing to count."""
        return self.count / self.seconds if self.count and self.seconds > 0 else None

    def expect(self, holds: bool, sentence: str) -> None:
        """Note what is not as it must be."""
        if not holds:
            self.ok = False
            self.detail = f"{self.detail}; {sentence}" if self.detail else sentence


@dataclass(slots=True)
class SelftestResult:
    """What came of a self-test."""

    serial_count: int
    markets: list[str]
    steps: list[Step] = field(default_factory=list)
    kept: str | None = None
    """Data directory of the system that goes on running."""

    @property
    def ok(self) -> bool:
        """Whether every step is as it must be."""
        return bool(self.steps) and all(step.ok is not False for step in self.steps)

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(step.seconds for step in self.steps)

    def as_object(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "ok": self.ok,
            "serialCount": self.serial_count,
            "markets": self.markets,
            "seconds": round(self.seconds, 3),
            "kept": self.kept,
            "steps": [
                asdict(step)
                | {
                    "seconds": round(step.seconds, 3),
                    "perSecond": step.per_s and round(step.per_s, 1),
                }
                for step in self.steps
            ],
        }


class Protocol:
    """Takes down the steps; `tell` hears each when it has ended."""

    def __init__(self, result: SelftestResult, tell: Callable[[Step], None]) -> None:
        self.result = result
        self._tell = tell

    @contextmanager
    def step(self, name: str, *, count: int = 0) -> Iterator[Step]:
        """Time a step. An error of ours in it is what the step found, and ends the test."""
        step = Step(name, count=count)
        self.result.steps.append(step)
        started_s = time.monotonic()
        try:
            yield step
        except EmvsError as error:
            step.expect(holds=False, sentence=f"{error.title}: {error}")
            raise StoppedError from error
        except BaseException:
            step.ok = None  # Interrupted: it found nothing.
            raise
        finally:
            step.seconds = time.monotonic() - started_s
            self._tell(step)


class StoppedError(Exception):
    """A step could not be done; the result says why."""
