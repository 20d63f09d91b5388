"""Whether the identifiers of a request are well-formed, before any pack is looked for.

The order of the checks is the order in which the REST-built national systems report them; the
limits are those of Delegated Regulation (EU) 2016/161, Art. 4, and of the GS1 character set 82.
"""

from __future__ import annotations

from typing import Final

from emvs.character_sets import is_ifa_batch, is_ifa_serial, is_set82
from emvs.check_digits import is_valid_gtin, is_valid_ppn
from emvs.expiry import parse_expiry
from emvs.outcomes import Outcome
from emvs.scheme import Scheme

_VALID: Final = {
    Scheme.GTIN: (is_valid_gtin, is_set82, is_set82),
    Scheme.PPN: (is_valid_ppn, is_ifa_serial, is_ifa_batch),
}
"""Checks of product code, serial number and batch id."""


def check_identifiers(
    scheme: Scheme,
    product_code: str,
    serial_number: str,
    batch_id: str | None,
    expiry: str | None,
    *,
    manual: bool,
) -> Outcome | None:
    """Return the first defect, None if there is none.

    Absent and empty are the same. Batch and expiry are required unless entered by hand.
    """
    is_valid_code, is_valid_serial, is_valid_batch = _VALID[scheme]
    if not product_code:
        return Outcome.PRODUCT_CODE_MISSING
    if not is_valid_code(product_code):
        return Outcome.PRODUCT_CODE_INVALID
    if not serial_number:
        return Outcome.SERIAL_MISSING
    if not is_valid_serial(serial_number):
        return Outcome.SERIAL_INVALID
    if not batch_id:
        if not manual:
            return Outcome.BATCH_MISSING
    elif not is_valid_batch(batch_id):
        return Outcome.BATCH_INVALID
    if not expiry:
        if not manual:
            return Outcome.EXPIRY_MISSING
    elif parse_expiry(expiry) is None:
        return Outcome.EXPIRY_INVALID
    return None
