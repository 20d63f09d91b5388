"""Cases 01 to 04, bulk of pack, and the recovery, for systems and software that have them.

The recovery is no case of the book: it is an addition of the systems' maker, tested the same way.
"""

from __future__ import annotations

from typing import Final

from pharmacy_client.testbook import single_cases
from pharmacy_client.testbook.alert_cases import UNKNOWN_SERIAL
from pharmacy_client.testbook.book import (
    Actor,
    Ask,
    Case,
    Expected,
    FetchBulk,
    PackSpec,
    Purpose,
    Role,
    Setting,
    Step,
    SubmitBulk,
)
from pharmacy_client.testbook.changes import unknown_serial
from pharmacy_client.testbook.single_cases import ACTIVE, EXPIRED, RECALLED, SUPPLIED, WITHDRAWN

ACCEPTED: Final = Expected(codes=("22100000",), alert=None, inferred=True)
NOT_READY: Final = Expected(codes=("52210000",), alert=None, inferred=True)
DELIVERED: Final = Expected(codes=("12200000",), alert=None, inferred=True)

_STATES: Final[tuple[tuple[str, str], ...]] = (
    ("Destroyed", "03"),
    ("Locked", "04"),
    ("Exported", "05"),
    ("Sample", "06"),
    ("Stolen", "07"),
    ("FreeSample", "08"),
)
_PHARMACY_STATES: Final = tuple(row for row in _STATES if row[0] != "Exported")


def build(setting: Setting) -> list[Case]:
    """Return the cases."""
    return [_verify(), _supply(setting), _reactivate(), _decommission(setting), _recovery()]


def _submit(
    text: str, *packs: str, state: str | None = None, prepare: tuple[Ask, ...] = ()
) -> Step:
    return Step(
        text=text, prepare=prepare, action=SubmitBulk(packs=packs, state=state), expected=ACCEPTED
    )


def _results(text: str, *results: Expected) -> Step:
    return Step(text=text, follows=True, action=FetchBulk(), expected=DELIVERED, results=results)


def _case(number: str, name: str, packs: dict[str, PackSpec], *steps: Step) -> Case:
    return Case(number=number, name=name, packs=packs, steps=steps, optional=True)


def _verify() -> Case:
    packs = {
        "active": PackSpec(),
        "supplied": PackSpec(),
        "never loaded": PackSpec(),
        "unknown product": PackSpec(Purpose.UNKNOWN_PRODUCT),
    }
    four = ("active", "supplied", "never loaded", "unknown product")
    return _case(
        "01",
        "BULK_VERIFY",
        packs,
        Step(
            text="Submit an active, a supplied, an unknown pack and one of an unknown product",
            prepare=(Ask(pack="supplied", state="Supplied", by=Actor.OTHER),),
            action=SubmitBulk(packs=four, changes={"never loaded": unknown_serial}),
            expected=ACCEPTED,
        ),
        Step(
            text="Ask for the result at once: not ready, with the time to come back",
            follows=True,
            action=FetchBulk(early=True),
            expected=NOT_READY,
        ),
        _results(
            "Fetch the results",
            ACTIVE,
            Expected(codes=("11110200",), state="Supplied"),
            UNKNOWN_SERIAL,
            single_cases.UNKNOWN_PRODUCT,
        ),
        Step(
            text="Submit with a wrong number of packs: refused",
            action=SubmitBulk(packs=four, number_of_packs=5),
            expected=Expected(codes=("62120001",)),
        ),
        Step(
            text="Submit a serial number twice: refused, alert",
            action=SubmitBulk(packs=("active", "active")),
            expected=Expected(codes=("62120000",), alert=True),
        ),
        Step(
            text="Ask for a result that does not exist",
            action=FetchBulk(unknown_id=True),
            expected=Expected(codes=("42220000",), inferred=True),
        ),
    )


