"""Messages of a known form are read without a parser: never otherwise than the parser would."""

from __future__ import annotations

import random

import pytest

from nmvs.soap import known_forms
from nmvs.soap.known_forms import FORMS_PER_HEAD_MAX, KnownForms
from nmvs.soap.messages import PackCall
from tests.unit.nmvs.soap.soap_damage import damaged
from tests.unit.nmvs.soap.soap_messages import VECTORS, pack_call, read, vector

PACKS = [
    path.stem
    for path in sorted(VECTORS.glob("*-request*.xml"))
    if isinstance(read(path.read_bytes()), PackCall)
]
_PIECES = ["a", "Z9", "-", "&amp;", "<", "é", " ", '"', "'", ">", "]]>", "", "x" * 15, "00", "\n"]


def learnt(*messages: bytes) -> KnownForms:
    forms = KnownForms(learn_pause_s=0.0)
    for message in messages:
        forms.learn(message, pack_call(message))
    return forms


def plain(name: str = "g110-request", *, version: int = 5) -> bytes:
    """A vector whose serial number needs no escapes."""
    text = vector(name, version=version)
    return text.replace(b"A1&amp;&lt;&gt;&quot;'/%_", b"A1/%_")


@pytest.mark.parametrize("name", PACKS)
@pytest.mark.parametrize("version", [4, 5])
def test_a_form_once_met_is_read_as_the_parser_reads_it(name: str, version: int) -> None:
    message = plain(name, version=version)
    call = read(message)
    if not isinstance(call, PackCall):
        pytest.skip("no request about a pack")
    forms = KnownForms(learn_pause_s=0.0)
    forms.learn(message, call)
    assert forms.read(message) in (None, call)
    assert bool(forms.read(message)) == (len(forms) == 1)


def test_all_but_what_is_written_by_hand_has_a_form() -> None:
    messages = [plain(name) for name in PACKS]
    forms = learnt(*messages)
    unknown = [message for message in messages if forms.read(message) is None]
    assert unknown == [message for message in messages if b"<!--" in message]
    assert len(forms) == len(messages) - len(unknown)


def test_a_message_identifier_is_a_gap() -> None:
    message = plain("g121-request-with-addressing")
    other = message.replace(b"urn:uuid:00000000-0000", b"urn:uuid:12345678-9abc")
    assert other != message
    assert learnt(message).read(other) == pack_call(message)


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n"])
def test_text_around_the_values_may_be_any(before: bytes) -> None:
    message = before + plain().replace(b"Muster", "Müßter 💊".encode())
    assert learnt(message).read(message) == pack_call(message)
    latin = b'<?xml version="1.0" encoding="iso-8859-1"?>' + plain()
    assert len(learnt(latin)) == 0


def test_other_values_in_the_gaps_are_read() -> None:
    forms = learnt(plain())
    message = plain().replace(b'"A1/%_"', b'"S!%(),-.:;=?_z/9"')
    call = forms.read(message)
    assert call is not None
    assert call == pack_call(message)
    assert call.serial_number == "S!%(),-.:;=?_z/9"


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_in_the_gaps_is_never_read_otherwise_than_by_the_parser(seed: int) -> None:
    rng = random.Random(seed)
    base = plain()
    forms, call = learnt(base), pack_call(base)
    values = [
        call.frame.client_login_id,
        call.frame.user_id,
        call.password,
        call.frame.client_transaction_id,
        call.product_code,
        call.serial_number,
        str(call.batch_id),
        str(call.expiry),
    ]
    known = 0
    for _ in range(200):
        text = base.decode()
        value = rng.choice(values)
        at = rng.randrange(len(value) + 1)
        piece = rng.choice(_PIECES)
        other = value[:at] + piece + value[at + rng.choice((0, len(piece))) :]
        message = text.replace(f">{value}<", f">{other}<").replace(f'"{value}"', f'"{other}"')
        found = forms.read(message.encode())
        if found is not None:
            known += 1
            assert found == read(message.encode())
    assert known > 20


@pytest.mark.parametrize("seed", range(5))
def test_damaged_messages_are_never_read_otherwise_than_by_the_parser(seed: int) -> None:
    rng = random.Random(seed)
    calls = [plain(name) for name in PACKS]
    forms = learnt(*calls)
    for _ in range(300):
        message = damaged(rng)
        found = forms.read(message)
        assert found is None or found == read(message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</soapenv:Body>", b"<!-- x --></soapenv:Body>"),
        (b"</soapenv:Body>", b"<?x y?></soapenv:Body>"),
        (b"<soapenv:Body>", b"<soapenv:Body><!-- <y:UserId>abcd</y:UserId> -->"),
    ],
)
def test_a_text_with_more_than_elements_is_not_kept(old: bytes, new: bytes) -> None:
    assert old in plain()
    assert len(learnt(plain().replace(old, new))) == 0


def test_the_number_of_forms_is_bounded() -> None:
    def other(number: int) -> bytes:
        return plain().replace(b"</soapenv:Envelope>", b" " * number + b"</soapenv:Envelope>")

    forms = learnt(*(other(number) for number in range(3 * FORMS_PER_HEAD_MAX)))
    assert len(forms) == FORMS_PER_HEAD_MAX
    assert forms.read(other(3 * FORMS_PER_HEAD_MAX - 1)) is not None
    assert forms.read(other(0)) is None


def test_all_heads_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_forms, "FORMS_MAX", 3)
    messages = [plain().replace(b"Envelope ", b"Envelope " + b" " * n) for n in range(6)]
    forms = learnt(*messages)
    assert len(forms) == 3
    assert forms.read(messages[-1]) is not None


def test_a_new_text_each_time_is_not_learnt_each_time() -> None:
    forms = KnownForms(learn_pause_s=60.0)
    for number in range(3):
        message = plain().replace(b"</soapenv:Envelope>", b" " * number + b"</soapenv:Envelope>")
        forms.learn(message, pack_call(message))
    assert len(forms) == 1
