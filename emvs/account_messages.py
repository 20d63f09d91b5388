"""What an organisation and the EU Hub say about who is who: tokens, accounts, subscriptions.

Message types are the published ones (`RGST`, `RSST`, `ORGR`, `CLIR`, `SBRS`); their members are
ours, as the real hub's schema is not public. `POST {hub}/obp/v1/{message type}`. No rule here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emvs.obp_messages import PostalOrganisation

# ruff: noqa: N815 - these are the names on the wire.


@dataclass(slots=True)
class TokenMessage:
    """`RGST` registers the initial token that the request shows; `RSST` resets a session token."""

    transactionId: str


@dataclass(slots=True)
class SessionToken:
    """Answer to `RGST` and `RSST`: what the client shows from now on."""

    transactionId: str
    sessionToken: str
    endsAt: str


@dataclass(slots=True)
class OrganisationMessage:
    """`ORGR`: the account of the sender's organisation, in place of the earlier one."""

    transactionId: str
    name: str | None = None
    address: PostalOrganisation | None = None
    contactEmail: str | None = None
    marketingAuthorisationHolders: list[str] = field(default_factory=list)
    """Names of the holders it uploads for: those of its own corporate structure. Once there are
    some, master data that names another one is invalid (rule `other_holder`)."""


@dataclass(slots=True)
class OrganisationAccount:
    """Answer to `ORGR` and to `GET /obp/v1/organisation`."""

    organisationId: str
    kind: str
    name: str
    address: PostalOrganisation | None = None
    contactEmail: str | None = None
    marketingAuthorisationHolders: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ClientMessage:
    """`CLIR`: a client account of the sender's organisation."""

    transactionId: str
    clientId: str | None = None
    action: str | None = None
    """`create`, `newToken` (a new initial token), `suspend` or `resume`."""
    name: str | None = None


@dataclass(slots=True)
class ClientAccount:
    """A client of an organisation."""

    organisationId: str
    clientId: str
    name: str
    status: str
    """`Active` or `Suspended`."""
    initialToken: str | None = None
    """Told by `create` and `newToken` alone; to be registered (`RGST`) before `endsAt`."""
    endsAt: str | None = None


@dataclass(slots=True)
class ReportingMessage:
    """`SBRS`: which kinds of reports are announced by callback once they are made."""

    transactionId: str
    reportTypes: list[str] = field(default_factory=list)
    """None: no announcement."""


@dataclass(slots=True)
class ReportingSubscription:
    """Answer to `SBRS`."""

    transactionId: str
    reportTypes: list[str]


@dataclass(slots=True)
class CertificateRequest:
    """Body of `POST /obp/v1/certificates`."""

    certificateRequest: str
    """PKCS#10 as PEM. Of its content only the public key is used."""


@dataclass(slots=True)
class ClientCertificate:
    """A client's certificate."""

    fingerprint: str
    """SHA-256, hexadecimal."""
    organisationId: str
    clientId: str
    startsAt: str
    endsAt: str
    status: str
    """`Valid`, `Expired` or `Revoked`."""
    certificate: str
    """PEM."""
