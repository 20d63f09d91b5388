"""What a reader of the hub's alerts may ask for, read from a query string."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from emvs.alert_states import AlertState
from emvs.errors import BadRequestError
from emvs.markets import MARKETS
from emvs.outcomes import HUB_CODES_FORWARDED
from hub.paging import Page, read_page

NOBODY: Final = "none"
"""Value of `owner` for alerts on product codes that belong to nobody here."""
_YEARS: Final = range(1970, 2300)
PARAMETERS: Final = frozenset(
    {"after", "limit", "order", "code", "productCode", "state", "market", "from", "to"}
)


class AlertFilter(NamedTuple):
    """Which alerts; None filters nothing."""

    page: Page
    code: str | None
    product_code: str | None
    state: AlertState | None
    market: str | None
    """The one that raised it."""
    raised_from_ms: int | None
    raised_until_ms: int | None
    """The first instant that does not belong to it."""


def read_filter(query: Mapping[str, str], *, more: frozenset[str] = frozenset()) -> AlertFilter:
    """Return what a query string asks for. Raises BadRequestError.

    `more` are parameters that the caller reads itself.
    """
    known = PARAMETERS | more
    if unknown := sorted(query.keys() - known):
        raise BadRequestError(f"{unknown[0]!a} is no parameter: {', '.join(sorted(known))}")
    return AlertFilter(
        read_page(query),
        _code(query.get("code")),
        _plain(query.get("productCode")),
        _state(query.get("state")),
        _market(query.get("market")),
        read_time_ms(query, "from"),
        read_time_ms(query, "to"),
    )


def _code(text: str | None) -> str | None:
    code = text and text.removeprefix("#")
    if code and code not in HUB_CODES_FORWARDED:
        raise BadRequestError(f"code is one of {', '.join(sorted(HUB_CODES_FORWARDED))}")
    return code or None


def _plain(text: str | None) -> str | None:
    if text and not (text.isascii() and text.isalnum()):
        raise BadRequestError("productCode holds letters and digits only")
    return text or None


def _state(text: str | None) -> AlertState | None:
    try:
        return AlertState(text) if text else None
    except ValueError as error:
        raise BadRequestError(f"state is one of {', '.join(AlertState)}") from error


def _market(text: str | None) -> str | None:
    if text and text not in MARKETS:
        raise BadRequestError("market is no market of the system")
    return text or None


def read_time_ms(query: Mapping[str, str], name: str) -> int | None:
    """Return a time among these, None if it is not there. Raises BadRequestError."""
    text = query.get(name)
    if not text:
        return None
    try:
        # A plus sign that was not percent-encoded arrives as a blank.
        time = datetime.fromisoformat(text.replace(" ", "+") if text[-6:-5] == " " else text)
    except ValueError as error:
        raise BadRequestError(f"{name} is no ISO 8601 time") from error
    if time.year not in _YEARS:
        raise BadRequestError(f"{name} is from {_YEARS[0]} to {_YEARS[-1]}")
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
