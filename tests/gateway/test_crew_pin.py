"""The crew's PIN: the crew can sign in at once, and an attacker needs years to guess it."""

import stat

import pytest

from gateway.security.crew_pin import CrewPin, CrewPinUnusable
from gateway.security.guess_limit import FREE_GUESSES, UNKNOWN_GUESSES_MAX, UNKNOWN_REFILL_S, Wait


def test_new_crew_pin_has_six_digits_in_a_file_readable_only_by_its_owner(tmp_path):
    path = tmp_path / "crew.pin"
    pin = CrewPin.create(path)
    assert len(pin.text) == 6
    assert pin.text.isdigit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert CrewPin.load(path).check(pin.text, "10.0.0.2", 0.0) == "right"


def test_pin_is_not_created_over_an_existing_pin_file(tmp_path):
    CrewPin.create(tmp_path / "crew.pin")
    with pytest.raises(CrewPinUnusable, match="chosen once"):
        CrewPin.create(tmp_path / "crew.pin")


@pytest.mark.parametrize(
    ("text", "says"), [("12ab56", "holds no PIN"), ("", "holds no PIN"), ("1234", "6 to 12 digits")]
)
def test_error_for_a_pin_file_without_a_valid_pin_states_the_expected_content(tmp_path, text, says):
    (tmp_path / "crew.pin").write_text(text)
    with pytest.raises(CrewPinUnusable, match=says):
        CrewPin.load(tmp_path / "crew.pin")


def test_error_for_a_missing_pin_file_names_the_provision_command(tmp_path):
    with pytest.raises(CrewPinUnusable, match="provision"):
        CrewPin.load(tmp_path / "crew.pin")


def test_correct_pin_is_accepted_without_a_wait_after_a_few_wrong_pins():
    pin = CrewPin("482913")
    for _ in range(FREE_GUESSES - 1):
        assert pin.check("000000", "tablet", 0.0) == "wrong"
    assert pin.check("482913", "tablet", 0.0) == "right"


def test_wait_after_wrong_pins_doubles_only_for_the_client_that_sent_the_pins():
    pin = CrewPin("482913")
    for _ in range(FREE_GUESSES):
        pin.check("000000", "stranger", 0.0)
    assert pin.check("482913", "stranger", 0.5) == Wait(0.5)
    assert pin.check("482913", "tablet", 0.5) == "right"
    assert pin.check("111111", "stranger", 1.0) == "wrong"
    assert pin.check("222222", "stranger", 1.5) == Wait(1.5)


@pytest.mark.finding("security-11")
def test_wrong_pins_of_all_unknown_addresses_share_one_rate_limit():
    pin = CrewPin("482913")
    compared = sum(pin.check("000000", f"address-{number}", 0.0) == "wrong" for number in range(1000))
    assert compared == UNKNOWN_GUESSES_MAX
    assert pin.check("000000", "one more", 60.0) == Wait(60.0, by_others=True)
    hour_s = 3600.0
    compared = sum(pin.check("000000", f"later-{number}", hour_s) == "wrong" for number in range(1000))
    assert compared == UNKNOWN_GUESSES_MAX
    compared = sum(
        pin.check("000000", f"again-{second}", hour_s + second) == "wrong" for second in range(24 * int(hour_s))
    )
    assert compared == 24 * hour_s / UNKNOWN_REFILL_S - 1


@pytest.mark.finding("security-11")
def test_known_tablet_can_sign_in_while_unknown_addresses_are_rate_limited():
    pin = CrewPin("482913")
    for number in range(1000):
        pin.check("000000", f"address-{number}", 0.0)
    assert pin.check("482913", "address-1", 0.0, tablet="tablet-1") == "right"


def test_known_tablet_must_wait_after_too_many_wrong_pins():
    pin = CrewPin("482913")
    for _ in range(FREE_GUESSES):
        pin.check("000000", "10.0.0.9", 0.0, tablet="stolen")
    assert pin.check("482913", "10.0.0.9", 0.5, tablet="stolen") == Wait(0.5)
    assert pin.check("482913", "10.0.0.9", 0.5, tablet="another") == "right"
