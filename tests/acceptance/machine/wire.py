"""What an expected outcome looks like in each dialect, from the operators' public code lists."""

from __future__ import annotations

from emvs.outcomes import Outcome
from emvs.states import Operation, State
from tests.acceptance.machine.model import Actor, Expected

REST_STATES = {
    Operation.VERIFY: None,
    Operation.SUPPLY: "Supplied",
    Operation.DESTROY: "Destroyed",
    Operation.LOCK: "Locked",
    Operation.EXPORT: "Exported",
    Operation.SAMPLE: "Sample",
    Operation.STOLEN: "Stolen",
    Operation.FREE_SAMPLE: "FreeSample",
    Operation.REACTIVATE: "Active",
}
SOAP_NAMES = {
    Operation.VERIFY: "G110",
    Operation.SUPPLY: "G120",
    Operation.DESTROY: "G130",
    Operation.EXPORT: "G140",
    Operation.SAMPLE: "G150",
    Operation.FREE_SAMPLE: "G160",
    Operation.LOCK: "G170",
    Operation.STOLEN: "G180",
    Operation.UNDO_SUPPLY: "G121",
    Operation.UNDO_EXPORT: "G141",
    Operation.UNDO_SAMPLE: "G151",
    Operation.UNDO_FREE_SAMPLE: "G161",
    Operation.UNDO_LOCK: "G171",
}
_SOAP_CODES = {
    Outcome.VERIFIED: "SUCCESS",
    Outcome.DECOMMISSIONED: "SUCCESS",
    Outcome.REACTIVATED: "SUCCESS",
    Outcome.REPEAT_TOLERATED: "NC_PCK_23",
    Outcome.ALREADY_ACTIVE: "NC_PCK_29",
    Outcome.ALREADY_IN_STATE: "NC_PCK_22",
    Outcome.IN_OTHER_STATE: "NC_PCK_22",
    Outcome.UNDO_IMPOSSIBLE: "NC_PCK_29",
    Outcome.UNDO_MISMATCH: "NC_PCK_06",
    Outcome.UNDO_ELSEWHERE: "NC_PCK_21",
    Outcome.UNDO_TOO_LATE: "NC_PCK_20",
    Outcome.PRODUCT_UNKNOWN: "NC_PC_01",
    Outcome.SERIAL_UNKNOWN: "NC_PC_02",
    Outcome.BATCH_AND_SERIAL_UNKNOWN: "FE_LOT_03",
    Outcome.BATCH_MISMATCH: "FE_LOT_13",
    Outcome.EXPIRY_MISMATCH: "FE_LOT_12",
    Outcome.NOT_PERMITTED: "FE_AU_15",
}
_SOAP_ABROAD = {Outcome.ALREADY_IN_STATE: "NC_PCK_19", Outcome.IN_OTHER_STATE: "NC_PCK_27"}
_BATCH_STATES = (State.WITHDRAWN, State.RECALLED, State.EXPIRED)
_REST_FIXED = {
    Outcome.PRODUCT_UNKNOWN: "41020000",
    Outcome.SERIAL_UNKNOWN: "41020001",
    Outcome.BATCH_AND_SERIAL_UNKNOWN: "41020002",
    Outcome.BATCH_MISMATCH: "41020003",
    Outcome.EXPIRY_MISMATCH: "41020005",
    Outcome.NOT_PERMITTED: "30020000",
    Outcome.REACTIVATED: "11410100",
}


def operations_of(dialect: str) -> list[Operation]:
    """Return what can be asked in a dialect."""
    return list(SOAP_NAMES if dialect == "soap" else REST_STATES)


def code_of(actor: Actor, operation: Operation, expected: Expected) -> str:
    """Return the code that the actor must read."""
    if actor.dialect == "soap":
        return f"NMVS_{_soap_code(actor, operation, expected)}"
    return _REST_FIXED.get(expected.outcome) or _rest_code(operation, expected)


def state_name(state: State | None) -> str:
    """Return a state as `WireAnswer` has it."""
    return "" if state is None else state.name.replace("_", "")


def _soap_code(actor: Actor, operation: Operation, expected: Expected) -> str:
    if expected.outcome not in _SOAP_CODES:  # Batch or product is the reason: the silent twins.
        return "NC_PCK_29" if operation.is_undo else "NC_PCK_30"
    abroad = expected.answered_by != actor.market
    code = _SOAP_ABROAD.get(expected.outcome) if abroad else None
    return code or _SOAP_CODES[expected.outcome]


def _rest_code(operation: Operation, expected: Expected) -> str:
    outcome, state = expected.outcome, expected.state
    assert state is not None
    if operation is Operation.VERIFY:
        digits = "11"
    elif operation is Operation.SUPPLY:
        digits = "12"
    else:
        digits = "14" if operation.is_undo else "13"
    here = "01" if expected.here else "00"
    if state in _BATCH_STATES:
        here = "00"
    if outcome is Outcome.VERIFIED:
        here = "00" if state is State.ACTIVE else here
        return f"1111{state:02d}{here}"
    if outcome is Outcome.DECOMMISSIONED:
        return f"1{digits}1{state:02d}00"
    if outcome is Outcome.REPEAT_TOLERATED:
        return f"1{digits}2{state:02d}01"
    # Supplied packs have the two reasons of a refused undo the other way round.
    if outcome is Outcome.UNDO_ELSEWHERE:
        here = "01" if state is State.SUPPLIED else "00"
    elif outcome is Outcome.UNDO_TOO_LATE:
        here = "00" if state is State.SUPPLIED else "01"
    elif outcome is Outcome.UNDO_IMPOSSIBLE and state is State.STOLEN:
        here = "00"
    return f"5{digits}2{state:02d}{here}"
