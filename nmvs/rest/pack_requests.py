"""From what arrived to a `PackRequest`, or to the operation code of the first defect.

The order of the checks is the real systems': entry mode, scheme, product code, serial number,
batch, expiry, requested state. Who may do what is not asked here.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Final

import orjson

from emvs.identifiers import check_identifiers
from emvs.outcomes import Outcome
from emvs.scheme import Scheme
from emvs.states import Operation
from nmvs.participants import Participant
from nmvs.requests import PackRequest
from nmvs.rest.codes import (
    BODY_INVALID,
    ENTRY_MODE_INVALID,
    ENTRY_MODE_MISSING,
    FIXED,
    STATE_INVALID,
    STATE_MISSING,
)
from nmvs.rest.targets import PackTarget

_IS_MANUAL: Final = {"non-manual": False, "manual": True}
# The clients know gs1 and ifa; ppn is our addition.
SCHEMES: Final = {"gs1": Scheme.GTIN, "ifa": Scheme.PPN, "ppn": Scheme.PPN}
# In lower case and without blanks: one client sends "Free Sample", the other "FreeSample".
OPERATIONS: Final = {
    "supplied": Operation.SUPPLY,
    "active": Operation.REACTIVATE,
    "destroyed": Operation.DESTROY,
    "exported": Operation.EXPORT,
    "locked": Operation.LOCK,
    "sample": Operation.SAMPLE,
    "stolen": Operation.STOLEN,
    "freesample": Operation.FREE_SAMPLE,
}


def read_pack_request(
    target: PackTarget,
    *,
    entry_mode: str | None,
    body: bytes | None,
    participant: Participant,
) -> PackRequest | str:
    """Return the request, or the operation code that refuses it.

    `body` is None for a verification; else it tells the state that the pack shall have.
    """
    if not entry_mode:
        return ENTRY_MODE_MISSING
    manual = _IS_MANUAL.get(entry_mode)
    if manual is None:
        return ENTRY_MODE_INVALID
    scheme_name, product_code, serial_number, batch_id, expiry = target
    scheme = SCHEMES.get(scheme_name) or SCHEMES.get(scheme_name.lower())
    if scheme is None:
        return FIXED[Outcome.SCHEME_INVALID if scheme_name else Outcome.SCHEME_MISSING]
    defect = check_identifiers(scheme, product_code, serial_number, batch_id, expiry, manual=manual)
    if defect is not None:
        return FIXED[defect]
    operation = Operation.VERIFY if body is None else read_requested_operation(body)
    if isinstance(operation, str):
        return operation
    return PackRequest(
        operation, participant, scheme, product_code, serial_number, batch_id, expiry, manual
    )


def read_requested_operation(body: bytes) -> Operation | str:
    """Return the operation that leads to the state in a PATCH body, or the refusing code.

    Unknown members are ignored, and a byte order mark, which some .NET programs write.
    """
    if not body:
        return STATE_MISSING
    try:
        content = orjson.loads(body.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        return BODY_INVALID
    if not isinstance(content, dict):
        return BODY_INVALID
    state = content.get("state")
    if state is None or state == "":
        return STATE_MISSING
    if not isinstance(state, str):
        return STATE_INVALID
    return OPERATIONS.get(state.replace(" ", "").lower(), STATE_INVALID)
