"""What is peculiar to the drop: its file, its crashes, its register."""

import csv
import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime

import pytest
import time_machine

from connectors.kit import open_profile
from schemas.commands import Command
from schemas.errors import PartnerMisconfiguredError, PartnerRejectedError
from tests.contract.connectors.rigs import PERSON

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path):
    with time_machine.travel(NOON, tick=False):
        opened = open_profile("desk_drop", "depot", {"directory": str(tmp_path)}, {})
        opened.folder = tmp_path
        yield opened


def command(operation, *, service="lib_sorgues", **data):
    return Command(
        key=f"run:{operation}",
        operation=operation,
        data={**PERSON, **data},
        pseudonym="ZX",
        purpose="library.preregistration",
        binding={"service_id": service},
    )


def call(desk, operation, **data):
    return desk.call(operation, command(operation, **data), [])


def files(desk):
    return sorted(path.name for path in desk.folder.glob("preinscriptions_*"))


def rows(desk, name):
    content = (desk.folder / name).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.endswith(b"\r\n")
    return list(csv.DictReader(content.decode("utf-8-sig").splitlines(), delimiter=";"))


def test_a_line_waits_in_a_part_file_until_its_window_is_closed(desk):
    receipt = call(desk, "preregister")
    assert receipt.external_ref == PERSON["our_ref"]
    assert receipt.data == {"state": "staged"}
    assert files(desk) == ["preinscriptions_lib_sorgues_20261122_001.csv.part"]
    closed = call(desk, "close_window")
    assert closed.external_ref == "preinscriptions_lib_sorgues_20261122_001.csv"
    assert closed.data == {"lines": 1}
    assert files(desk) == [closed.external_ref]
    (row,) = rows(desk, closed.external_ref)
    assert row["reference"] == PERSON["our_ref"]
    assert row["mouvement"] == "preinscription"
    assert row["nom"] == PERSON["family_name"]
    assert row["commune"] == "Marseille"
    assert row["expire_le"] == "2027-02-20"


def test_an_empty_window_gives_no_file(desk):
    assert call(desk, "close_window").data == {"lines": 0}
    assert files(desk) == []


def test_each_window_has_the_next_number_even_when_the_files_were_carried_away(desk):
    for number in (1, 2, 3):
        call(desk, "preregister", our_ref=f"PV-0000000{number}")
        name = call(desk, "close_window").external_ref
        assert name == f"preinscriptions_lib_sorgues_20261122_00{number}.csv"
        (desk.folder / name).unlink()


def test_the_day_is_the_citys_and_not_the_clocks(desk):
    with time_machine.travel(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), tick=False):
        call(desk, "preregister")
    assert files(desk) == ["preinscriptions_lib_sorgues_20261123_001.csv.part"]


def test_two_services_have_two_files_even_when_a_name_begins_like_another(desk):
    call(desk, "preregister", our_ref="PV-00000001", service="lib_sorgues")
    call(desk, "preregister", our_ref="PV-00000002", service="lib_sorgues_2")
    assert len(files(desk)) == 2
    closed = desk.call("close_window", command("close_window", service="lib_sorgues"), [])
    assert len(rows(desk, closed.external_ref)) == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_is_run_by_a_spreadsheet(desk, start):
    call(desk, "preregister", family_name=f"{start}SOMME(1;2)")
    (row,) = rows(desk, files(desk)[0])
    assert row["nom"] == f"'{start}SOMME(1;2)"
    assert row["telephone"] == f"'{PERSON['phone']}"


@pytest.mark.parametrize(
    "name",
    ['Guille"met', "Point;virgule", "Deux\nlignes", "Retour\r\n=1", "Sép\u2028aré", "\x00Zéro"],
)
def test_a_hostile_name_is_one_cell_on_one_line(desk, name):
    call(desk, "preregister", family_name=name)
    call(desk, "preregister", our_ref="PV-00000002")
    content = (desk.folder / files(desk)[0]).read_bytes()
    assert content.count(b"\r\n") == 3
    assert content.count(b"\n") == 3
    first, second = rows(desk, files(desk)[0])
    assert len(first) == len(second) == 11
    assert second["reference"] == "PV-00000002"


