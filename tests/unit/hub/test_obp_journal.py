"""The journal: ids before anything is sent, what is known again, what a crash leaves."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emvs.transaction_ids import parse_transaction_id
from hub.obp.errors import InputError, JournalError
from hub.obp.jobs import Job, JobMessage
from hub.obp.journal import Journal
from hub.obp.profile import Profile

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MEMBERS = {"productCode": "09506000134376", "batchId": "LOT1", "expiry": "301231"}


def profile(folder: Path, **changes: Any) -> Profile:
    values = {
        "url": "http://127.0.0.1:1",
        "organisation_id": "10001",
        "client_id": "001",
        "token": "secret",
        "journal": str(folder),
    }
    return Profile(**(values | changes))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(profile(tmp_path), lambda: NOON)
    yield opened
    opened.close()


def prepare(
    journal: Journal, *serial_numbers: str, kind: str = "PPDC", **members: str
) -> tuple[Job, list[JobMessage]]:
    return journal.prepare(
        kind, MEMBERS | members, title="LOT1", serial_numbers=serial_numbers, per_message=2
    )


def body(journal: Journal, message: JobMessage) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(journal.body_of(message).read_bytes()))
    return content


def acknowledge(journal: Journal, *messages: JobMessage) -> None:
    for message in messages:
        journal.acknowledged(message, "AK", "TX")


def bodies(folder: Path) -> int:
    return len(list(folder.glob("bodies/*")))


def test_messages_stand_on_disk_with_their_ids_before_anything_is_sent(journal: Journal) -> None:
    job, spare = prepare(journal, "A", "B", "C")
    assert not job.resumed
    assert not spare
    assert [message.message_type for message in job.messages] == ["PPDC", "PPDM"]
    told = [body(journal, message) for message in job.messages]
    assert [one["serialNumbers"] for one in told] == [["A", "B"], ["C"]]
    assert [one["transactionId"] for one in told] == [one.transaction_id for one in job.messages]
    assert all(one["expiry"] == "301231" for one in told)
    assert journal.unfinished() == [job]


def test_ids_are_the_senders_and_never_given_out_twice(journal: Journal, tmp_path: Path) -> None:
    other = Journal(profile(tmp_path), lambda: NOON)
    made = [one.ids.new(kind) for one in (journal, other) * 50 for kind in ("PPDC", "PSUDC")]
    other.close()
    assert len(set(made)) == len({text[-11:] for text in made}) == 200
    parts = parse_transaction_id(made[0])
    assert (parts.actor, parts.organisation_id, parts.client_id) == ("M", "10001", "001")
    assert (parts.year, parts.day_of_year) == (2026, 327)


def test_ids_of_a_clock_that_goes_back_are_new_too(tmp_path: Path) -> None:
    times = iter([NOON, NOON.replace(hour=3), NOON.replace(hour=3)])
    journal = Journal(profile(tmp_path), lambda: next(times))
    made = [journal.ids.new("PPDC") for _ in range(3)]
    journal.close()
    assert made == sorted(set(made))


def test_the_last_millisecond_of_a_day_has_ids_that_fit(tmp_path: Path) -> None:
    late = NOON.replace(hour=23, minute=59, second=59, microsecond=999_999)
    journal = Journal(profile(tmp_path), lambda: late)
    assert len(journal.ids.new("PSUDC")) == 34
    journal.close()


def test_an_upload_that_is_not_wholly_sent_goes_on_with_its_ids(
    journal: Journal, tmp_path: Path
) -> None:
    first, _ = prepare(journal, "A", "B", "C")
    acknowledge(journal, first.messages[0])
    journal.close()  # A crash leaves no more than this.
    again = Journal(profile(tmp_path), lambda: NOON)
    job, spare = prepare(again, "A", "B", "C")
    assert job.resumed
    assert [one.transaction_id for one in job.messages] == [
        one.transaction_id for one in first.messages
    ]
    assert [one.position for one in job.unsent] == [1]
    again.discard(spare)
    assert bodies(tmp_path) == 1
    again.close()


@pytest.mark.parametrize("changed", [{"serials": ("A", "B", "D")}, {"batchId": "LOT2"}])
def test_another_content_is_another_job(journal: Journal, changed: dict[str, Any]) -> None:
    first, _ = prepare(journal, "A", "B", "C")
    serials = changed.pop("serials", ("A", "B", "C"))
    second, _ = prepare(journal, *serials, **changed)
    assert not second.resumed
    assert second.number != first.number


def test_a_whole_upload_is_known_again_and_a_whole_change_means_something_new(
    journal: Journal,
) -> None:
    for kind, known in (("PPDC", True), ("PSUDS", False), ("VBOP", False)):
        job, _ = prepare(journal, "A", kind=kind)
        acknowledge(journal, *job.messages)
        assert prepare(journal, "A", kind=kind)[0].resumed is known


def test_a_change_whose_answer_was_lost_goes_on_with_its_id(journal: Journal) -> None:
    first, _ = prepare(journal, "A", kind="PSUDS")
    again, _ = prepare(journal, "A", kind="PSUDS")
    assert again.messages[0].transaction_id == first.messages[0].transaction_id


def test_a_message_that_came_to_nothing_is_sent_anew_and_the_others_are_not(
    journal: Journal, tmp_path: Path
) -> None:
    job, _ = prepare(journal, "A", "B", "C")
    acknowledge(journal, *job.messages)
    again, spare = prepare(journal, "A", "B", "C")
    renewed = journal.renew(again, {1}, spare)
    first, second = renewed.messages
    assert first.transaction_id == job.messages[0].transaction_id
    assert second.transaction_id not in {one.transaction_id for one in job.messages}
    assert renewed.unsent == [second]
    assert body(journal, second)["serialNumbers"] == ["C"]
    assert bodies(tmp_path) == 1


def test_what_the_hub_has_takes_no_room_any_longer(journal: Journal, tmp_path: Path) -> None:
    job, _ = prepare(journal, "A", "B", "C")
    assert bodies(tmp_path) == 2
    acknowledge(journal, *job.messages)
    assert bodies(tmp_path) == 0
    assert journal.unfinished() == []
    assert journal.recent(5) == [job]


def test_serial_numbers_that_cannot_be_read_leave_nothing(journal: Journal, tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield from ("A", "B", "C")
        raise InputError("line 4")

    with pytest.raises(InputError):
        journal.prepare("PPDC", MEMBERS, title="", serial_numbers=broken(), per_message=2)
    assert (bodies(tmp_path), journal.unfinished()) == (0, [])
    assert journal.begun.titles() == []


def test_what_is_killed_before_its_job_is_stored_is_not_forgotten(
    journal: Journal, tmp_path: Path
) -> None:
    def killed() -> Iterator[str]:
        yield from ("A", "B", "C")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.prepare("PPDC", MEMBERS, title="LOT1", serial_numbers=killed(), per_message=2)
    again = Journal(profile(tmp_path), lambda: NOON)
    assert (again.unfinished(), again.begun.titles()) == ([], ["LOT1"])
    stranger = Journal(profile(tmp_path, client_id="002"), lambda: NOON)
    assert stranger.begun.titles() == []
    stranger.begun.forget()
    prepare(again, "A", batchId="LOT2")
    assert again.begun.titles() == ["LOT1"]
    prepare(again, "A")
    assert again.begun.titles() == []
    for opened in (again, stranger):
        opened.close()


def test_jobs_of_another_client_or_hub_are_left_alone(journal: Journal, tmp_path: Path) -> None:
    prepare(journal, "A")
    for changes in ({"client_id": "002"}, {"url": "http://127.0.0.1:2"}):
        other = Journal(profile(tmp_path, **changes), lambda: NOON)
        assert other.unfinished() == []
        assert not prepare(other, "A")[0].resumed
        other.close()


def test_a_journal_that_is_none_is_said_and_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").write_bytes(b"no database " * 100)
    with pytest.raises(JournalError, match="OBP_JOURNAL"):
        Journal(profile(tmp_path), lambda: NOON)
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(profile(tmp_path / "journal.sqlite3" / "below"), lambda: NOON)


def test_every_id_is_in_the_file_when_it_is_seen(journal: Journal, tmp_path: Path) -> None:
    number = int(journal.ids.new("PPDC")[-12:])
    with sqlite3.connect(tmp_path / "journal.sqlite3") as database:
        assert database.execute("select number from last_reference").fetchall() == [(number,)]
    database.close()
