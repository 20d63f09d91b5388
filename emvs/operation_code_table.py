"""Every operation code of the REST-built national systems that is known in public: a table.

That a code exists is certain, unless its meaning says that the grammar made it: it stands in a
client's colour map, a client's texts or on a national organisation's page. What is inferred is, in
most rows, its meaning; the column says so. Never a closed list: see `emvs.operation_codes`.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import Final, NamedTuple

from emvs.operation_codes import Certainty, OperationCode, parse
from emvs.states import State


class Colour(StrEnum):
    """In which colour a public client shows the answer."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class AlertFlag(StrEnum):
    """Whether the answer comes with an alert."""

    YES = "yes"
    PROBABLY = "probably"
    NO = "no"


class CodeRow(NamedTuple):
    """What is known of one code."""

    code: str
    parts: OperationCode
    meaning: str
    certainty: Certainty
    """Of the meaning."""
    colour: Colour | None
    """None if no client is known to have one for it."""
    alert: AlertFlag | None
    """None if unknown, or if the question makes no sense."""


# Pattern, colour (G, A, R, - none known), alert (y, p, n, - unknown), certainty (C certain,
# 2 two sources, I inferred, ? unknown), meaning. Brackets stand for one of the parts in them;
# {state} is the name of the state that the code tells, {where} is decided by the reason.
_ROWS: Final = """\
10010000                       G - I success of any call, perhaps an answer to a ping
11110100                       G - C verify: the pack is active
111102[00]                     R n I verify: {state} {where}
111102[01]                     A n I verify: {state} {where}
1111[03,07][00,01]             R n I verify: {state} {where}
1111[04,05,06,08]00            R n I verify: {state} {where}
1111[04,05,06,08]01            A n I verify: {state} {where}
11110900                       R n I verify: {state}
1111[10,12]00                  R n I verify: {state}
11111100                       A n I verify: {state}
11210200                       G - C supplied
112202[00,01]                  A n C supplied here before, within the tolerance
1131[03,04,05,06,07,08]00      G - I decommissioned: {state}
1132[03,04,05,06,07,08][00,01] A n I decommissioned here before, within the tolerance: {state}
11410100                       G - C reactivated
11420100                       G - I reactivate: the pack was active already
1141[10,12]00                  R n I reactivated, but {state}
11411100                       A n I reactivated, but {state}
22100000                       G - I bulk request accepted
12200000                       G - I results of a bulk request
52210000                       A - I results of a bulk request are not ready
42220000                       A - I bulk request unknown or its results expired
52120000                       R p I bulk request refused, perhaps for duplicate serial numbers
62120000                       - y C bulk: a serial number of one product is there twice
62120001                       A n C bulk: the number of packs differs from the one told
62120002                       A n C bulk: the body is invalid or empty
62120003                       R n C bulk: too many packs
621200[04,05,06,07]            A - ? bulk: meaning unknown
23100000                       - - I recovery request accepted (by grammar)
13200000                       - - I results of a recovery request (by grammar)
53210000                       - - I results of a recovery request are not ready (by grammar)
43220000                       - - I recovery request unknown or expired (by grammar)
63120001                       - n C recovery: the number of packs differs from the one told
63120002                       - n C recovery: the body is invalid or empty
63120003                       - n C recovery: too many packs
14000000                       G - I product data asked for
14100000                       G - I product data
44020001                       A - I product data: the product is unknown
54120000                       A - I product data are not ready
641200[00,01]                  A - I product data: the request is invalid
15100000                       - - C list of reports
30020000                       R n I the caller may not do this
41020000                       A n C the product code is unknown (hub A1)
41020001                       R y C the serial number is unknown (hub A3)
410200[10,11,12]               R y C the serial number is unknown, odd length or format (hub A3)
41020002                       R y C batch and serial number are unknown (hub A2)
41020003                       R y C the serial number belongs to another batch (hub A68)
410200[07,08,09]               R y C another batch's serial number, odd length or format (hub A68)
41020004                       A n ? perhaps outside the scope of verification
41020005                       R y C year or month of the expiry date differs (hub A52)
41020006                       - n C the batch is exempted from verification
51020200                       R - I any call: the pack is supplied
51220000                       R y I supply refused: the pack is inactive
5122[02,03,04,05,06,07,08][00,01] R y I supply refused: {state} {where} (hub A7, A24)
51220900                       R y I supply refused: {state}
5122[10,12]00                  R n I supply refused: {state}
51221100                       A n I supply refused: {state}
51320000                       R y I decommissioning refused: the pack is inactive
5132[02,03,04,05,06,07,08][00,01] R y I decommissioning refused: {state} {where} (hub A7, A24)
51320900                       R y I decommissioning refused: {state}
5132[10,12]00                  R n I decommissioning refused: {state}
51321100                       A n I decommissioning refused: {state}
514200[00,01]                  R n I reactivation refused: another location's
51420002                       R n C reactivation refused: more than ten days (hub A4)
51420200                       R n C reactivation refused: {state} more than ten days ago (hub A4)
5142[05,06,08]01               R n C reactivation refused: {state} more than ten days ago (hub A4)
514201[00,01]                  G n I reactivation refused: the pack is active
51420201                       R n I reactivation refused: {state} by another location
5142[04,05,06,08]00            R n I reactivation refused: {state} by another location
51420401                       R n I reactivation refused: {state}
514203[00,01]                  R n I reactivation refused: {state}, never undone
5142[07,09]00                  R n I reactivation refused: {state}, never undone
5142[10,12]00                  R n I reactivation refused: {state}
51421100                       A n I reactivation refused: {state}
61020000                       A n C a batch identifier is required
61020001                       A n C a product code is required
61020002                       A n C a product code scheme is required
61020003                       A n C a serial number is required
61020004                       A n C an expiry date is required
61020005                       A n ? its text lies between "An expiry" and "The batch"
61020006                       - n 2 the batch identifier is invalid
61020007                       - n 2 the expiry date is invalid
61020008                       A n 2 the product code is invalid
61020009                       A n I the product code scheme is invalid
61020010                       A n I the requested state is invalid
61020011                       - n 2 the serial number is invalid
61020012                       A n C the header emvs-data-entry-mode is missing
61020013                       A n C the header emvs-data-entry-mode is invalid
610200[14,15]                  A n ? perhaps another header, or the body
70020000                       R - I too many requests
B0020000                       R - I the system is not available
B1020000                       A n I not available for a single pack, perhaps another market's
B1020001                       - n C unknown; the database that holds it is gone for good
C00200[01,02]                  A - ? unknown
C0020003                       R - ? unknown
D0020000                       R - ? unknown
"""
_COLOURS: Final = {"G": Colour.GREEN, "A": Colour.AMBER, "R": Colour.RED, "-": None}
_ALERTS: Final = {"y": AlertFlag.YES, "p": AlertFlag.PROBABLY, "n": AlertFlag.NO, "-": None}
_CERTAINTIES: Final = {
    "C": Certainty.CERTAIN,
    "2": Certainty.TWO_SOURCES,
    "I": Certainty.INFERRED,
    "?": Certainty.UNKNOWN,
}


def _expanded(pattern: str) -> list[str]:
    """Return the codes that a pattern with brackets stands for."""
    choices = [piece.split(",") for piece in pattern.replace("]", "[").split("[")]
    return ["".join(parts) for parts in product(*choices)]


def _rows() -> dict[str, CodeRow]:
    rows: dict[str, CodeRow] = {}
    for line in _ROWS.splitlines():
        pattern, colour, alert, certainty, meaning = line.split(maxsplit=4)
        for code in _expanded(pattern):
            parts = parse(code)
            assert parts is not None, f"{code} does not follow the grammar"
            assert code not in rows, f"{code} has two rows"
            rows[code] = CodeRow(
                code,
                parts,
                _told(meaning, parts),
                _CERTAINTIES[certainty],
                _COLOURS[colour],
                _ALERTS[alert],
            )
    return rows


def _told(meaning: str, parts: OperationCode) -> str:
    state = parts.state
    name = "" if state is None else State(state).name.lower().replace("_", " ")
    return meaning.format(state=name, where="here" if parts.reason else "elsewhere")


CODE_TABLE: Final = _rows()
"""By code, in the order of operations."""
