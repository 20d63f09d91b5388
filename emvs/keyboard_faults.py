"""What keyboard layouts and Caps Lock do to a scan, and what the scan can have been.

The symbology identifier that begins a scan is the tell-tale: a layout that changes it has changed
letters and symbols behind it as well. Here a damaged text is named and turned into all texts it can
have been; whether one of them is certain is scan.py's to say, from check digits and elements.
"""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

from emvs.character_sets import SET_82
from emvs.keyboard_layouts import COMBINING, LAYOUTS, Layout

GROUP_SEPARATOR: Final = "\x1d"
_IDENTIFIERS: Final = ("]d2", "]d1")
# What a scanner can have sent: values, and the brackets of identifiers and envelopes.
_SENT: Final = SET_82 + "[]"
_FOREIGN_SCRIPTS: Final = ("GREEK", "CYRILLIC")

SAME_KEYBOARD_ADVICE: Final = "Set scanner and computer to the same keyboard"
CAPS_LOCK_ADVICE: Final = "Switch Caps Lock off"
CASE_ADVICE: Final = "Switch Caps Lock and the scanner's own change of case off"


class KeyboardFault(NamedTuple):
    """What has happened to a scan."""

    sentence: str
    """Without capital and full stop."""
    advice: str
    """Without full stop: whether to scan again afterwards depends on what comes of the scan."""
    candidates: tuple[str, ...] = ()
    """All texts that the scanner can have sent. Empty if they cannot be counted."""


def type_through(layout: Layout, text: str, separator: str = "") -> str:
    """Return what a computer with this layout makes of a scan from a US keyboard.

    `separator` is what becomes of group separators: most computers drop them.
    """
    received: list[str] = []
    waiting = ""
    for character in text.replace(GROUP_SEPARATOR, separator):
        key = layout.keys.get(character, character)
        if waiting:
            composed = unicodedata.normalize("NFC", key + COMBINING[waiting])
            received.append(composed if len(composed) == 1 else waiting + key)
            waiting = ""
        elif key in layout.dead:
            waiting = key
        else:
            received.append(key)
    # The end of line that a scanner sends brings out what still waits.
    return "".join(received) + waiting


def diagnose(text: str) -> KeyboardFault | None:
    """Return what a keyboard has done to this scan; None if nothing shows."""
    head = text[:3]
    if head in _IDENTIFIERS:
        return None if text.isascii() else _diagnose_letters(text)
    if text.isascii() and head[:2].isdigit():
        return None
    if head in ("]D1", "]D2"):
        return _diagnose_case(text)
    layouts = [layout for prefix, layout in _PREFIXES if text.startswith(prefix)]
    if layouts:
        return KeyboardFault(_blame(layouts), SAME_KEYBOARD_ADVICE, _undo_all(layouts, text))
    layouts = [layout for prefix, layout in _PREFIXES if text.startswith(prefix.upper())]
    if layouts:
        return KeyboardFault(f"Caps Lock is on, and {_blame(layouts)}", CAPS_LOCK_ADVICE)
    return None if text.isascii() else _diagnose_letters(text)


def _diagnose_case(text: str) -> KeyboardFault:
    rest = text[3:]
    if not text.isascii():
        return KeyboardFault("Caps Lock is on", CAPS_LOCK_ADVICE)
    if any(character.islower() for character in rest):
        # Something that makes capitals of all letters would have left no small ones.
        return KeyboardFault("Caps Lock is on", CAPS_LOCK_ADVICE, (text.swapcase(),))
    if any(character.isupper() for character in rest):
        return KeyboardFault(
            "Caps Lock is on, or the scanner sends capitals only; which letters were small"
            " can't be told",
            CASE_ADVICE,
        )
    return KeyboardFault("Caps Lock is on", CAPS_LOCK_ADVICE, (text.swapcase(),))


def _diagnose_letters(text: str) -> KeyboardFault | None:
    """Judge a text without a tell-tale: by its first digits, or by letters no pack can have."""
    layouts = [layout for prefix, layout in _FIRST_DIGITS if text.startswith(prefix)]
    if layouts:
        return KeyboardFault(_blame(layouts), SAME_KEYBOARD_ADVICE)
    for character in text:
        if not character.isascii():
            script = unicodedata.name(character, "").split(" ")[0]
            if script in _FOREIGN_SCRIPTS:
                return KeyboardFault(
                    f"it has {script.capitalize()} letters, so the computer's keyboard layout is"
                    f" {script.capitalize()}, the scanner's is not",
                    SAME_KEYBOARD_ADVICE,
                )
    return None


def _undo_all(layouts: list[Layout], text: str) -> tuple[str, ...]:
    candidates: set[str] = set()
    for layout in layouts:
        undone, is_possible = _undo(layout, text)
        if undone is not None:
            candidates.add(undone)
        elif is_possible:
            return ()
    return tuple(sorted(candidates))


def _undo(layout: Layout, text: str) -> tuple[str | None, bool]:
    """Return what was sent, None if that is not certain; and whether it is possible at all."""
    ways = _WAYS_BACK[layout.name]
    sent: list[str] = []
    is_certain = True
    for character in text:
        if character < "!":
            sent.append(character)
            continue
        found = ways.get(character, "")
        if _may_have_waited(layout, character):
            is_certain = False
        elif len(found) == 1:
            sent.append(found)
        elif found:
            is_certain = False
        else:
            return None, False
    return ("".join(sent) if is_certain else None), True


def _may_have_waited(layout: Layout, character: str) -> bool:
    """Tell whether a mark that waited for the next key can be part of this character.

    Only marks on keys of values count. Czech has such letters for digits, too: nothing that comes
    through it is certain.
    """
    marks = _WAITING[layout.name]
    if character in marks:
        return True
    if character.isascii():
        return False
    decomposed = unicodedata.normalize("NFD", character)
    return any(COMBINING[mark] in decomposed[1:] for mark in marks)


def _ways_back(layout: Layout) -> dict[str, str]:
    """Return, for each character that may arrive, all that the scanner can have sent."""
    ways: dict[str, str] = {}
    for character in _SENT:
        received = layout.keys.get(character, character)
        if received not in layout.dead:
            ways[received] = ways.get(received, "") + character
    return ways


def _blame(layouts: list[Layout]) -> str:
    titles = list(dict.fromkeys(layout.title for layout in layouts))
    named = ", ".join(titles[:-1]) + " or " + titles[-1] if len(titles) > 1 else titles[0]
    return f"the computer's keyboard layout is {named}, the scanner's is not"


_WAITING: Final = {
    name: frozenset(layout.keys.get(key, key) for key in SET_82) & layout.dead
    for name, layout in LAYOUTS.items()
}
_WAYS_BACK: Final = {name: _ways_back(layout) for name, layout in LAYOUTS.items()}
_PREFIXES: Final = tuple(
    (prefix, layout)
    for layout in LAYOUTS.values()
    for identifier in _IDENTIFIERS
    if (prefix := type_through(layout, identifier)) != identifier
)
_FIRST_DIGITS: Final = tuple(
    (prefix, layout)
    for layout in LAYOUTS.values()
    if not (prefix := type_through(layout, "01")).isascii()
)