def _supply(setting: Setting) -> Case:
    packs = {"active": PackSpec(), "expired": EXPIRED, "recalled": RECALLED, "withdrawn": WITHDRAWN}
    refused = tuple(
        Expected(codes=(code,), inferred=True) for code in ("51221100", "51221000", "51221200")
    )
    file = tuple(packs)
    steps = [
        _submit(
            "Submit an active, an expired, a recalled, a withdrawn pack", *file, state="Supplied"
        ),
        _results(
            "Fetch the results: one supplied, the others refused without alert", SUPPLIED, *refused
        ),
    ]
    for number in range(1, setting.repeat_limit + 1):
        steps += [
            _submit(
                f"Submit the same file again, time {number} inside the limit",
                *file,
                state="Supplied",
            ),
            _results(
                "Fetch the results: repeat tolerated", single_cases.REPEAT_TOLERATED, *refused
            ),
        ]
    steps += [
        _submit("Submit the same file beyond the limit", *file, state="Supplied"),
        _results("Fetch the results: alert", single_cases.SUPPLIED_HERE, *refused),
    ]
    return _case("02", "BULK_SUPPLY", packs, *steps)


def _reactivate() -> Case:
    rows: tuple[tuple[str, tuple[Ask, ...], Expected], ...] = (
        ("own", (Ask(pack="own", state="Supplied"),), single_cases.REACTIVATED),
        (
            "other's",
            (Ask(pack="other's", state="Supplied", by=Actor.OTHER),),
            Expected(codes=("51420201", "51420001"), inferred=True),
        ),
        (
            "destroyed",
            (Ask(pack="destroyed", state="Destroyed"),),
            Expected(codes=("5142030.",), inferred=True),
        ),
        (
            "stolen",
            (Ask(pack="stolen", state="Stolen"),),
            Expected(codes=("5142070.",), inferred=True),
        ),
        ("active", (), Expected(codes=("5142010.",), state="Active")),
    )
    packs = {name: PackSpec() for name, _, _ in rows}
    return _case(
        "03",
        "BULK_REACTIVATE",
        packs,
        _submit(
            "Submit packs supplied here and elsewhere, a destroyed, a stolen, an active one",
            *packs,
            state="Active",
            prepare=tuple(ask for _, prepare, _ in rows for ask in prepare),
        ),
        _results("Fetch the results: only the first is reactivated", *(row[2] for row in rows)),
    )


def _decommission(setting: Setting) -> Case:
    states = _STATES if setting.role is Role.WHOLESALER else _PHARMACY_STATES
    packs = {f"{state} {which}": PackSpec() for state, _ in states for which in ("a", "b")}
    steps: list[Step] = []
    for state, number in states:
        steps += [
            _submit(
                f"Submit an active pack and one supplied elsewhere, to be {state}",
                f"{state} a",
                f"{state} b",
                state=state,
                prepare=(Ask(pack=f"{state} b", state="Supplied", by=Actor.OTHER),),
            ),
            _results(
                f"Fetch the results: one {state}, the other refused with an alert",
                Expected(codes=(f"1131{number}00",), state=state, inferred=True),
                Expected(codes=("51320200",), alert=True, inferred=True),
            ),
        ]
    return _case("04", "BULK_DECOMMISSION", packs, *steps)


def _recovery() -> Case:
    transitions = (None, "SUPPLIED", "Free Sample", "ACTIVE")
    packs = {
        "verified": PackSpec(),
        "supplied": PackSpec(),
        "sample": PackSpec(),
        "own": PackSpec(),
    }
    return _case(
        "R1",
        "RECOVERY",
        packs,
        Step(
            text="Replay a verification, a supply, a free sample and a reactivation",
            prepare=(Ask(pack="own", state="Supplied"),),
            action=SubmitBulk(packs=tuple(packs), transitions=transitions),
            expected=Expected(codes=("23100000",), alert=None, inferred=True),
        ),
        Step(
            text="Fetch the results",
            follows=True,
            action=FetchBulk(),
            expected=Expected(codes=("13200000",), alert=None, inferred=True),
            results=(
                ACTIVE,
                SUPPLIED,
                Expected(codes=("11310800",), state="FreeSample", inferred=True),
                single_cases.REACTIVATED,
            ),
        ),
        Step(
            text="Replay with a wrong number of packs: refused",
            action=SubmitBulk(
                packs=tuple(packs), transitions=transitions, number_of_packs=len(packs) + 1
            ),
            expected=Expected(codes=("6312000.",)),
        ),
    )
