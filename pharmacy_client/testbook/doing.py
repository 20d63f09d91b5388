"""What happens in a step: what was sent, what came back, what was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from pharmacy_client.testbook.judging import Answer
from pharmacy_client.testbook.report import Sent

RESULT_S_MAX: Final = 60.0
"""How long a result that is made in the background is waited for."""
POLL_S: Final = 0.1
NOT_OFFERED: Final = frozenset({404, 405, 501})
"""Statuses of an address that a system does not have."""


class NotOfferedHereError(Exception):
    """The system has no such interface. Whether that is a failure depends on the case."""


class NotApplicableError(Exception):
    """The step cannot be held against this answer, though nothing is wrong with it."""


@dataclass(slots=True)
class Doing:
    """What has happened in a step so far."""

    sent: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)
    alert_ids: list[str] = field(default_factory=list)

    def note(self, answer: Answer) -> None:
        """Keep an answer, and the alert that it tells of."""
        self.answer = answer
        alert_id = answer.text("alertId")
        if alert_id is not None and alert_id not in self.alert_ids:
            self.alert_ids.append(alert_id)


def location_problems(location: object, name: str = "Location") -> list[str]:
    """One vendor's library takes nothing but an absolute address."""
    if not isinstance(location, str) or not urlsplit(location).netloc:
        return [f"{name} {location!r} is no absolute address"]
    return []


def eta_problems(answer: Answer) -> list[str]:
    """Clients in use fail without a zone, without a fraction, and with seven digits of it."""
    eta = answer.members.get("eta")
    try:
        datetime.fromisoformat(str(eta))
    except ValueError:
        return [f"eta {eta!r} is no time"]
    _, _, fraction = str(eta).partition(".")
    if not fraction.endswith("Z") or not 1 <= len(fraction) - 1 <= 6:
        return [f"eta {eta!r} has not the form 2030-01-01T00:00:05.123Z"]
    return []
