"""FLOAT and SFLOAT keep a number's value and precision, and the special values that are not numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.medfloat import float_of, float_raw, sfloat_of, sfloat_raw
from protocols.observation import Special


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0x0062, 98.0),
        (0xF299, 66.5),
        (0x0B2E, -1234.0),
        (0xF014, 2.0),
        (0xE0C8, 2.0),
        (0x0002, 2.0),
        (0xF258, 60.0),
        (0xF379, 88.9),
        (0x0FFE, -2.0),
        (0x77FD, 2045e7),
        (0x8001, 1e-8),
        (0x0000, 0.0),
    ],
)
def test_sfloat_bits_are_decoded_to_their_value(raw: int, value: float) -> None:
    assert sfloat_of(raw) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0xFF00_016F, 36.7),
        (0x00FF_FFFE, -2.0),
        (0xFFFF_FFFE, -0.2),
        (0x00FF_FB2E, -1234.0),
        (0xFE00_16D5, 58.45),
        (0x7F00_0001, 1e127),
        (0x8000_0001, 1e-128),
    ],
)
def test_float_bits_are_decoded_to_their_value(raw: int, value: float) -> None:
    assert float_of(raw) == value


@pytest.mark.parametrize("exponent", [0, 1, 0xF])
@pytest.mark.parametrize(
    ("mantissa", "special"),
    [
        (0x7FF, Special.NAN),
        (0x800, Special.NRES),
        (0x7FE, Special.PLUS_INFINITY),
        (0x802, Special.MINUS_INFINITY),
        (0x801, Special.NAN),
    ],
)
def test_special_values_are_decoded_from_the_mantissa_for_any_exponent(
    mantissa: int, special: Special, exponent: int
) -> None:
    assert sfloat_of(exponent << 12 | mantissa) is special
    wide = mantissa + 0x7FF800
    assert float_of(exponent << 24 | wide) is special


@pytest.mark.parametrize(
    ("special", "sfloat", "wide"),
    [
        (Special.NAN, 0x07FF, 0x007F_FFFF),
        (Special.NRES, 0x0800, 0x0080_0000),
        (Special.PLUS_INFINITY, 0x07FE, 0x007F_FFFE),
        (Special.MINUS_INFINITY, 0x0802, 0x0080_0002),
    ],
)
def test_special_values_are_encoded_with_exponent_0(special: Special, sfloat: int, wide: int) -> None:
    assert (sfloat_raw(special), float_raw(special)) == (sfloat, wide)


def test_encoded_exponent_follows_from_the_requested_number_of_decimals() -> None:
    assert sfloat_raw(2.0) == 0x0002
    assert sfloat_raw(2.0, decimals=1) == 0xF014
    assert sfloat_raw(2.0, decimals=2) == 0xE0C8
    assert float_raw(36.7) == 0xFF00_016F


def test_number_with_too_many_digits_is_rounded_and_too_large_number_becomes_infinity() -> None:
    assert sfloat_of(sfloat_raw(1234.5678)) == 1235.0
    assert sfloat_of(sfloat_raw(98.7654)) == 98.8
    assert sfloat_of(sfloat_raw(3e10)) is Special.PLUS_INFINITY
    assert sfloat_of(sfloat_raw(-3e10)) is Special.MINUS_INFINITY


def test_number_of_decimals_outside_the_exponent_range_is_a_local_protocol_error() -> None:
    with pytest.raises(LocalProtocolError):
        sfloat_raw(0.0, decimals=9)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_encoding_a_python_nan_or_infinity_is_a_local_protocol_error(value: float) -> None:
    with pytest.raises(LocalProtocolError):
        float_raw(value)


@given(st.integers(0, 0xFFFF))
def test_every_sfloat_is_decoded_and_encoded_to_the_same_value(raw: int) -> None:
    value = sfloat_of(raw)
    assert sfloat_of(sfloat_raw(value)) == value


@given(st.integers(0, 0xFFFF_FFFF))
def test_every_float_is_decoded_to_a_number_or_special_value(raw: int) -> None:
    value = float_of(raw)
    assert isinstance(value, float | Special)


@given(st.integers(-(2**23) + 3, 2**23 - 3), st.integers(0, 6))
def test_decimal_numbers_are_encoded_as_float_without_loss(mantissa: int, places: int) -> None:
    value = mantissa / 10**places
    assert float_of(float_raw(value)) == value
