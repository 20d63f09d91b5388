"""Cases 05 and 06: one pack verified and supplied; and what other cases expect likewise.

Fixed by the known content of the book: step 7 of 05 needs a rule of the national organisation,
steps 2 and 5 of 06 repeat a supply, step 7 of 06 raises an alert.
"""

from __future__ import annotations

from typing import Final

from pharmacy_client.testbook.book import (
    MANUAL,
    Actor,
    Ask,
    Carrier,
    Case,
    Expected,
    PackSpec,
    Purpose,
    Role,
    Setting,
    Step,
)

ACTIVE: Final = Expected(codes=("11110100",), state="Active")
SUPPLIED: Final = Expected(codes=("11210200",), state="Supplied")
REPEAT_TOLERATED: Final = Expected(codes=("1122020.",), state="Supplied")
SUPPLIED_HERE: Final = Expected(codes=("51220201",), alert=True, alert_codes=("#A7", "#A24"))
SUPPLIED_ELSEWHERE: Final = Expected(codes=("51220200",), alert=True, alert_codes=("#A7", "#A24"))
REACTIVATED: Final = Expected(codes=("11410100",), state="Active")
UNKNOWN_PRODUCT: Final = Expected(codes=("41020000",))
NON_FMD: Final = Expected(codes=("41020004",), inferred=True)

FURTHER_ELEMENTS: Final = "[710]2800123456[11]290115[7004]0500"
"""National number, production date, active potency."""

EXPIRED: Final = PackSpec(Purpose.EXPIRED)
RECALLED: Final = PackSpec(Purpose.RECALLED)
WITHDRAWN: Final = PackSpec(Purpose.WITHDRAWN)

# Wire literal of a state, its number in operation codes, who may set it at another location. Which
# number is which state is certain for 02 only.
_INACTIVE: Final = (
    ("Destroyed", "03", Actor.OTHER),
    ("Locked", "04", Actor.OTHER),
    ("Exported", "05", Actor.WHOLESALER),
    ("Sample", "06", Actor.OTHER),
    ("Stolen", "07", Actor.OTHER),
    ("FreeSample", "08", Actor.OTHER),
)
_NOT_FOR_PHARMACIES: Final = ("Exported",)


def repeated_supply(setting: Setting) -> Expected:
    """What the first repeat of a supply at the same location is answered."""
    return REPEAT_TOLERATED if setting.repeat_limit else SUPPLIED_HERE


def build(setting: Setting) -> list[Case]:
    """Return the cases."""
    return [_verify(setting), _supply(setting)]


def _verify(setting: Setting) -> Case:
    packs = {
        "supplied": PackSpec(),
        "own": PackSpec(),
        "active": PackSpec(),
        "expired": EXPIRED,
        "recalled": RECALLED,
        "withdrawn": WITHDRAWN,
        "non-FMD": PackSpec(Purpose.NON_FMD),
        "unknown": PackSpec(Purpose.UNKNOWN_PRODUCT),
        "foreign": PackSpec(Purpose.INTERMARKET),
        "checked out": PackSpec(Purpose.CHECKED_OUT),
    }
    steps = [
        Step(text="Verify an active pack", action=Ask(pack="active"), expected=ACTIVE),
        Step(
            text="Verify a pack supplied at another location",
            prepare=(Ask(pack="supplied", state="Supplied", by=Actor.OTHER),),
            action=Ask(pack="supplied"),
            expected=Expected(codes=("11110200",), state="Supplied"),
        ),
        Step(
            text="Verify a pack supplied here",
            prepare=(Ask(pack="own", state="Supplied"),),
            action=Ask(pack="own"),
            expected=Expected(codes=("11110201",), state="Supplied"),
        ),
        _verified("expired", "Expired", "11111100"),
        _verified("recalled", "Recalled", "11111000"),
        _verified("withdrawn", "Withdrawn", "11111200"),
        Step(
            text="Verify a pack of a product that is not subject to verification",
            action=Ask(pack="non-FMD"),
            expected=NON_FMD,
        ),
        Step(
            text="Verify an active pack whose symbol has further elements",
            action=Ask(pack="active", carrier=Carrier.SYMBOL, further_elements=FURTHER_ELEMENTS),
            expected=ACTIVE,
        ),
        Step(
            text="Verify a pack of an unknown product: no alert",
            action=Ask(pack="unknown"),
            expected=UNKNOWN_PRODUCT,
        ),
        Step(
            text="Verify a pack of another market",
            action=Ask(pack="foreign"),
            expected=Expected(codes=("11110100",), members={"isIntermarket": True}),
        ),
    ]
    for state, number, actor in _INACTIVE:
        packs[f"{state} elsewhere"] = PackSpec()
        steps.append(_verify_inactive(state, f"1111{number}00", f"{state} elsewhere", actor))
    for state, number, _ in _INACTIVE:
        if setting.role is Role.PHARMACY and state in _NOT_FOR_PHARMACIES:
            continue
        packs[f"{state} here"] = PackSpec()
        steps.append(_verify_inactive(state, f"1111{number}01", f"{state} here", Actor.TESTED))
    steps.append(
        Step(
            text="Verify a pack that was checked out for repackaging",
            action=Ask(pack="checked out"),
            expected=Expected(codes=("11110900",), state="CheckedOut", inferred=True),
        )
    )
    return Case(number="05", name="SINGLE_VERIFY", packs=packs, steps=tuple(steps))


