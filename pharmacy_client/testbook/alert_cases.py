"""Cases 09, 10 and 12: alerts, manual entry, malformed elements.

Of case 09 it is known that it has 15 steps and that each shows an alert's id and text. Twelve are
the four kinds of wrong identifiers in three operations each. The last three are the two alerts on
inactive packs and an attempt to reactivate. A refused reactivation as such raises no alert in the
published lists of these systems, so that one is about an unknown serial number.
"""

from __future__ import annotations

from typing import Final

from pharmacy_client.testbook import changes
from pharmacy_client.testbook.book import (
    MANUAL,
    Actor,
    Ask,
    Case,
    Change,
    Expected,
    PackSpec,
    Setting,
    Step,
)
from pharmacy_client.testbook.single_cases import (
    ACTIVE,
    REACTIVATED,
    SUPPLIED,
    SUPPLIED_ELSEWHERE,
)

# The last three digits tell more where length or format hint at a scanner's fault.
UNKNOWN_SERIAL: Final = Expected(
    codes=("41020001", "41020010", "41020011", "41020012"), alert=True, alert_codes=("#A3",)
)
_WRONG: Final[tuple[tuple[str, str, Change, Expected], ...]] = (
    (
        "A2",
        "unknown batch and serial number",
        changes.unknown_batch_and_serial,
        Expected(codes=("41020002",), alert=True, alert_codes=("#A2",)),
    ),
    ("A3", "unknown serial number", changes.unknown_serial, UNKNOWN_SERIAL),
    (
        "A68",
        "another batch",
        changes.other_batch,
        Expected(
            codes=("41020003", "41020007", "41020008", "41020009"),
            alert=True,
            alert_codes=("#A68",),
        ),
    ),
    (
        "A52",
        "another expiry date",
        changes.other_expiry,
        Expected(codes=("41020005",), alert=True, alert_codes=("#A52",)),
    ),
)
_OPERATIONS: Final = (("Verify", None), ("Supply", "Supplied"), ("Decommission", "Destroyed"))


def build(_: Setting) -> list[Case]:
    """Return the cases."""
    return [_alerts(), _manual_entry(), _invalid_elements()]


def _alerts() -> Case:
    steps = [
        Step(
            text=f"{code}: {verb} with {what}",
            action=Ask(pack="right", state=state, change=change),
            expected=expected,
        )
        for code, what, change, expected in _WRONG
        for verb, state in _OPERATIONS
    ]
    supplied = Ask(pack="supplied", state="Supplied", by=Actor.OTHER)
    steps += [
        Step(
            text="A7: Supply a pack that was supplied at another location",
            prepare=(supplied,),
            action=Ask(pack="supplied", state="Supplied"),
            expected=SUPPLIED_ELSEWHERE,
        ),
        Step(
            text="A24: Decommission that pack",
            follows=True,
            action=Ask(pack="supplied", state="Destroyed"),
            expected=Expected(
                codes=("51320200",), alert=True, alert_codes=("#A24", "#A7"), inferred=True
            ),
        ),
        Step(
            text="A3: Reactivate with unknown serial number",
            action=Ask(pack="right", state="Active", change=changes.unknown_serial),
            expected=UNKNOWN_SERIAL,
        ),
    ]
    packs = {"right": PackSpec(), "supplied": PackSpec()}
    return Case(number="09", name="ALERTS", packs=packs, steps=tuple(steps))


def _manual_entry() -> Case:
    typed = changes.only_code_and_serial
    steps = (
        Step(
            text="Verify by product code and serial number alone",
            action=Ask(pack="a", entry_mode=MANUAL, change=typed),
            expected=ACTIVE,
        ),
        Step(
            text="Verify with batch and expiry date",
            action=Ask(pack="a", entry_mode=MANUAL),
            expected=ACTIVE,
        ),
        Step(
            text="Supply by product code and serial number alone",
            action=Ask(pack="a", state="Supplied", entry_mode=MANUAL, change=typed),
            expected=SUPPLIED,
        ),
        Step(
            text="Reactivate it likewise",
            action=Ask(pack="a", state="Active", entry_mode=MANUAL, change=typed),
            expected=REACTIVATED,
        ),
        Step(
            # Markets tolerate some typing errors before an alert.
            text="Verify with a wrong serial number: not found",
            action=Ask(pack="a", entry_mode=MANUAL, change=changes.unknown_serial_alone),
            expected=Expected(codes=UNKNOWN_SERIAL.codes, alert=None),
        ),
        Step(
            text="Verify a scanned pack without batch: refused",
            action=Ask(pack="a", change=changes.without_batch),
            expected=Expected(codes=("61020000",)),
        ),
        Step(
            text="Verify a scanned pack without expiry date: refused",
            action=Ask(pack="a", change=changes.without_expiry),
            expected=Expected(codes=("61020004",)),
        ),
    )
    return Case(number="10", name="MANUAL_ENTRY", packs={"a": PackSpec()}, steps=steps)


def _invalid_elements() -> Case:
    rows: tuple[tuple[str, Change, str], ...] = (
        ("product code", changes.wrong_check_digit, "61020008"),
        ("serial number", changes.too_long_serial, "61020011"),
        ("batch", changes.forbidden_in_batch, "61020006"),
        ("expiry date", changes.month_thirteen, "61020007"),
    )
    steps = [
        Step(
            text=f"Send a pack with an invalid {what}",
            action=Ask(pack="a", change=change),
            expected=Expected(codes=(code,)),
        )
        for what, change, code in rows
    ]
    for verb, state in (("Verify", None), ("Supply", "Supplied")):
        steps += [
            Step(
                text=f"{verb} without the header on data entry",
                action=Ask(pack="a", state=state, entry_mode=None),
                expected=Expected(codes=("61020012",)),
            ),
            Step(
                text=f"{verb} with an unknown data entry mode",
                action=Ask(pack="a", state=state, entry_mode="2d_two_dimensional_barcode"),
                expected=Expected(codes=("61020013",)),
            ),
        ]
    steps.append(
        Step(
            text="Verify the pack: nothing of all that has changed it",
            action=Ask(pack="a"),
            expected=ACTIVE,
        )
    )
    packs = {"a": PackSpec()}
    return Case(number="12", name="INVALID_GS1_ELEMENTS", packs=packs, steps=tuple(steps))
