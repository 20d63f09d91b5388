"""Which language a client is answered in (RFC 9110, 12.5.4).

What it asks for, else the market's, else English; only languages with a table of texts count.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from nmvs.rest.texts import TEXTS

ENGLISH: Final = "en"
_HEADER_LENGTH_MAX: Final = 200
"""A browser's has some 50 characters; of a longer one the rest is not read (our choice)."""


def language_of(locale: str) -> str:
    """Return the language of texts for a locale such as `sv-SE`, English if there is none."""
    language = locale.split("-", maxsplit=1)[0].lower()
    return language if language in TEXTS else ENGLISH


@lru_cache(maxsize=1024)
def choose_language(accepted: str, fallback: str) -> str:
    """Return the language that an Accept-Language header prefers among ours, or `fallback`."""
    best, best_weight = fallback, 0.0
    for part in accepted[:_HEADER_LENGTH_MAX].split(","):
        tag, _, parameter = part.partition(";")
        language = tag.strip().split("-")[0].split("_")[0].lower()
        weight = _weight(parameter)
        if language == "*":
            language = fallback
        if language in TEXTS and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
