"""What both peers answer, and the one rule they share. Members are those of our REST dialect."""

from __future__ import annotations

from typing import Any, Final

ACTIVE: Final = "Active"
SUPPLIED: Final = "Supplied"
PRODUCT_NAME: Final = "B"
VERIFY: Final = "verify"
SUPPLY: Final = "supply"


def answer(
    operation: str, state: str | None, *, fits: bool
) -> tuple[int, str | None, dict[str, Any]]:
    """Return the status, the state afterwards (None: unchanged) and the body.

    `state` is None if no such pack is stored; `fits` says whether batch and expiry do.
    """
    if state is None:
        return 404, None, {"operationCode": "51220300", "warning": "The serial is unknown."}
    if not fits:
        return 403, None, {"operationCode": "51220400", "warning": "The batch does not match."}
    body = {
        "operationCode": "11110100" if state == ACTIVE else "41220100",
        "state": state,
        "information": "The pack is active." if state == ACTIVE else "The pack is not active.",
        "productName": PRODUCT_NAME,
        "isIntermarket": False,
    }
    if operation == VERIFY:
        return 200, None, body
    if state != ACTIVE:
        return 409, None, body
    supplied = {**body, "state": SUPPLIED, "information": "The pack was supplied."}
    return 200, SUPPLIED, supplied
