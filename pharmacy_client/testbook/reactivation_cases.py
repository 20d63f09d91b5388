"""Cases 07 and 08: one pack reactivated and decommissioned.

Fixed by the known content of the book: reactivation is for less than ten days and the same
location, step 8 of 08 needs a rule of the national organisation, and only wholesalers run 08.
"""

from __future__ import annotations

from typing import Final

from pharmacy_client.testbook.book import (
    Actor,
    Ask,
    Case,
    Expected,
    PackSpec,
    Purpose,
    Role,
    Setting,
    Step,
)
from pharmacy_client.testbook.single_cases import (
    ACTIVE,
    EXPIRED,
    NON_FMD,
    REACTIVATED,
    RECALLED,
    WITHDRAWN,
)

_ELEVEN_DAYS_S: Final = 11 * 86_400


def build(setting: Setting) -> list[Case]:
    """Return the cases."""
    return [_reactivate(), _decommission(setting)]


def _reactivate() -> Case:
    steps = [
        Step(
            text="Reactivate a pack supplied here within ten days",
            prepare=(Ask(pack="own", state="Supplied"),),
            action=Ask(pack="own", state="Active"),
            expected=REACTIVATED,
        ),
        Step(text="Verify it: active", action=Ask(pack="own"), expected=ACTIVE),
        Step(
            text="Reactivate a pack supplied at another location: refused",
            prepare=(Ask(pack="other's", state="Supplied", by=Actor.OTHER),),
            action=Ask(pack="other's", state="Active"),
            expected=Expected(codes=("51420201", "51420001"), inferred=True),
        ),
        Step(
            text="Reactivate an active pack: refused, shown as harmless",
            action=Ask(pack="active", state="Active"),
            expected=Expected(codes=("5142010.",), state="Active"),
        ),
    ]
    for state, number in (("Destroyed", "03"), ("Stolen", "07")):
        steps.append(
            Step(
                text=f"Reactivate a pack set {state} here: never possible",
                prepare=(Ask(pack=state, state=state),),
                action=Ask(pack=state, state="Active"),
                expected=Expected(codes=(f"5142{number}0.",), state=state, inferred=True),
            )
        )
    steps += [
        Step(
            text=f"Reactivate a pack set {state} here",
            prepare=(Ask(pack=state, state=state),),
            action=Ask(pack=state, state="Active"),
            expected=REACTIVATED,
        )
        for state in ("Locked", "Sample", "FreeSample")
    ]
    for pack, number in (("expired", "11"), ("recalled", "10"), ("withdrawn", "12")):
        steps.append(
            Step(
                text=f"Reactivate {'an' if pack[0] == 'e' else 'a'} {pack} pack: refused",
                action=Ask(pack=pack, state="Active"),
                expected=Expected(codes=(f"5142{number}00",), inferred=True),
            )
        )
    steps.append(
        Step(
            text="Reactivate a pack supplied here eleven days ago: refused",
            prepare=(Ask(pack="old", state="Supplied"),),
            advance_s=_ELEVEN_DAYS_S,
            action=Ask(pack="old", state="Active"),
            expected=Expected(codes=("51420200", "51420002"), state="Supplied"),
        )
    )
    names = ("own", "other's", "active", "Destroyed", "Stolen", "Locked", "Sample", "FreeSample")
    packs = dict.fromkeys((*names, "old"), PackSpec())
    packs |= {"expired": EXPIRED, "recalled": RECALLED, "withdrawn": WITHDRAWN}
    return Case(number="07", name="SINGLE_REACTIVATE", packs=packs, steps=tuple(steps))


def _decommission(setting: Setting) -> Case:
    def set_to(pack: str, state: str, text: str, expected: Expected, *prepare: Ask) -> Step:
        return Step(
            text=text, prepare=prepare, action=Ask(pack=pack, state=state), expected=expected
        )

    def done(number: str, state: str) -> Expected:
        return Expected(codes=(f"11310{number}00",), state=state, inferred=True)

    repeat = (
        Expected(codes=("1132030.",), state="Destroyed", inferred=True)
        if setting.rules.other_repeat_tolerance
        else Expected(codes=("51320301",), alert=True, alert_codes=("#A7", "#A24"), inferred=True)
    )
    refused = Expected(codes=("51320200",), alert=True, alert_codes=("#A24",), inferred=True)
    steps = [
        set_to("a", "Destroyed", "Destroy a pack", done("3", "Destroyed")),
        set_to("b", "FreeSample", "Make a pack a free sample", done("8", "FreeSample")),
        set_to("c", "Free Sample", "The same, spelled Free Sample", done("8", "FreeSample")),
        set_to("a", "Destroyed", "Destroy the first one again", repeat),
        set_to(
            "d",
            "Destroyed",
            "Destroy a pack that was supplied at another location: alert",
            refused,
            Ask(pack="d", state="Supplied", by=Actor.OTHER),
        ),
        set_to("e", "Sample", "Make a pack a sample", done("6", "Sample")),
        set_to(
            "expired",
            "Destroyed",
            "Destroy an expired pack: refused, no alert",
            Expected(codes=("51321100",), inferred=True),
        ),
        set_to(
            "non-FMD",
            "Destroyed",
            "Destroy a pack of a product that is not subject to verification",
            NON_FMD,
        ),
        set_to(
            "recalled",
            "Destroyed",
            "Destroy a recalled pack: refused, no alert",
            Expected(codes=("51321000",), inferred=True),
        ),
        set_to(
            "withdrawn",
            "Destroyed",
            "Destroy a withdrawn pack: refused, no alert",
            Expected(codes=("51321200",), inferred=True),
        ),
        set_to("f", "Locked", "Lock a pack", done("4", "Locked")),
        set_to("g", "Stolen", "Report a pack as stolen", done("7", "Stolen")),
    ]
    packs = dict.fromkeys("abcdefg", PackSpec())
    if setting.role is Role.WHOLESALER:
        packs["h"] = PackSpec()
        steps.append(set_to("h", "Exported", "Export a pack", done("5", "Exported")))
    packs |= {"expired": EXPIRED, "recalled": RECALLED, "withdrawn": WITHDRAWN}
    packs["non-FMD"] = PackSpec(Purpose.NON_FMD)
    return Case(
        number="08",
        name="SINGLE_DECOMMISSION",
        packs=packs,
        steps=tuple(steps),
        roles=frozenset({Role.WHOLESALER}),
    )
