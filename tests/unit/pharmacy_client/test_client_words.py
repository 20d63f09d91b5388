"""Small tables and rules of the client: spelled-out separators, exit codes, errors, imports."""

import subprocess
import sys

import pytest

from emvs.scan import Scan
from emvs.scheme import Scheme
from emvs.states import Operation, State
from pharmacy_client import Category, ScanRefusedError, errors
from pharmacy_client.advice import advise
from pharmacy_client.cli_output import printable
from pharmacy_client.client import read_scan
from pharmacy_client.errors import PharmacyClientError
from pharmacy_client.exchange import retry_after_s
from pharmacy_client.exit_codes import ExitCode, exit_code_of_error
from pharmacy_client.scan_text import read_spelled


@pytest.mark.parametrize("spelling", ["<GS>", "<gs>", "{GS}", r"\x1d", r"\x1D", r"\u001d", "␝"])
def test_spelled_group_separator(spelling: str) -> None:
    assert read_spelled(f"10LOT{spelling}21AB") == "10LOT\x1d21AB"


def test_spelled_envelope() -> None:
    assert read_spelled("[)><RS>06<GS>9N1{RS}{EOT}") == "[)>\x1e06\x1d9N1\x1e\x04"


def test_what_is_no_separator_stays() -> None:
    text = r"]d201<GSX>\x1e5\x41{G S}"
    assert read_spelled(text) == text.replace(r"\x1e", "\x1e")


def test_invalid_data_are_kept_for_the_system_to_judge() -> None:
    scan = read_scan("]d20109876543210980\x1d21AB#CD\x1d17991332")
    assert scan.problems
    assert (scan.product_code, scan.serial_number) == ("09876543210980", "AB#CD")


@pytest.mark.parametrize("text", ["", "5012345678900", "]d2010987654321098221A\udcffB"])
def test_what_must_not_be_sent(text: str) -> None:
    with pytest.raises(ScanRefusedError):
        read_scan(text)


def test_control_characters_in_typed_data_are_refused() -> None:
    with pytest.raises(ScanRefusedError, match="control characters"):
        read_scan(Scan(scheme=Scheme.GTIN, product_code="1", serial_number="A\nB"))


def all_errors(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(all_errors(child) for child in kind.__subclasses__()))


def test_every_error_is_in_the_drawn_tree_and_has_its_exit_code() -> None:
    assert errors.__doc__ is not None
    ours = {
        kind
        for kind in all_errors(PharmacyClientError)
        if kind.__module__ == "pharmacy_client.errors"
    }
    assert len(ours) == 13
    for kind in ours:
        assert kind.__name__ in errors.__doc__
    assert exit_code_of_error(errors.AnswerTimeoutError("")) is ExitCode.UNREACHABLE
    assert exit_code_of_error(errors.ProfileError("")) is ExitCode.USAGE
    assert exit_code_of_error(errors.ScanRefusedError("")) is ExitCode.INVALID


@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("operation", Operation)
def test_there_is_advice_for_everything(category: Category, operation: Operation) -> None:
    for state in (None, *State):
        for alert in (False, True):
            advice = advise(operation, category, state=state, alert=alert)
            assert advice.sentence
            assert not alert or advice.colour == "red"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "²"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 02 Jan 2030 10:00:40 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers) == wait_s


def test_terminal_is_not_steered_by_texts_of_others() -> None:
    assert printable("a\x1b[31mb\u202ec\n") == r"a\x1b[31mb\u202ec\n"


def test_client_loads_no_server_and_no_database_and_the_http_library_late() -> None:
    program = (
        "import sys, pharmacy_client.cli\n"
        "banned = {'asyncpg', 'hub', 'nmvs', 'numpy', 'aiohttp'} & set(sys.modules)\n"
        "import pharmacy_client.transport\n"
        "banned |= {'asyncpg', 'hub', 'nmvs', 'numpy'} & set(sys.modules)\n"
        "banned |= {name for name in sys.modules if name.startswith('emvs.infra.')}\n"
        "print(*sorted(banned))"
    )
    done = subprocess.run(  # noqa: S603 - our own program.
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