def _verified(pack: str, state: str, code: str) -> Step:
    return Step(
        text=f"Verify {'an' if pack[0] == 'e' else 'a'} {pack} pack",
        action=Ask(pack=pack),
        expected=Expected(codes=(code,), state=state, inferred=True),
    )


def _verify_inactive(state: str, code: str, pack: str, actor: Actor) -> Step:
    where = "here" if actor is Actor.TESTED else "at another location"
    return Step(
        text=f"Verify a pack set {state} {where}",
        prepare=(Ask(pack=pack, state=state, by=actor),),
        action=Ask(pack=pack),
        expected=Expected(codes=(code,), state=state, inferred=True),
    )


def _supply(setting: Setting) -> Case:
    limit = setting.repeat_limit
    first, second = "a pack", "another pack"
    repeat = Ask(pack=first, state="Supplied", times=max(limit, 1))
    steps = (
        Step(
            text="Supply a pack",
            action=Ask(pack=first, state="Supplied"),
            expected=SUPPLIED,
        ),
        Step(
            text=f"Supply it again, inside the limit of {limit}"
            if limit
            else "Supply it again: the market tolerates no repeat",
            action=repeat,
            expected=repeated_supply(setting),
        ),
        Step(
            text="Supply it beyond the limit: alert",
            action=Ask(pack=first, state="Supplied"),
            expected=SUPPLIED_HERE,
        ),
        Step(
            text="Supply another pack, typed in",
            action=Ask(pack=second, state="Supplied", entry_mode=MANUAL),
            expected=SUPPLIED,
        ),
        Step(
            text="Supply that one again",
            action=Ask(pack=second, state="Supplied"),
            expected=repeated_supply(setting),
        ),
        Step(
            text="Supply an expired pack: refused, no alert",
            action=Ask(pack="expired", state="Supplied"),
            expected=Expected(codes=("51221100",), inferred=True),
        ),
        Step(
            text="Supply a pack that was supplied at another location: alert",
            prepare=(Ask(pack="other's", state="Supplied", by=Actor.OTHER),),
            action=Ask(pack="other's", state="Supplied"),
            expected=SUPPLIED_ELSEWHERE,
        ),
        Step(
            text="Supply a recalled pack: refused, no alert",
            action=Ask(pack="recalled", state="Supplied"),
            expected=Expected(codes=("51221000",), inferred=True),
        ),
        Step(
            text="Supply a withdrawn pack: refused, no alert",
            action=Ask(pack="withdrawn", state="Supplied"),
            expected=Expected(codes=("51221200",), inferred=True),
        ),
        Step(
            text="Supply a pack that was destroyed at another location: alert",
            prepare=(Ask(pack="destroyed", state="Destroyed", by=Actor.OTHER),),
            action=Ask(pack="destroyed", state="Supplied"),
            expected=Expected(codes=("51220300",), alert=True, alert_codes=("#A24",)),
        ),
        Step(
            text="Supply a pack of another market",
            action=Ask(pack="foreign", state="Supplied"),
            expected=Expected(codes=("11210200",), members={"isIntermarket": True}),
        ),
        Step(
            text="Supply a pack of an unknown product: no alert",
            action=Ask(pack="unknown", state="Supplied"),
            expected=UNKNOWN_PRODUCT,
        ),
    )
    packs = {
        first: PackSpec(),
        second: PackSpec(),
        "other's": PackSpec(),
        "destroyed": PackSpec(),
        "expired": EXPIRED,
        "recalled": RECALLED,
        "withdrawn": WITHDRAWN,
        "foreign": PackSpec(Purpose.INTERMARKET),
        "unknown": PackSpec(Purpose.UNKNOWN_PRODUCT),
    }
    return Case(number="06", name="SINGLE_SUPPLY", packs=packs, steps=steps)
