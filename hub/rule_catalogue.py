"""Every rule of the hub on what manufacturers send, as one table: what answers and pages name.

The rules themselves are functions beside this; a test holds that none is missing here and that
each is broken by a message of its own. How text elements may be filled is `hub.fields`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule."""

    code: str
    """"A16", "I1" or both; "" of a remark on a message that is accepted."""
    messages: str
    scope: str
    """What is refused: the message, one market of it, or one pack; or nothing."""
    text: str
    source: str
    """P published, I inferred from something published, D our choice."""


# Message types: PSU.. are the eight of state updates.
_ROWS: Final = """
absent                   | A16, I1 | all        | message | a mandatory element is not there | P
empty                    | A16, I1 | all        | message | an element is there and holds nothing | P
blank                    | A16, I1 | all        | message | an element holds blanks alone | P
too_long                 | I1      | all        | message | a text is longer than its element may be | P
control_character        | I1      | all        | message | a text holds a control character | D
not_storable             | I1      | all        | message | no other rule said so, and the database cannot hold it | D
unknown_scheme           | I1      | PMDR PPDC PPDM PSU.. VBOP | message | `scheme` is neither GTIN nor PPN | D
scheme_mismatch          | A16     | PMDR PPDC PPDM PSU.. VBOP | message | the length of the product code is that of the other scheme | P
format                   | A16, I1 | all        | message | a product code, batch id, expiry, ATC code or national code does not look like one | P
check_digit              | A16     | all        | message | the check digit of the product code is wrong | P
range                    | A16     | PMDR       | message | `packSize` is not from 1 to 1,000,000 | D
too_many                 | I1      | PMDR RCBR WDPR PSU.. RPLK | message | a list is longer than it may be | D
duplicate                | A16     | all        | message | a market, batch or serial number stands twice | I
unknown_market           | A16     | PMDR RCBR WDPR PSU.. | message | no market has this code | P
market_not_connected     | A16     | PMDR PPDC PPDM RCBR WDPR PSU.. VBOP | message, market | the market's national system is not connected to this hub | D
national_code_obligatory | A16     | PMDR       | message | Austria wants its number on every product | P
other_owner              | A16     | all        | message | the product is another organisation's | P
other_holder             | A16     | PMDR       | message | the organisation's account (ORGR) does not name this marketing authorisation holder | I
unknown_product          | A16     | PPDC PPDM RCBR WDPR PSU.. VBOP RPLK | message | the product has no master data here | P
unknown_version          | A16     | PPDC PPDM  | message | the product has no such version | D
other_version            | A16     | PPDC PPDM  | message | the batch belongs to another version: to one for good | P
unknown_batch            | A16     | PPDM RCBR PSU.. VBOP RPLK | message | the batch was never made (PPDC) | I
batch_exists             | A16     | PPDC       | message | the batch was made before: add packs with PPDM | I
other_expiry             | A16     | PPDC PPDM  | message | the batch has another expiry date; `YYMM00` is not `YYMMDD` | P
serial_format            | I1      | PPDC PPDM PSU.. VBOP | message | a serial number has characters or a length that are not allowed | P
other_market             | A16     | RCBR WDPR PSU.. | message | the product is not placed on this market | I
already_recalled         | A16     | RCBR       | message | the batch is recalled there, which is final | P
already_withdrawn        | A16     | WDPR       | message | the product is withdrawn there, which is final | P
shared_system            | A16     | RCBR WDPR PSU.. | message | another market of the product has the same national system: list both | D
withdrawn                | A16     | PPDC PPDM PSU.. | market | the product is withdrawn there | P
recalled                 | A16     | PPDC PPDM PSU.. | market | the batch is recalled there | P
no_market                | A16     | PPDC PPDM PSU.. VBOP | message | every market of it is refused | I
unknown_state            | I1      | PSU..      | message | no pack can be this | D
other_state              | A16     | PSU..      | message | the state belongs to another message type | P
not_permitted            | A16     | PSURP PSUUR | message | only parallel distributors check out for repackaging | P
same_batch               | A16     | RPLK       | message | a target is a source as well | D
rolled_back              | A16     | PMDR PPDC PPDM PSU.. | message | another part of its EPCIS capture is invalid, and the sender wants all or nothing | P
NMVS_FE_SN_02            |         | PPDC PPDM  | pack    | a market has the serial number already; the other packs are loaded | P
strength_not_in_name     |         | PMDR       | remark  | the strength does not stand in the name | P
market_withdrawn         |         | PMDR       | remark  | a market of the new version is one that the product is withdrawn from | D
expired                  |         | PPDC PPDM  | remark  | the expiry date is in the past | D
not_checked_out          |         | RPLK       | remark  | the sender has checked out no pack of the source | D
source_recalled          |         | RPLK       | remark  | the source is recalled | D
source_withdrawn         |         | RPLK       | remark  | the source's product is withdrawn | D
expires_later            |         | RPLK       | remark  | the target expires later than the source | D
already_linked           |         | RPLK       | remark  | the link is there already | D
"""  # noqa: E501 - a table.


def _read_rows() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for line in _ROWS.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        rules[name] = Rule(*cells)
    return rules


RULES: Final = _read_rows()
"""By the name that `defects[].rule` tells; refused packs have a code of the national systems."""
