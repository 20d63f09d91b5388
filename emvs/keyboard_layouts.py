"""Keyboard layouts as data: what a computer makes of the keys of a scanner set to a US keyboard.

A scanner in keyboard mode sends positions of keys, and the computer reads them by its own layout.
Each layout is written as its keys stand: the plain row and the shifted row, in the order of the
US rows at the top. Nothing is decided here.
Sources: the tables of test data that the national organisations publish for client software
(United Kingdom, German, French, Belgian, Italian); the others are the layouts of the same name as
Windows has them, and agree with the parts of those tables that are public.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

US_PLAIN: Final = "1234567890-=" + "qwertyuiop[]" + "asdfghjkl;'" + "zxcvbnm,./"
US_SHIFTED: Final = "!@#$%^&*()_+" + "QWERTYUIOP{}" + 'ASDFGHJKL:"' + "ZXCVBNM<>?"

# Marks that a keyboard keeps back until the next key; as combining characters of Unicode.
COMBINING: Final = {
    "`": "\u0300",
    "´": "\u0301",
    "΄": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "¨": "\u0308",
    "ˇ": "\u030c",
    "΅": "\u0344",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout: `keys` says what each character of a US keyboard comes out as."""

    name: str
    title: str
    """As users know it."""
    keys: dict[str, str] = field(repr=False)
    dead: frozenset[str]
    """Marks that wait for the next key."""


def _layout(name: str, title: str, plain: str, shifted: str, dead: str = "") -> Layout:
    plain, shifted = plain.replace("  ", ""), shifted.replace("  ", "")
    assert len(plain) == len(US_PLAIN), name
    assert len(shifted) == len(US_SHIFTED), name
    keys = dict(zip(US_PLAIN + US_SHIFTED, plain + shifted, strict=True))
    return Layout(name, title, keys, frozenset(dead))


LAYOUTS: Final = {
    layout.name: layout
    for layout in (
        _layout(
            "uk",
            "United Kingdom or Irish",
            "1234567890-=  qwertyuiop[]  asdfghjkl;'  zxcvbnm,./",
            '!"£$%^&*()_+  QWERTYUIOP{}  ASDFGHJKL:@  ZXCVBNM<>?',
        ),
        _layout(
            "german",
            "German",
            "1234567890ß´  qwertzuiopü+  asdfghjklöä  yxcvbnm,.-",
            '!"§$%&/()=?`  QWERTZUIOPÜ*  ASDFGHJKLÖÄ  YXCVBNM;:_',
            "´`",
        ),
        _layout(
            "swiss",
            "Swiss",
            "1234567890'^  qwertzuiopü¨  asdfghjklöä  yxcvbnm,.-",
            '+"*ç%&/()=?`  QWERTZUIOPè!  ASDFGHJKLéà  YXCVBNM;:_',
            "^`¨",
        ),
        _layout(
            "french",
            "French",
            "&é\"'(-è_çà)=  azertyuiop^$  qsdfghjklmù  wxcvbn,;:!",
            "1234567890°+  AZERTYUIOP¨£  QSDFGHJKLM%  WXCVBN?./§",
            "^¨",
        ),
        _layout(
            "belgian",
            "Belgian",
            "&é\"'(§è!çà)-  azertyuiop^$  qsdfghjklmù  wxcvbn,;:=",
            "1234567890°_  AZERTYUIOP¨*  QSDFGHJKLM%  WXCVBN?./+",
            "^¨",
        ),
        _layout(
            "italian",
            "Italian",
            "1234567890'ì  qwertyuiopè+  asdfghjklòà  zxcvbnm,.-",
            '!"£$%&/()=?^  QWERTYUIOPé*  ASDFGHJKLç°  ZXCVBNM;:_',
        ),
        _layout(
            "spanish",
            "Spanish",
            "1234567890'¡  qwertyuiop`+  asdfghjklñ´  zxcvbnm,.-",
            '!"·$%&/()=?¿  QWERTYUIOP^*  ASDFGHJKLÑ¨  ZXCVBNM;:_',
            "`^´¨",
        ),
        _layout(
            "portuguese",
            "Portuguese",
            "1234567890'«  qwertyuiop+´  asdfghjklçº  zxcvbnm,.-",
            '!"#$%&/()=?»  QWERTYUIOP*`  ASDFGHJKLÇª  ZXCVBNM;:_',
            "´`",
        ),
        _layout(
            "swedish",
            "Swedish or Finnish",
            "1234567890+´  qwertyuiopå¨  asdfghjklöä  zxcvbnm,.-",
            '!"#¤%&/()=?`  QWERTYUIOPÅ^  ASDFGHJKLÖÄ  ZXCVBNM;:_',
            "´`¨^",
        ),
        _layout(
            "danish",
            "Danish",
            "1234567890+´  qwertyuiopå¨  asdfghjklæø  zxcvbnm,.-",
            '!"#¤%&/()=?`  QWERTYUIOPÅ^  ASDFGHJKLÆØ  ZXCVBNM;:_',
            "´`¨^",
        ),
        _layout(
            "norwegian",
            "Norwegian",
            "1234567890+\\  qwertyuiopå¨  asdfghjkløæ  zxcvbnm,.-",
            '!"#¤%&/()=?`  QWERTYUIOPÅ^  ASDFGHJKLØÆ  ZXCVBNM;:_',
            "`¨^",
        ),
        _layout(
            "czech",
            "Czech",
            "+ěščřžýáíé=´  qwertzuiopú)  asdfghjklů§  yxcvbnm,.-",
            '1234567890%ˇ  QWERTZUIOP/(  ASDFGHJKL"!  YXCVBNM?:_',
            "´ˇ",
        ),
        _layout(
            "hungarian",
            "Hungarian",
            "123456789öüó  qwertzuiopőú  asdfghjkléá  yxcvbnm,.-",
            "'\"+!%/=()ÖÜÓ  QWERTZUIOPŐÚ  ASDFGHJKLÉÁ  YXCVBNM?:_",
        ),
        _layout(
            "polish214",
            "Polish (214)",
            "1234567890+'  qwertzuiopżś  asdfghjklłą  yxcvbnm,.-",
            '!"#¤%&/()=?*  QWERTZUIOPńć  ASDFGHJKLŁę  YXCVBNM;:_',
        ),
        _layout(
            "greek",
            "Greek",
            "1234567890-=  ;ςερτυθιοπ[]  ασδφγηξκλ΄'  ζχψωβνμ,./",
            '!@#$%^&*()_+  :΅ΕΡΤΥΘΙΟΠ{}  ΑΣΔΦΓΗΞΚΛ¨"  ΖΧΨΩΒΝΜ<>?',
            "΄΅¨",
        ),
    )
}
"""All layouts known here, by name. Polish (Programmers) and US International need none: what
they change is nothing that a scanner sends."""
