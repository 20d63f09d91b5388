"""Return codes of the SOAP-built national systems: what each means to a client, as a table.

The list is never closed: a code that is not here is judged by the parts of its name, from the
longest to the shortest, so that `NMVS_FE_AU_99` is a matter of permission and `NMVS_TE_XX_01` a
technical failure. Sources: the published interface description of versions 2 and 4, and the
national organisations' pages on version 5; which unlisted class means what is our choice.
"""

from __future__ import annotations

from typing import Final

from emvs.states import Operation, State
from pharmacy_client.results import Category

_PREFIX: Final = "NMVS_"
_SUCCESS: Final = "SUCCESS"

# Category, then the codes or the beginnings of codes.
_TABLE: Final = """
tolerated      NC_PCK_23 NC_PCK_26
unknown        FE_LOT_03 FE_LOT_12 FE_LOT_13 FE_LOT_15 FE_LOT_17 FE_LOT_18
unknown        NC_PC_01 NC_PC_02 NC_PC_06 NC_PC_14 NC_PC_15
invalid        FE_GR FE_LOT_07 FE_SN FE_REQ FE_TX_06 FE_TX_10 NC_PC_10 NC_PC_11 NC_PC_17
invalid        TE_XM TE_JS
not_permitted  FE_AU FE_BR FE_PKI FE_PMS NC_PMS
unavailable    ERROR FE_TX_07 FI TE TI
refused        FE NC WF TE_IF TE_TX_01
"""
_CATEGORIES: Final[dict[str, Category]] = {
    code: Category(line.split()[0])
    for line in _TABLE.strip().splitlines()
    for code in line.split()[1:]
}

_LOGIN_CODES: Final = """
FE_AU_01 FE_AU_02 FE_AU_04 FE_AU_05 FE_AU_06 FE_AU_11 FE_AU_17 FE_AU_23 FE_AU_26 FE_AU_27 FE_AU_29
FE_PKI_01 FE_PKI_05 FE_PKI_06
"""
_LOGIN_REFUSED: Final = frozenset(_LOGIN_CODES.split())
"""Nobody with this login can do anything until somebody has seen to it."""

_UNDO_MISFITS: Final = frozenset({"NC_PCK_06", "NC_PCK_29"})
"""The undo does not fit the pack's state; harmless if the pack is active."""

_INACTIVE_ALREADY: Final = "NC_PCK_22"
_ALERT_CODES: Final = {
    "FE_LOT_03": "A2",
    "FE_LOT_12": "A52",
    "FE_LOT_13": "A68",
    "NC_PC_02": "A3",
    "NC_PCK_06": "A24",
    "NC_PCK_19": "A7",
    "NC_PCK_20": "A4",
    "NC_PCK_27": "A24",
}


def bare_code(return_code: str) -> str:
    """Return a return code without the prefix that all have."""
    return return_code.removeprefix(_PREFIX)


def is_login_refusal(return_code: str) -> bool:
    """Tell whether this code says that the login as such is not accepted."""
    return bare_code(return_code) in _LOGIN_REFUSED


def category_of(return_code: str) -> Category:
    """Return the category of any code but success; what is not known at all is a refusal."""
    parts = bare_code(return_code).split("_")
    for length in range(len(parts), 0, -1):
        category = _CATEGORIES.get("_".join(parts[:length]))
        if category is not None:
            return category
    return Category.REFUSED


def judge(return_code: str, operation: Operation, state: State | None) -> Category | None:
    """Return what a reply means; None if code and state contradict each other.

    `state` is the effective one that the reply tells, None if it tells none. Nothing is called
    active unless the state says so.
    """
    code = bare_code(return_code)
    if code != _SUCCESS:
        if operation.is_undo and state is State.ACTIVE and code in _UNDO_MISFITS:
            return Category.TOLERATED
        return category_of(return_code)
    if operation is Operation.VERIFY:
        return Category.ACTIVE if state is State.ACTIVE else Category.REFUSED
    if state is State.ACTIVE and not operation.is_undo:
        return None
    return Category.DONE


def alert_code_of(return_code: str, operation: Operation, state: State | None) -> str | None:
    """Return the EU Hub's code for the alert that comes with this return code.

    One return code stands for two of the hub's: A7 if the pack has the requested state already,
    A24 if it has another one (inferred; Estonia says A24 for both).
    """
    code = bare_code(return_code)
    if code == _INACTIVE_ALREADY:
        return "A7" if state is operation.target_state else "A24"
    return _ALERT_CODES.get(code)
