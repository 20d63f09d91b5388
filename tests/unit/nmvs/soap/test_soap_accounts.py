"""Messages about the login itself: literal bytes, versions, and what the schema refuses."""

from __future__ import annotations

import pytest
from lxml import etree

from emvs.login_rules import Duty, Notice, NoticeKind
from nmvs.soap.catalogue import NEWEST, OPERATIONS, VERSIONS, Version
from nmvs.soap.codes import code_in, notification_codes
from nmvs.soap.logins import PASSES, render_notices
from nmvs.soap.messages import AccountCall
from nmvs.soap.render import render_reply, render_return_code
from tests.unit.nmvs.soap.soap_messages import assert_fits, changed, read, refusal, vector

ID = "0123456789abcdef0123456789abcdef"
AT_MS = 1_772_442_927_007  # 2026-03-02 09:15:27.007 UTC


def account_call(message: bytes) -> AccountCall:
    call = read(message)
    assert isinstance(call, AccountCall), call
    return call


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("g445-request", ("Demo-Pass-1", "Demo-Pass-2&")),
        ("g482-request-header-only", ()),
        ("g483-request", ("3",)),
        ("g615-request", ("Tan-4711-abcd",)),
        ("g615-request-empty-tan", ("",)),
    ],
)
def test_requests(name: str, values: tuple[str, ...], version: int) -> None:
    call = account_call(vector(name, version=version))
    assert call.endpoint.row.name == name[:4].upper()
    assert call.endpoint.version.number == version
    assert (call.frame.client_login_id, call.frame.user_id) == ("PHARMACY00001", "USER0001")
    assert call.frame.client_transaction_id == "SUPPORT-0001"
    assert (call.password, call.values) == ("Demo-Pass-1", values)


def test_a_sub_user_moves_nothing_out_of_place() -> None:
    sub_user = "</y:Password><y:SubUserId>Till &lt;4&gt;</y:SubUserId></y:Auth>"
    plain = vector("g445-request").decode()
    at = plain.index("</y:Password>")
    end = plain.index("</y:Auth>") + len("</y:Auth>")
    call = account_call((plain[:at] + sub_user + plain[end:]).encode())
    assert call.frame.sub_user_id == "Till <4>"
    assert call.values == ("Demo-Pass-1", "Demo-Pass-2&")


@pytest.mark.parametrize("body", ["", "<y:Body/>", "<y:Body><y:Tan></y:Tan></y:Body>"])
def test_without_a_tan(body: str) -> None:
    plain = vector("g615-request").decode()
    start, end = plain.index("<y:Body>"), plain.index("</y:Body>") + len("</y:Body>")
    call = account_call((plain[:start] + body + plain[end:]).encode())
    assert call.values in ((), ("",))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("g445-request", "Demo-Pass-2&amp;", "short"),
        ("g445-request", "Demo-Pass-2&amp;", "x" * 61),
        ("g483-request", ">3<", ">0<"),
        ("g483-request", ">3<", ">-1<"),
        ("g483-request", ">3<", ">3.0<"),
        ("g483-request", ">3<", f">{10**9}<"),
        ("g483-request", ">3<", "><"),
        ("g615-request", "Tan-4711-abcd", "short"),
        ("g615-request", "Tan-4711-abcd", "x" * 61),
    ],
)
def test_what_does_not_fit_the_schema(name: str, old: str, new: str) -> None:
    assert refusal(changed(old, new, name=name)).code == "TE_XM_02"


def test_a_sub_user_that_is_too_long_has_a_code_of_its_own() -> None:
    def with_sub_user(text: str) -> bytes:
        login = "</y:Password>\n        </y:Auth>"
        return changed(login, f"</y:Password><y:SubUserId>{text}</y:SubUserId></y:Auth>")

    refused = refusal(with_sub_user(36 * "x"))
    assert refused.code == "FE_TX_06"
    assert refused.description == "SubUserId has more than 35 characters"
    assert refusal(with_sub_user("")).code == "TE_XM_02"
    assert not hasattr(read(with_sub_user(35 * "x")), "code")
    other = changed("USER0001", 36 * "x")
    assert refusal(other).code == "TE_XM_02"


def reply(name: str, content: str, notices: tuple[Notice, ...] = ()) -> bytes:
    call = account_call(vector(name))
    return render_reply(
        call.endpoint,
        call.frame,
        ID,
        AT_MS,
        content=content + render_return_code("SUCCESS", "Successfully processed."),
        notifications=render_notices(notices, NEWEST),
    )


def test_the_replies_are_to_the_letter() -> None:
    terms = reply(
        "g482-request-header-only",
        "<ns1:TermsAndConditions><ns1:Version>3</ns1:Version>"
        "<ns1:Text>Be careful &amp; kind.</ns1:Text>"
        "<ns1:StartDate>2026-03-15T00:00:00Z</ns1:StartDate>"
        "<ns1:AcceptedByUser>false</ns1:AcceptedByUser></ns1:TermsAndConditions>",
        (Notice(NoticeKind.TERMS_ANNOUNCED, 29),),
    )
    assert terms == vector("g482-reply")
    certificate = reply(
        "g615-request",
        '<ns1:Cert ns1:name="PHARMACY00001.USER0001.p12" ns1:passphrase="Wrap-Key-99">'
        "MIIKCgIBAzCC</ns1:Cert>",
    )
    assert certificate == vector("g615-reply")
    assert_fits(terms)
    assert_fits(certificate)
    assert_fits(reply("g445-request", ""))
    assert_fits(reply("g483-request", ""))


@pytest.mark.parametrize("version", VERSIONS.values())
@pytest.mark.parametrize("kind", NoticeKind)
def test_every_notice_has_a_code_in_every_version(kind: NoticeKind, version: Version) -> None:
    (element,) = etree.fromstring(
        f'<x xmlns:ns1="t">{render_notices([Notice(kind, 2)], version)}</x>'
    )
    code = element.attrib["{t}notificationCode"].removeprefix("NMVS_")
    assert code in notification_codes(version.number)
    assert "2 days" in element.attrib["{t}notificationDesc"]


def test_a_notice_counts_one_day_in_the_singular() -> None:
    assert "in 1 day" in render_notices([Notice(NoticeKind.PASSWORD_EXPIRES, 1)], NEWEST)
    assert render_notices([], NEWEST) == ""


def test_a_version_without_a_code_has_another() -> None:
    assert code_in(NEWEST, "FE_AU_04") == "TE_IF_01"
    assert code_in(NEWEST, "FE_AU_05") == "FE_AU_05"


def test_what_passes_while_a_duty_waits() -> None:
    passes = {
        duty: {row.name for row in OPERATIONS if row.shape in shapes}
        for duty, shapes in PASSES.items()
    }
    assert passes == {
        Duty.CHANGE_PASSWORD: {"G445"},
        Duty.ACCEPT_TERMS: {"G445", "G482", "G483"},
    }
