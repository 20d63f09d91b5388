"""Messages of a form met before, read without parsing them again.

A till's software sends the same text each time but for a dozen values. When such a message has been
parsed, has passed the schema and its login is good, its text with gaps for the values is kept: its
form. A later message that is the form to the letter, with values in the gaps that hold no markup
and fit the schema's types, is the same tree with other values: XML 1.0 knows no way in which such a
value could change what is around it. So it needs no parser and no schema. Any doubt, and the
message is read as usual: the gaps take less than the schema does, never more.

The number of forms is bounded, and so is how often one is learnt, because there is software that
writes a new text each time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

from nmvs.soap.catalogue import VERSIONS, Endpoint
from nmvs.soap.messages import Frame, PackCall

FORMS_MAX: Final = 256
"""Some 5 kB each; software, version and operation make a form of their own (our choice)."""
FORMS_PER_HEAD_MAX: Final = 16
"""Forms that are alike up to their first value, tried one after the other (our choice)."""
LEARN_PAUSE_S: Final = 0.5
"""Learning takes as long as some ten messages (our choice)."""
MESSAGE_BYTES_MAX: Final = 8_192
"""Longer messages are read as usual (our choice)."""

_MARKS: Final = (b"MessageID", b"ClientLoginId")
"""Where the first value comes: WS-Addressing has a new identifier in each message."""
_DECLARATION: Final = re.compile(
    r"<\?xml version=[\"']1\.0[\"'](?: encoding=[\"'](?i:utf-8)[\"'])?"
    r"(?: standalone=[\"'](?:yes|no)[\"'])? ?\?>"
)
_START_TAG: Final = re.compile(r"<([A-Za-z_][\w.:-]*)((?:\"[^\"<]*\"|'[^'<]*'|[^<>\"'])*)>")
_ATTRIBUTE: Final = re.compile(r"\s([A-Za-z_][\w.:-]*)\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")

# As in the definitions, less what XML treats as markup, in attributes both quotes too. The
# quantifiers give nothing back, as what follows a gap can never be in it.
_NAME: Final = "([A-Za-z0-9-]{%s}+)"
_TEXT: Final = "([!-%%'-;=?-~]{%s}+)"
_GAPS: Final = {
    "MessageID": _TEXT % "1,100",
    "ClientLoginId": _NAME % "1,32",
    "UserId": _NAME % "4,20",
    "Password": _TEXT % "8,60",
    "SubUserId": _TEXT % "1,35",
    "ClientTrxId": _NAME % "8,32",
    "Language": "([A-Za-z]{3})",
    "scheme": "(GTIN|PPN)",
    "ProductCode": "([A-Za-z0-9]{1,22}+)",
    "NHRN": _TEXT % "1,50",
    "Id": "([!\"%'-;=?A-Z_a-z]{1,20}+)",
    "ExpDate": "([0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01]))",
    "sn": "([!%(-;=?A-Z_a-z]{1,20}+)",
    "RefClientTrxId": _NAME % "8,32",
}
"""By the local name of the element or attribute, in the newest version."""
_GAPS_OF: Final = dict.fromkeys(VERSIONS, _GAPS) | {
    2: _GAPS
    | {
        "ClientLoginId": _NAME % "1,20",
        "SubUserId": _TEXT % "1,255",
        "ClientTrxId": _NAME % "1,32",
        "ProductCode": "([0-9]{12,22}+)",
        "RefClientTrxId": _NAME % "1,32",
    }
}
_ATTRIBUTE_OF: Final = {"ProductCode": "scheme", "Pack": "sn"}
_READ_IN_ORDER: Final = (
    *("ClientLoginId", "UserId", "SubUserId", "ClientTrxId", "Language"),
    *("Password", "scheme", "ProductCode", "sn", "Id", "ExpDate", "RefClientTrxId"),
)
"""As frame and call have them."""


class _Gap(NamedTuple):
    name: str
    start: int
    end: int


class _Form:
    """One text with gaps."""

    __slots__ = ("choose", "endpoint", "head", "is_used", "match")

    def __init__(self, endpoint: Endpoint, head: bytes, text: str, gaps: list[_Gap]) -> None:
        self.endpoint = endpoint
        self.head = head
        values = _GAPS_OF[endpoint.version.number]
        pattern: list[str] = []
        at = 0
        for gap in gaps:
            pattern += re.escape(text[at : gap.start]), values[gap.name]
            at = gap.end
        self.match = re.compile("".join(pattern) + re.escape(text[at:])).fullmatch
        names = [gap.name for gap in gaps]
        # What is absent is found at the end, where there is None.
        places = [names.index(name) if name in names else -1 for name in _READ_IN_ORDER]
        self.choose: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(*places)
        self.is_used = False

    def read(self, text: str) -> PackCall | None:
        """Return the call that a message of this form makes, None if it is of another."""
        found = self.match(text)
        if found is None:
            return None
        (
            login,
            user,
            sub_user,
            transaction,
            language,
            password,
            scheme,
            product_code,
            serial,
            batch_id,
            expiry,
            reference,
        ) = self.choose((*found.groups(), None))
        return PackCall(
            self.endpoint,
            Frame(login, user, sub_user, transaction, language),
            password,
            scheme,
            product_code,
            serial,
            batch_id,
            expiry,
            reference,
        )


class KnownForms:
    """The forms met so far."""

    def __init__(self, learn_pause_s: float = LEARN_PAUSE_S) -> None:
        self._learn_pause_s = learn_pause_s
        self._learnt_at_s = -learn_pause_s
        self._by_head: dict[bytes, list[_Form]] = {}
        self._forms: list[_Form] = []

    def __len__(self) -> int:
        return len(self._forms)

    def read(self, message: bytes) -> PackCall | None:
        """Return the call of a message whose form is known, None if it must be parsed."""
        forms = self._by_head.get(_head(message))
        if forms is None:
            return None
        try:
            text = message.decode()
        except UnicodeDecodeError:
            return None
        for form in forms:
            call = form.read(text)
            if call is not None:
                form.is_used = True
                return call
        return None

    def learn(self, message: bytes, call: PackCall) -> None:
        """Keep the form of a message that was parsed, and made this call with a good login."""
        now_s = time.monotonic()
        if now_s - self._learnt_at_s < self._learn_pause_s or len(message) > MESSAGE_BYTES_MAX:
            return
        self._learnt_at_s = now_s
        try:
            text = message.decode()
        except UnicodeDecodeError:
            return
        gaps = _find_gaps(text)
        if gaps is None:
            return
        head = _head(message)
        form = _Form(call.endpoint, head, text, gaps)
        if form.read(text) != call:  # Nothing is certain then.
            return
        alike = self._by_head.get(head, [])
        if len(alike) >= FORMS_PER_HEAD_MAX:
            self._forget(alike)
        elif len(self._forms) >= FORMS_MAX:
            self._forget(self._forms)
        self._by_head.setdefault(head, []).append(form)
        self._forms.append(form)

    def _forget(self, forms: list[_Form]) -> None:
        """Forget the oldest of these that was not used since the last time, or else the oldest."""
        chosen = next((form for form in forms if not form.is_used), forms[0])
        for form in forms:
            form.is_used = False
        self._forms.remove(chosen)
        alike = self._by_head[chosen.head]
        alike.remove(chosen)
        if not alike:
            del self._by_head[chosen.head]


def _head(message: bytes) -> bytes:
    at = message.find(_MARKS[0])
    return message[: at if at >= 0 else message.find(_MARKS[1])]


def _find_gaps(text: str) -> list[_Gap] | None:
    """Return where the values of a well-formed message stand; None if that is not plain to see."""
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    declared = _DECLARATION.match(text, start)
    if declared is not None:
        start = declared.end()
    # Only elements and text in UTF-8: no comments, instructions or literal sections.
    if "<!" in text or "<?" in text[start:]:
        return None
    gaps: list[_Gap] = []
    for tag in _START_TAG.finditer(text, start):
        name = tag[1].rpartition(":")[2]
        if name in _ATTRIBUTE_OF:
            gaps += _attribute_gaps(tag, _ATTRIBUTE_OF[name])
        if name in _GAPS and not tag[2].endswith("/"):
            gaps.append(_Gap(name, tag.end(), text.find("<", tag.end())))
    names = [gap.name for gap in gaps]
    return gaps if gaps and len(set(names)) == len(names) else None


def _attribute_gaps(tag: re.Match[str], wanted: str) -> Iterator[_Gap]:
    for attribute in _ATTRIBUTE.finditer(tag[0]):
        prefix, _, name = attribute[1].rpartition(":")
        if name == wanted and prefix != "xmlns":
            group = 2 if attribute[2] is not None else 3
            start, end = attribute.span(group)
            yield _Gap(wanted, tag.start() + start, tag.start() + end)
