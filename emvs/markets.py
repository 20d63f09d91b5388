"""The markets of the European system as data: one row each, overridable by configuration.

Dialects are those a public integrator lists per country; where a country has moved or has an
interface of its own the row says so. A dialect is data that changes: Finland has moved from one
supplier to the other, so any market can be started with either or both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from emvs.rules import AlertWhen, AlreadyInStateCode, MarketRules


class Dialect(StrEnum):
    """Wire interface of a national system."""

    SOAP = "soap"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Market:
    """One market."""

    code: str
    """ISO 3166 alpha-2."""
    name: str
    dialect: Dialect
    language: str
    """ISO 639-3, as the SOAP interface wants it."""
    locale: str
    """IETF tag, as HTTP wants it."""
    time_zone: str
    system: str
    """Market whose national system serves this one; itself unless two markets share one."""
    national_number: str | None
    """GS1 application identifier of a national number beside the product code, if one is used."""
    rules: MarketRules = field(default_factory=MarketRules)


# Rules that a public source gives for one market; everything else has the defaults.
_RULES: Final = {
    # Estonian alert descriptions of 2020.
    "EE": MarketRules(already_in_state_code=AlreadyInStateCode.A24),
    # Finnish guideline: the notice is given thrice; a refused undo alerts through intermarket only.
    "FI": MarketRules(supply_repeat_tolerance=3, undo_elsewhere_alerts=AlertWhen.INTERMARKET),
    "GR": MarketRules(supply_repeat_tolerance=1),  # Greek test book: the limit may be one or none.
}

# code  name  dialect  language  locale  time zone  system  AI of the national number
_ROWS: Final = """
AT Austria         soap deu de-AT Europe/Vienna     AT -
BE Belgium         soap nld nl-BE Europe/Brussels   BE -
BG Bulgaria        rest bul bg-BG Europe/Sofia      BG -
CH Switzerland     rest deu de-CH Europe/Zurich     CH -
CY Cyprus          soap ell el-CY Asia/Nicosia      CY -
CZ Czechia         rest ces cs-CZ Europe/Prague     CZ -
DE Germany         soap deu de-DE Europe/Berlin     DE 710
DK Denmark         rest dan da-DK Europe/Copenhagen DK -
EE Estonia         soap est et-EE Europe/Tallinn    EE -
ES Spain           soap spa es-ES Europe/Madrid     ES 712
FI Finland         rest fin fi-FI Europe/Helsinki   FI -
FR France          soap fra fr-FR Europe/Paris      FR 711
GR Greece          rest ell el-GR Europe/Athens     GR -
HR Croatia         rest hrv hr-HR Europe/Zagreb     HR -
HU Hungary         soap hun hu-HU Europe/Budapest   HU -
IE Ireland         rest eng en-IE Europe/Dublin     IE -
IS Iceland         rest isl is-IS Atlantic/Reykjavik IS -
IT Italy           soap ita it-IT Europe/Rome       IT 716
LI Liechtenstein   rest deu de-LI Europe/Vaduz      CH -
LT Lithuania       rest lit lt-LT Europe/Vilnius    LT -
LU Luxembourg      soap fra fr-LU Europe/Luxembourg BE -
LV Latvia          soap lav lv-LV Europe/Riga       LV -
MT Malta           soap eng en-MT Europe/Malta      MT -
NL Netherlands     soap nld nl-NL Europe/Amsterdam  NL -
NO Norway          soap nob nb-NO Europe/Oslo       NO -
PL Poland          soap pol pl-PL Europe/Warsaw     PL -
PT Portugal        soap por pt-PT Europe/Lisbon     PT 714
RO Romania         soap ron ro-RO Europe/Bucharest  RO -
SE Sweden          rest swe sv-SE Europe/Stockholm  SE -
SI Slovenia        soap slv sl-SI Europe/Ljubljana  SI -
SK Slovakia        rest slk sk-SK Europe/Bratislava SK -
"""
# Not from the list: Germany has an interface of its own and Italy's is not public; both get the
# SOAP dialect (our choice). Finland and Greece are on the REST dialect since 2023 and 2025.


def _read_rows(text: str) -> dict[str, Market]:
    markets: dict[str, Market] = {}
    for line in text.strip().splitlines():
        code, name, dialect, language, locale, zone, system, number = line.split()
        markets[code] = Market(
            code=code,
            name=name,
            dialect=Dialect(dialect),
            language=language,
            locale=locale,
            time_zone=zone,
            system=system,
            national_number=None if number == "-" else number,
            rules=_RULES.get(code, MarketRules()),
        )
    return markets


MARKETS: Final[dict[str, Market]] = _read_rows(_ROWS)