def test_a_guard_is_not_added_again_when_another_line_is_taken_back(desk):
    call(desk, "preregister", family_name="=1")
    call(desk, "preregister", our_ref="PV-00000002")
    call(desk, "cancel_preregistration", our_ref="PV-00000002")
    (row,) = rows(desk, files(desk)[0])
    assert row["nom"] == "'=1"


def test_a_reference_is_carried_once_whatever_is_repeated(desk):
    call(desk, "preregister")
    call(desk, "preregister")
    call(desk, "close_window")
    call(desk, "preregister")
    assert call(desk, "close_window").data == {"lines": 0}
    assert len(files(desk)) == 1


def test_a_line_that_waits_is_taken_back(desk):
    call(desk, "preregister")
    assert call(desk, "cancel_preregistration").data == {"state": "cancelled"}
    assert files(desk) == []
    assert call(desk, "cancel_preregistration").data == {"state": "cancelled"}


def test_a_line_carried_away_is_followed_by_one_that_withdraws_it(desk):
    call(desk, "preregister")
    call(desk, "close_window")
    assert call(desk, "cancel_preregistration").data == {"state": "withdrawn"}
    call(desk, "cancel_preregistration")
    (row,) = rows(desk, call(desk, "close_window").external_ref)
    assert row["mouvement"] == "annulation"
    assert row["reference"] == PERSON["our_ref"]
    assert row["nom"] == row["courriel"] == ""


def test_a_line_taken_back_can_be_written_again(desk):
    call(desk, "preregister")
    call(desk, "cancel_preregistration")
    call(desk, "preregister")
    assert call(desk, "close_window").data == {"lines": 1}


def test_an_activation_says_who_only_if_nothing_said_it_before(desk):
    call(desk, "preregister")
    call(desk, "activate")
    call(desk, "activate", our_ref="PV-00000002", external_ref=None)
    _, known, fresh = rows(desk, call(desk, "close_window").external_ref)
    assert known["mouvement"] == fresh["mouvement"] == "activation"
    assert known["nom"] == ""
    assert fresh["nom"] == PERSON["family_name"]


def test_an_erasure_of_a_line_carried_away_asks_a_person(desk):
    call(desk, "preregister")
    assert call(desk, "erase").state == "done"
    call(desk, "preregister")
    call(desk, "close_window")
    receipt = call(desk, "erase")
    assert receipt.state == "unknown"
    assert receipt.reason


def test_the_register_holds_no_person(desk):
    call(desk, "preregister")
    call(desk, "close_window")
    register = (desk.folder / ".registre_lib_sorgues.jsonl").read_text()
    assert PERSON["our_ref"] in register
    for value in (PERSON["family_name"], PERSON["email"], PERSON["phone"]):
        assert value not in register


def test_a_register_forgets_what_nothing_can_refer_to_any_more(desk):
    call(desk, "preregister")
    call(desk, "close_window")
    with time_machine.travel(datetime(2028, 1, 10, tzinfo=UTC), tick=False):
        call(desk, "preregister", our_ref="PV-00000002")
        call(desk, "close_window")
    register = (desk.folder / ".registre_lib_sorgues.jsonl").read_text()
    assert PERSON["our_ref"] not in register
    assert "PV-00000002" in register


@pytest.mark.parametrize("torn", [1, 5, 40])
def test_a_line_torn_by_a_crash_is_cut_off_and_written_again(desk, torn):
    call(desk, "preregister")
    call(desk, "preregister", our_ref="PV-00000002")
    path = desk.folder / files(desk)[0]
    path.write_bytes(path.read_bytes()[:-torn])
    call(desk, "preregister", our_ref="PV-00000002")
    assert [row["reference"] for row in rows(desk, path.name)] == [PERSON["our_ref"], "PV-00000002"]


