"""The support and PKI services: password, terms and conditions, certificate of the caller.

What is decided here is only which code an outcome has; passwords and terms are `nmvs.logins`',
certificates `nmvs.certificates`'.
"""

from __future__ import annotations

import base64
from datetime import UTC
from typing import Final, NamedTuple

from emvs.infra.logs import get_logger
from emvs.outcomes import OUTCOMES, Outcome
from nmvs.certificates.registry import Certificates, Problem
from nmvs.certificates.store import Package
from nmvs.logins.registry import ChangeResult, Logins, TermsResult, Visit
from nmvs.recovery import Recovery
from nmvs.soap.catalogue import Shape
from nmvs.soap.codes import report_in
from nmvs.soap.messages import AccountCall
from nmvs.soap.render import escape, render_return_code

_log = get_logger(__name__)


class _Result(NamedTuple):
    """What comes of a call."""

    code: str
    """Without the common prefix."""
    description: str
    content: str = ""
    """XML that stands before the return code."""


_SUCCESS: Final = _Result("SUCCESS", "Successfully processed.")
_UNAVAILABLE: Final = _Result("TE_REQ_01", OUTCOMES[Outcome.UNAVAILABLE].text)

_CHANGED: Final = {
    ChangeResult.DONE: _SUCCESS,
    ChangeResult.ALREADY_REPLACED: _Result(
        "FE_AU_24", "Password not changed: a new one was already assigned"
    ),
    ChangeResult.CURRENT_WRONG: _Result(
        "FE_AU_10", "Password not changed: the current one is wrong"
    ),
    ChangeResult.SAME: _Result("FE_PMS_02", "Password not changed: the new one is the current one"),
    ChangeResult.USED_BEFORE: _Result(
        "FE_PMS_03", "Password not changed: the new one was used before"
    ),
    ChangeResult.TOO_SIMPLE: _Result(
        "FE_PMS_04",
        "Password not changed: it is too short, or lacks a lower-case letter, an upper-case"
        " letter, a digit or a special character",
    ),
    ChangeResult.OVERLOADED: _Result("TE_TX_03", OUTCOMES[Outcome.OVERLOADED].text),
}
_ACCEPTED: Final = {
    TermsResult.DONE: _SUCCESS,
    TermsResult.ALREADY_ACCEPTED: _Result("NC_PMS_23", "These terms are already confirmed"),
    TermsResult.UNKNOWN: _Result("NC_PMS_24", "There are no such terms on file"),
}
assert _CHANGED.keys() == set(ChangeResult), "must be total"
assert _ACCEPTED.keys() == set(TermsResult), "must be total"

# Our choice: nothing public says which code goes with a certificate that is no good here.
_NO_CERTIFICATE: Final = {
    Problem.EXPIRED: _Result("FE_PKI_01", "The certificate is past its maximum life"),
    Problem.NOTHING_WAITS: _Result("FE_PKI_07", "No new certificate waits for this user"),
}
_NONE_VALID: Final = _Result(
    "FE_PKI_06", "Without a TAN a valid certificate of this client is needed"
)


class Accounts:
    """Answers calls about the login itself."""

    def __init__(self, logins: Logins, certificates: Certificates) -> None:
        self._logins = logins
        self._certificates = certificates

    async def answer(self, call: AccountCall, visit: Visit, fingerprint: bytes | None) -> str:
        """Return the content of the reply's body. `fingerprint`: of the certificate that was
        shown, None if none was."""
        try:
            result = await self._answer(call, visit, fingerprint)
        except Recovery.TROUBLE as error:
            _log.warning("account not changed", action="account_failed", error=repr(error))
            result = _UNAVAILABLE
        told = report_in(call.endpoint.version, result.code, result.description)
        return result.content + render_return_code(*told)

    async def _answer(self, call: AccountCall, visit: Visit, fingerprint: bytes | None) -> _Result:
        shape = call.endpoint.row.shape
        if shape is Shape.CHANGE_PASSWORD:
            current, new = call.values
            changed = await self._logins.change_password(visit, call.password, current, new)
            return _CHANGED[changed]
        if shape is Shape.LOAD_TERMS:
            return self._load_terms(visit)
        if shape is Shape.CONFIRM_TERMS:
            return _ACCEPTED[await self._logins.accept_terms(visit, int(call.values[0]))]
        assert shape is Shape.CERTIFICATE, "no other shape is about an account"
        tan = call.values[0] if call.values else ""
        return await self._hand_out(visit, tan, fingerprint)

    def _load_terms(self, visit: Visit) -> _Result:
        terms = self._logins.terms.newest
        if terms is None:
            return _ACCEPTED[TermsResult.UNKNOWN]
        is_accepted = terms.version <= visit.login.stored.state.accepted_version
        starts_at = terms.starts_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _SUCCESS._replace(
            content=f"<ns1:TermsAndConditions><ns1:Version>{terms.version}</ns1:Version>"
            f"<ns1:Text>{escape(terms.content)}</ns1:Text>"
            f"<ns1:StartDate>{starts_at}</ns1:StartDate>"
            f"<ns1:AcceptedByUser>{str(is_accepted).lower()}</ns1:AcceptedByUser>"
            "</ns1:TermsAndConditions>"
        )

    async def _hand_out(self, visit: Visit, tan: str, fingerprint: bytes | None) -> _Result:
        """Hand out the certificate that waits under a TAN, or the successor of the one shown.

        Under a good certificate a TAN that fits nothing is as good as none: there a client may be
        made to send one by its software (inferred).
        """
        client, user = visit.login.stored[:2]
        found: Package | Problem = Problem.NOTHING_WAITS
        if tan:
            found = await self._certificates.fetch_by_tan(client, tan)
        if found is Problem.NOTHING_WAITS:
            problem = self._problem(client, fingerprint)
            if problem is None:
                found = await self._certificates.fetch_successor(client, fingerprint)
            elif not tan:
                found = problem
        if isinstance(found, Problem):
            return _NO_CERTIFICATE.get(found, _NONE_VALID)
        return _SUCCESS._replace(
            content=f'<ns1:Cert ns1:name="{client}.{user}.p12"'
            f' ns1:passphrase="{escape(found.passphrase)}">'
            f"{base64.b64encode(found.content).decode()}</ns1:Cert>"
        )

    def _problem(self, client: str, fingerprint: bytes | None) -> Problem | None:
        """Return why the certificate that was shown does not count for this client."""
        problem = self._certificates.problem(fingerprint)
        if problem is None and fingerprint is not None:
            is_own = self._certificates.client_of(fingerprint) == client
            return None if is_own else Problem.UNKNOWN
        return problem
