"""Case 11: every character that identifiers may have, and what scanners make of symbols."""

from __future__ import annotations

from typing import Final

from emvs.character_sets import SET_82
from pharmacy_client.testbook.book import (
    Ask,
    Carrier,
    Case,
    PackSpec,
    Setting,
    Spelling,
    Step,
)
from pharmacy_client.testbook.single_cases import ACTIVE, FURTHER_ELEMENTS

_PART_LENGTH: Final = 17
_PARTS: Final = tuple(
    SET_82[start : start + _PART_LENGTH] for start in range(0, len(SET_82), _PART_LENGTH)
)
assert "".join(_PARTS) == SET_82

# Serial number and batch that look like elements of their own. Each ends where FNC1 says.
_AI_LIKE: Final = (
    ("2110ABC17301231", "1021XYZ17290101"),
    ("010952000000000017", "21SERIAL10BATCH"),
    ("7112345671021", "17301231"),
)
_PUNCTUATION: Final = ('A+B/C%D"E?F&G', "%2F+%2B&=1", "//..//+", "?a=b&c=d")


def build(_: Setting) -> list[Case]:
    """Return the case."""
    packs: dict[str, PackSpec] = {}
    steps: list[Step] = []
    for number, part in enumerate(_PARTS):
        packs[f"set 82, {number}"] = PackSpec(
            serial_number=part, batch_id=_PARTS[(number + 1) % len(_PARTS)]
        )
    for number, serial_number in enumerate(_PUNCTUATION):
        packs[f"signs, {number}"] = PackSpec(serial_number=serial_number)
    for spelling in Spelling:
        for name, spec in packs.items():
            steps.append(
                Step(
                    text=f"CS_1: serial number {spec.serial_number} {spelling}",
                    action=Ask(pack=name, spelling=spelling),
                    expected=ACTIVE,
                )
            )
    packs["plain"] = PackSpec()
    steps += [
        Step(
            text="CS_4: a symbol with national number, production date and active potency",
            action=Ask(pack="plain", carrier=Carrier.SYMBOL, further_elements=FURTHER_ELEMENTS),
            expected=ACTIVE,
        ),
        Step(
            text="CS_5: an inverse symbol, light on dark",
            action=Ask(pack="plain", carrier=Carrier.INVERSE_SYMBOL),
            expected=ACTIVE,
        ),
    ]
    for number, (serial_number, batch_id) in enumerate(_AI_LIKE):
        packs[f"AI-like, {number}"] = PackSpec(serial_number=serial_number, batch_id=batch_id)
        steps.append(
            Step(
                text=f"CS_6: serial number {serial_number}, batch {batch_id}",
                action=Ask(pack=f"AI-like, {number}", carrier=Carrier.SYMBOL),
                expected=ACTIVE,
            )
        )
    steps.append(
        Step(
            text="CS_1 to CS_6 with PPN codes",
            skipped="this market has no packs with PPN codes",
        )
    )
    return [Case(number="11", name="CHARACTER_SET", packs=packs, steps=tuple(steps))]
