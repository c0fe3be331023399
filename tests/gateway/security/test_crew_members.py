"""Crew members have names, roles and PINs of their own, in an encrypted file that commands change at any time."""

import stat

import pytest

from gateway.security.crew_members import FILE, MEMBERS_MAX, CrewMembers, CrewMembersUnusable
from gateway.security.guess_limit import FREE_GUESSES, UNKNOWN_GUESSES_MAX, Wait
from gateway.security.secret_store import SecretStore
from protocols.epcr.change import DISPATCH_AUTHOR
from protocols.epcr.crew_role import CrewRole
from protocols.epcr.seal import GATEWAY_AUTHOR


def members_in(folder, key=b"k" * 32):
    return CrewMembers(SecretStore(folder, key, gateway="gw_test"))


def wrong_pin(member):
    return "000000" if member.pin != "000000" else "111111"


def test_added_crew_member_has_a_random_pin_that_only_the_encrypted_file_keeps(tmp_path):
    member = members_in(tmp_path).add("usr_17", "Anna Nowak", CrewRole.PARAMEDIC)
    assert len(member.pin) == 6
    assert member.pin.isdigit()
    assert member.pin not in repr(member)
    [path] = tmp_path.iterdir()
    assert path.name == f"{FILE}.sealed"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"Nowak" not in path.read_bytes()
    assert members_in(tmp_path).all() == {"usr_17": member}


@pytest.mark.parametrize("id", [GATEWAY_AUTHOR, DISPATCH_AUTHOR])
def test_id_under_which_a_program_writes_is_refused_and_ignored_where_an_earlier_release_stored_it(
    tmp_path, monkeypatch: pytest.MonkeyPatch, id: str
):
    with monkeypatch.context() as earlier:
        earlier.setattr("gateway.security.crew_members.RESERVED_IDS", frozenset())
        members_in(tmp_path).add(id, "Anna", CrewRole.PARAMEDIC)
    members = members_in(tmp_path)
    assert members.all() == {}
    with pytest.raises(CrewMembersUnusable, match="that of a program"):
        members.add(id, "Anna", CrewRole.PARAMEDIC)


def test_running_gateway_sees_crew_members_that_a_command_adds_changes_and_removes(tmp_path):
    gateway, command = members_in(tmp_path), members_in(tmp_path)
    assert gateway.all() == {}
    command.add_all([("usr_2", "Zofia", CrewRole.NURSE), ("usr_1", "anna", CrewRole.DRIVER)])
    assert [each.name for each in gateway.all().values()] == ["anna", "Zofia"]
    renewed = command.renew_pin("usr_2")
    assert gateway.all()["usr_2"].pin == renewed.pin
    command.remove("usr_2")
    assert list(gateway.all()) == ["usr_1"]


@pytest.mark.parametrize(
    ("id", "name", "why"),
    [
        ("usr 1", "Anna", "cannot be an id"),
        ("usr_1", "", "cannot be shown"),
        ("usr_1", " Anna", "cannot be shown"),
        ("usr_1", "Anna\u202eawoN", "cannot be shown"),
        ("usr_1", "Anna\nNowak", "cannot be shown"),
        ("usr_1", "A" * 41, "cannot be shown"),
        ("usr_0", "Anna", "already"),
    ],
)
def test_crew_member_with_an_unusable_id_or_name_is_refused_and_nothing_is_changed(tmp_path, id, name, why):
    members = members_in(tmp_path)
    members.add("usr_0", "Jan", CrewRole.DRIVER)
    with pytest.raises(CrewMembersUnusable, match=why):
        members.add_all([("usr_9", "Ewa", CrewRole.NURSE), (id, name, CrewRole.NURSE)])
    assert list(members.all()) == ["usr_0"]


def test_number_of_crew_members_is_limited(tmp_path):
    members = members_in(tmp_path)
    people = [(f"usr_{number}", f"{number:040}", CrewRole.STUDENT) for number in range(MEMBERS_MAX + 1)]
    with pytest.raises(CrewMembersUnusable, match=f"at most {MEMBERS_MAX}"):
        members.add_all(people)
    assert len(members.add_all(people[:-1])) == MEMBERS_MAX


@pytest.mark.parametrize("id", ["usr_1", ""])
def test_unknown_crew_member_cannot_be_removed_or_get_another_pin(tmp_path, id):
    with pytest.raises(CrewMembersUnusable, match="crew list"):
        members_in(tmp_path).remove(id)
    with pytest.raises(CrewMembersUnusable, match="crew list"):
        members_in(tmp_path).renew_pin(id)


def test_damaged_list_of_crew_members_is_reported_and_left_alone(tmp_path):
    members_in(tmp_path).add("usr_1", "Anna", CrewRole.NURSE)
    with pytest.raises(CrewMembersUnusable, match="is damaged"):
        members_in(tmp_path, key=b"x" * 32).all()
    with pytest.raises(CrewMembersUnusable, match="is damaged"):
        members_in(tmp_path, key=b"x" * 32).add("usr_2", "Jan", CrewRole.NURSE)
    assert list(members_in(tmp_path).all()) == ["usr_1"]


def test_wrong_pins_on_other_tablets_do_not_lock_a_member_out_of_the_usual_tablet(tmp_path):
    members = members_in(tmp_path)
    anna = members.add("usr_1", "Anna", CrewRole.NURSE)
    compared = sum(
        members.check(anna, wrong_pin(anna), 0.0, tablet=f"tablet-{number}", known=False) == "wrong"
        for number in range(1000)
    )
    assert compared == UNKNOWN_GUESSES_MAX
    assert isinstance(members.check(anna, anna.pin, 1.0, tablet="new", known=False), Wait)
    assert members.check(anna, anna.pin, 1.0, tablet="usual", known=True) == "right"


def test_own_right_pin_does_not_give_further_guesses_of_the_pin_of_another_member(tmp_path):
    members = members_in(tmp_path)
    anna, jan = members.add_all([("usr_1", "Anna", CrewRole.NURSE), ("usr_2", "Jan", CrewRole.DRIVER)])
    compared = 0
    for _ in range(1000):
        compared += members.check(anna, wrong_pin(anna), 0.0, tablet="shared", known=True) == "wrong"
        assert members.check(jan, jan.pin, 0.0, tablet="shared", known=True) == "right"
    assert compared == FREE_GUESSES
