"""Which return code an outcome has: the one table of this dialect, and the codes that exist.

No rule about packs enters: what happened is decided, here it gets its name. A finding that raises
no alert has a silent twin from v5 on; for earlier versions the code stays and the alert id is left
out. A code that a version does not know is told in its description, under the code that stands for
it. That a pack of another market has codes of its own is public; when exactly the twins are chosen
is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from emvs.outcomes import NEVER_ANSWERED, OUTCOMES, Outcome
from emvs.states import State
from nmvs.requests import Answer
from nmvs.soap.catalogue import VERSIONS, Endpoint, Version

PREFIX: Final = "NMVS_"

# Versions, then the codes that are in exactly these. v2 has 65 codes, v4 has 95. FI_SE_CLI_01 is in
# neither; that v5 has it is inferred.
_KNOWN: Final = """
245 SUCCESS ERROR
245 FE_AU_01 FE_AU_02 FE_AU_03 FE_AU_05 FE_AU_09 FE_AU_10 FE_AU_11 FE_AU_12 FE_AU_15 FE_AU_23
245 FE_AU_24 FE_GR_01 FE_GR_02 FE_GR_03 FE_GR_04
245 FE_LOT_01 FE_LOT_02 FE_LOT_03 FE_LOT_04 FE_LOT_05 FE_LOT_06 FE_LOT_07
245 FE_PKI_01 FE_PKI_06 FE_PKI_07 FE_PMS_02 FE_PMS_03 FE_PMS_04
245 FE_TX_01 FE_TX_02 FE_TX_03 FE_TX_05 FI_CFG_02 FI_CFG_03
245 NC_PC_01 NC_PC_02 NC_PC_03 NC_PC_04 NC_PC_05 NC_PC_06
245 NC_PCK_01 NC_PCK_02 NC_PCK_03 NC_PCK_04 NC_PCK_05 NC_PCK_06 NC_PCK_11 NC_PCK_13 NC_PCK_15
245 NC_PCK_18 NC_PCK_19 NC_PCK_20 NC_PCK_21 NC_PCK_22 NC_PCK_23 NC_PMS_23 NC_PMS_24
245 TE_XM_01 TE_XM_02 TI_AU_01 TI_TO_01 TI_XM_01
2   FE_AU_06
45  FE_AU_26 FE_AU_27 FE_AU_29 FE_LOT_08 FE_LOT_12 FE_LOT_13 FE_LOT_15 FE_SN_01
45  FE_TX_06 FE_TX_07 FE_TX_08 FE_TX_09 FE_TX_10 NC_PC_12 NC_PC_14 NC_PC_15 NC_PC_16 NC_PC_17
45  NC_PCK_26 NC_PCK_27 NC_PCK_28 NC_PCK_29 NC_PCK_30 NC_PMS_11
45  TE_IF_01 TE_REQ_01 TE_REQ_03 TE_REQ_04 TE_REQ_05 TE_TX_03 TI_RT_03
5   FE_LOT_17 FE_LOT_18 NC_PCK_31 FI_SE_CLI_01
"""
_NOTIFICATIONS: Final = """
245 NOTIFY_AU_01 NOTIFY_AU_02 NOTIFY_PMS_01
45  NOTIFY_PMS_03 NOTIFY_PMS_04 FE_AU_25
"""


def _known_in(number: int, text: str) -> tuple[str, ...]:
    rows = (line.split() for line in text.strip().splitlines())
    return tuple(code for versions, *codes in rows if str(number) in versions for code in codes)


@cache
def known_codes(number: int) -> tuple[str, ...]:
    """Return the return codes of an interface version, without their common prefix."""
    return _known_in(number, _KNOWN)


def code_in(version: Version, code: str) -> str:
    """Return a return code, or what stands for it in a version that does not know it."""
    return code if code in known_codes(version.number) else version.fallback_code


def report_in(version: Version, code: str, description: str) -> tuple[str, str]:
    """Return code and description as a version can tell them."""
    known = code_in(version, code)
    return known, description if known == code else f"{PREFIX}{code}: {description}"


def notification_codes(number: int) -> tuple[str, ...]:
    """Return the codes of notifications in an interface version, without their prefix."""
    return _known_in(number, _NOTIFICATIONS)


# Each pair is a code and its silent twin: as a rule, of an undo, and through intermarket; "-" is
# none, and the rule holds. Last column: whether product and pack stand in the reply.
_ROWS: Final = """
outcome                  code      twin       undo      twin       abroad    twin       pack
VERIFIED                 SUCCESS   -          -         -          -         -          yes
DECOMMISSIONED           SUCCESS   -          -         -          -         -          yes
REACTIVATED              SUCCESS   -          -         -          -         -          yes
REPEAT_TOLERATED         NC_PCK_23 -          -         -          -         -          yes
ALREADY_ACTIVE           NC_PCK_06 NC_PCK_29  -         -          -         -          yes
ALREADY_IN_STATE         NC_PCK_22 NC_PCK_30  -         -          NC_PCK_19 NC_PCK_28  yes
IN_OTHER_STATE           NC_PCK_22 NC_PCK_30  -         -          NC_PCK_27 NC_PCK_31  yes
PACK_EXPIRED             NC_PCK_22 NC_PCK_30  NC_PCK_06 NC_PCK_29  -         -          yes
BATCH_RECALLED           NC_PCK_22 NC_PCK_30  NC_PCK_06 NC_PCK_29  -         -          yes
PRODUCT_WITHDRAWN        NC_PCK_22 NC_PCK_30  NC_PCK_06 NC_PCK_29  -         -          yes
UNDO_IMPOSSIBLE          NC_PCK_06 NC_PCK_29  -         -          -         -          yes
UNDO_MISMATCH            NC_PCK_06 NC_PCK_29  -         -          -         -          yes
UNDO_ELSEWHERE           NC_PCK_21 -          -         -          -         -          yes
UNDO_TOO_LATE            NC_PCK_20 -          -         -          -         -          yes
UNDO_REFERENCE_WRONG     FE_TX_05  -          -         -          -         -          yes
PRODUCT_UNKNOWN          NC_PC_01  -          -         -          -         -          yes
BATCH_AND_SERIAL_UNKNOWN FE_LOT_03 FE_LOT_15  -         -          -         -          yes
SERIAL_UNKNOWN           NC_PC_02  NC_PC_14   -         -          -         -          yes
BATCH_MISMATCH           FE_LOT_13 FE_LOT_18  -         -          -         -          yes
EXPIRY_MISMATCH          FE_LOT_12 FE_LOT_17  -         -          -         -          yes
NON_FMD_PRODUCT          NC_PC_15  -          -         -          -         -          yes
BATCH_EXEMPTED           NC_PCK_26 -          -         -          -         -          yes
SCHEME_MISSING           TE_XM_02  -          -         -          -         -          no
SCHEME_INVALID           TE_XM_02  -          -         -          -         -          no
PRODUCT_CODE_MISSING     TE_XM_02  -          -         -          -         -          no
PRODUCT_CODE_INVALID     FE_GR_01  -          -         -          -         -          yes
SERIAL_MISSING           TE_XM_02  -          -         -          -         -          no
SERIAL_INVALID           TE_XM_02  -          -         -          -         -          no
BATCH_MISSING            TE_XM_02  -          -         -          -         -          no
BATCH_INVALID            TE_XM_02  -          -         -          -         -          no
EXPIRY_MISSING           TE_XM_02  -          -         -          -         -          no
EXPIRY_INVALID           FE_LOT_07 -          -         -          -         -          yes
SERIAL_TWICE             FE_SN_01  -          -         -          -         -          no
NOT_PERMITTED            FE_AU_15  -          -         -          -         -          yes
LOGIN_WRONG              FE_AU_01  -          -         -          -         -          no
LOGIN_LOCKED             FE_AU_02  -          -         -          -         -          no
UNAVAILABLE              TE_REQ_01 -          -         -          -         -          no
OVERLOADED               TE_TX_03  -          -         -          -         -          no
HUB_UNREACHABLE          TE_REQ_03 -          -         -          -         -          no
HUB_TIMEOUT              TE_REQ_04 -          -         -          -         -          no
MARKET_UNREACHABLE       TE_REQ_05 -          -         -          -         -          no
"""

_DESCRIPTIONS: Final = {
    outcome: "Successfully processed." if facts.level == 0 else facts.text
    for outcome, facts in OUTCOMES.items()
}
"""English; the text of a success is the one that real systems send."""


class ReturnCode(NamedTuple):
    """What a reply says of the outcome."""

    code: str
    """With its prefix."""
    description: str
    shows_pack: bool


class _Case(NamedTuple):
    """What a return code depends on besides the outcome."""

    outcome: Outcome
    undo: bool
    abroad: bool
    silent: bool


def _read_rows(text: str, version: Version) -> dict[tuple[Outcome, bool, bool, bool], ReturnCode]:
    codes: dict[tuple[Outcome, bool, bool, bool], ReturnCode] = {}
    for line in text.strip().splitlines()[1:]:
        name, *pairs, pack = line.split()
        outcome = Outcome[name]
        rule, undo, abroad = zip(pairs[::2], pairs[1::2], strict=True)
        for case in (_Case(outcome, *_bits(number)) for number in range(8)):
            code, twin = rule
            if case.undo and undo[0] != "-":
                code, twin = undo
            elif case.abroad and abroad[0] != "-":
                code, twin = abroad
            if case.silent and version.has_silent_twins and twin != "-":
                code = twin
            code, description = report_in(version, code, _DESCRIPTIONS[outcome])
            codes[case] = ReturnCode(PREFIX + code, description, pack == "yes")
    return codes


def _bits(number: int) -> tuple[bool, bool, bool]:
    return bool(number & 1), bool(number & 2), bool(number & 4)


RETURN_CODES: Final = {version.number: _read_rows(_ROWS, version) for version in VERSIONS.values()}
assert all(
    {outcome for outcome, *_ in codes} == set(Outcome) - NEVER_ANSWERED
    for codes in RETURN_CODES.values()
), "must be total"


def choose_return_code(
    endpoint: Endpoint, answer: Answer, verify_codes: Mapping[State, str]
) -> ReturnCode:
    """Return the code of an answer in the version that was asked.

    `verify_codes` overrides the success of a verification by effective state.
    """
    if verify_codes and answer.outcome is Outcome.VERIFIED and answer.effective is not None:
        code = verify_codes.get(answer.effective)
        if code is not None:
            description = _VERIFY_DESCRIPTIONS[answer.effective]
            code, description = report_in(endpoint.version, code, description)
            return ReturnCode(PREFIX + code, description, shows_pack=True)
    return RETURN_CODES[endpoint.version.number][
        answer.outcome, endpoint.is_undo, answer.intermarket, answer.alert is None
    ]


_VERIFY_DESCRIPTIONS: Final = {
    state: f"The pack is not active: {state.name.lower().replace('_', ' ')}" for state in State
} | {
    State.RECALLED: OUTCOMES[Outcome.BATCH_RECALLED].text,
    State.EXPIRED: OUTCOMES[Outcome.PACK_EXPIRED].text,
    State.WITHDRAWN: OUTCOMES[Outcome.PRODUCT_WITHDRAWN].text,
}