@pytest.mark.parametrize("left", [0, 2, 30])
def test_a_file_torn_in_its_title_begins_again(desk, left):
    call(desk, "preregister")
    path = desk.folder / files(desk)[0]
    path.write_bytes(path.read_bytes()[:left])
    call(desk, "preregister")
    (row,) = rows(desk, files(desk)[0])
    assert row["reference"] == PERSON["our_ref"]


def test_a_crash_between_the_register_and_the_name_loses_and_doubles_nothing(desk, monkeypatch):
    from connectors.desk_drop import window

    call(desk, "preregister")

    def crash(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(window, "rename", crash)
        with pytest.raises(KeyboardInterrupt):
            call(desk, "close_window")
    call(desk, "preregister")
    assert call(desk, "cancel_preregistration").data == {"state": "cancelled"}
    call(desk, "preregister")
    name = call(desk, "close_window").external_ref
    assert len(rows(desk, name)) == 1
    register = (desk.folder / ".registre_lib_sorgues.jsonl").read_text()
    assert register.count("\n") >= 1
    assert call(desk, "close_window").data == {"lines": 0}


def test_a_torn_register_is_mended(desk):
    call(desk, "preregister")
    call(desk, "close_window")
    register = desk.folder / ".registre_lib_sorgues.jsonl"
    register.write_bytes(register.read_bytes() + b'{"movement": "prein')
    call(desk, "preregister", our_ref="PV-00000002")
    call(desk, "close_window")
    call(desk, "preregister")
    assert call(desk, "close_window").data == {"lines": 0}


@pytest.mark.parametrize("service", [None, "", "../autre", "Lib", "a" * 60, "lib*"])
def test_a_service_that_is_no_identifier_writes_nothing(desk, service):
    with pytest.raises(PartnerMisconfiguredError):
        call(desk, "preregister", service=service)
    assert files(desk) == []


def test_a_person_without_a_name_is_refused(desk):
    with pytest.raises(PartnerRejectedError) as raised:
        call(desk, "preregister", family_name=None)
    assert str(raised.value) == "no_name"


def test_a_folder_that_is_not_there_pauses_and_is_not_made(desk):
    desk.folder.rmdir()
    with pytest.raises(PartnerMisconfiguredError):
        call(desk, "preregister")
    assert not desk.folder.exists()


def write_many(folder, first, count):
    opened = open_profile("desk_drop", "depot", {"directory": folder}, {})
    for number in range(first, first + count):
        opened.call("preregister", command("preregister", our_ref=f"PV-{number:08d}"), [])


def test_many_processes_write_whole_lines_and_lose_none(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=write_many, args=(str(tmp_path), start, 20)) for start in (0, 10, 20)
    ]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
        assert each.exitcode == 0
    opened = open_profile("desk_drop", "depot", {"directory": str(tmp_path)}, {})
    assert opened.call("close_window", command("close_window"), []).data == {"lines": 40}


def test_a_writer_that_is_killed_leaves_a_file_the_next_one_mends(tmp_path):
    context = multiprocessing.get_context("fork")
    writer = context.Process(target=write_many, args=(str(tmp_path), 0, 100_000))
    writer.start()
    time.sleep(0.4)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    opened = open_profile("desk_drop", "depot", {"directory": str(tmp_path)}, {})
    opened.call("preregister", command("preregister", our_ref="PV-99999999"), [])
    name = opened.call("close_window", command("close_window"), []).external_ref
    lines = (tmp_path / name).read_text("utf-8-sig").splitlines()
    references = [line.partition(";")[0] for line in lines[1:]]
    assert references[:-1] == [f"PV-{number:08d}" for number in range(len(references) - 1)]
    assert references[-1] == "PV-99999999"
