"""Units of measure in UCUM: parse a unit, and compare the kinds of quantity of two units.

The grammar is a subset of UCUM for medical devices: the seven base units, the derived units of SI, the customary and
clinical units in the unit table of the nomenclature (a test compares the two), metric prefixes, exponents, products,
quotients, parentheses, numbers and {annotations}. It is case-sensitive, as UCUM's `c/s` form is. Units outside the
subset are refused like invalid text: a unit that cannot be converted later is better refused than stored.

The module departs from UCUM in two points, both on the safe side. `mol` is a dimension of its own; UCUM makes it a
number, which would let a concentration in mmol/L pass for a count per litre. Units on a scale with an offset or a
logarithm (`Cel`, `[degF]`, `[pH]`, `B`) count as their quantity, also in combination with other units.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from protocols.errors import RemoteProtocolError

TEXT_LENGTH_MAX: Final = 64
"""Limit of a unit's length. The longest unit of the nomenclature has 13 characters."""

_EXPONENT_MAX = 9
_DEPTH_MAX = 4
_CLAUSE = "UCUM 2.1"


class Dimension(NamedTuple):
    """Exponents of the base quantities of a unit. All are zero for a unit that is a number (percent, beats, score)."""

    length: int = 0
    time: int = 0
    mass: int = 0
    angle: int = 0
    temperature: int = 0
    charge: int = 0
    luminosity: int = 0
    substance: int = 0
    arbitrary: int = 0  # international units, which compare with nothing else

    def times(self, other: "Dimension", power: int = 1) -> "Dimension":
        """Return the dimension of a product: this dimension times `other` raised to `power`."""
        return Dimension(*(mine + power * theirs for mine, theirs in zip(self, other, strict=True)))


NUMBER: Final = Dimension()
_LENGTH, _TIME, _MASS = Dimension(length=1), Dimension(time=1), Dimension(mass=1)
_ANGLE, _TEMPERATURE, _CHARGE = Dimension(angle=1), Dimension(temperature=1), Dimension(charge=1)
_LIGHT, _SUBSTANCE, _ARBITRARY = Dimension(luminosity=1), Dimension(substance=1), Dimension(arbitrary=1)
_FREQUENCY = Dimension(time=-1)
_FORCE = Dimension(length=1, time=-2, mass=1)
_PRESSURE = Dimension(length=-1, time=-2, mass=1)
_ENERGY = Dimension(length=2, time=-2, mass=1)
_POWER = Dimension(length=2, time=-3, mass=1)
_CURRENT = Dimension(time=-1, charge=1)
_VOLTAGE = Dimension(length=2, time=-2, mass=1, charge=-1)
_RESISTANCE = Dimension(length=2, time=-1, mass=1, charge=-2)
_CONDUCTANCE = Dimension(length=-2, time=1, mass=-1, charge=2)
_CAPACITANCE = Dimension(length=-2, time=2, mass=-1, charge=2)
_VOLUME = Dimension(length=3)
_DOSE = Dimension(length=2, time=-2)

_METRIC: Final[dict[str, Dimension]] = {
    "m": _LENGTH, "s": _TIME, "g": _MASS, "rad": _ANGLE, "K": _TEMPERATURE, "C": _CHARGE, "cd": _LIGHT,
    "mol": _SUBSTANCE, "eq": _SUBSTANCE, "osm": _SUBSTANCE, "kat": Dimension(substance=1, time=-1),
    "U": Dimension(substance=1, time=-1), "[iU]": _ARBITRARY, "[IU]": _ARBITRARY,
    "Hz": _FREQUENCY, "Bq": _FREQUENCY, "N": _FORCE, "dyn": _FORCE, "Pa": _PRESSURE, "bar": _PRESSURE,
    "m[Hg]": _PRESSURE, "m[H2O]": _PRESSURE, "J": _ENERGY, "eV": _ENERGY, "cal": _ENERGY, "W": _POWER,
    "A": _CURRENT, "V": _VOLTAGE, "Ohm": _RESISTANCE, "S": _CONDUCTANCE, "F": _CAPACITANCE,
    "Wb": Dimension(length=2, time=-1, mass=1, charge=-1), "T": Dimension(time=-1, mass=1, charge=-1),
    "H": Dimension(length=2, mass=1, charge=-2), "lm": _LIGHT, "lx": Dimension(luminosity=1, length=-2),
    "L": _VOLUME, "l": _VOLUME, "Gy": _DOSE, "Sv": _DOSE, "Cel": _TEMPERATURE, "t": _MASS, "u": _MASS,
    "B": NUMBER, "Np": NUMBER, "bit": NUMBER, "By": NUMBER,
}  # fmt: skip
"""Units that take a prefix."""

_PLAIN: Final[dict[str, Dimension]] = {
    "%": NUMBER, "[ppth]": NUMBER, "[ppm]": NUMBER, "[ppb]": NUMBER, "[pptr]": NUMBER, "[pH]": NUMBER,
    "10*": NUMBER, "10^": NUMBER, "[pi]": NUMBER,
    "min": _TIME, "h": _TIME, "d": _TIME, "wk": _TIME, "mo": _TIME, "a": _TIME,
    "deg": _ANGLE, "'": _ANGLE, "''": _ANGLE, "[degF]": _TEMPERATURE, "[degR]": _TEMPERATURE,
    "[in_i]": _LENGTH, "[ft_i]": _LENGTH, "[yd_i]": _LENGTH, "[mi_i]": _LENGTH,
    "[sin_i]": Dimension(length=2), "[sft_i]": Dimension(length=2), "[cin_i]": _VOLUME,
    "[lb_av]": _MASS, "[oz_av]": _MASS, "[st_av]": _MASS, "[gr]": _MASS,
    "[foz_us]": _VOLUME, "[drp]": _VOLUME, "[psi]": _PRESSURE, "atm": _PRESSURE, "[lbf_av]": _FORCE,
    "[Cal]": _ENERGY, "[HP]": _POWER, "[diop]": Dimension(length=-1),
    "[MET]": Dimension(length=3, time=-1, mass=-1),
}  # fmt: skip

_PREFIXES: Final = frozenset(("da", *"YZEPTGMkhdcmunpfazy"))

_TOKEN = re.compile(r"[./()]|\{[!-z|~]*\}|10[*^]|(?:[A-Za-z%']|\[[A-Za-z0-9_]+\])+|[0-9]+|[+-][0-9]+")


@lru_cache(4096)
def dimension_of(unit: str) -> Dimension:
    """Return the dimension of `unit`. Raises `RemoteProtocolError` when the text is not a unit of the supported UCUM
    subset."""
    if not 1 <= len(unit) <= TEXT_LENGTH_MAX:
        raise RemoteProtocolError(f"a unit has 1 to {TEXT_LENGTH_MAX} characters", clause=_CLAUSE)
    return _Parser(unit).whole()


def same_quantity(unit: str, other: str) -> bool:
    """Return whether two units measure the same kind of quantity. Raises `RemoteProtocolError` for a text that is not a
    unit of the supported subset."""
    return dimension_of(unit) == dimension_of(other)


def without_annotations(unit: str) -> str:
    """Return the unit without its {annotations}, which do not change it: `{beat}/min` becomes `/min`."""
    return re.sub(r"\{[^{}]*\}", "", unit) or "1"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens: list[tuple[int, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise RemoteProtocolError("not a character of a unit", at=at, clause=_CLAUSE)
            self._tokens.append((at, found[0]))
            at = found.end()

    def whole(self) -> Dimension:
        """Parse the whole text of a unit as one term. Text after the term is an error."""
        found = self._term(0)
        if self._peek():
            raise self._wrong("a unit ends here")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _wrong(self, reason: str) -> RemoteProtocolError:
        at = self._tokens[self._at][0] if self._at < len(self._tokens) else len(self._text)
        return RemoteProtocolError(reason, at=at, clause=_CLAUSE)

    def _term(self, depth: int) -> Dimension:
        """Parse unit components joined by `.` and `/`, from left to right: g/m/s is g/(m.s)."""
        if depth > _DEPTH_MAX:
            raise self._wrong("parentheses are nested too deep")
        power = 1
        if self._peek() == "/":
            self._take()
            power = -1
        found = NUMBER.times(self._component(depth), power)
        while self._peek() in (".", "/"):
            power = 1 if self._take() == "." else -1
            found = found.times(self._component(depth), power)
        return found

    def _component(self, depth: int) -> Dimension:
        if self._peek() == "(":
            self._take()
            found = self._term(depth + 1)
            if self._take() != ")":
                self._at -= 1
                raise self._wrong("a closing parenthesis is missing")
            return found
        token = self._peek()
        if token.startswith("{"):
            self._take()
            return NUMBER
        if token.isdecimal():
            if token.startswith("0"):
                raise self._wrong("a factor is a positive number")
            self._take()
            self._annotation()
            return NUMBER
        dimension = _simple(token)
        if dimension is None:
            raise self._wrong("no unit is called so")
        self._take()
        exponent = self._exponent()
        self._annotation()
        return NUMBER.times(dimension, exponent)

    def _exponent(self) -> int:
        token = self._peek()
        if not token or not token.lstrip("+-").isdecimal():
            return 1
        exponent = int(token) if len(token) <= 2 else 0
        if not 0 < abs(exponent) <= _EXPONENT_MAX:
            raise self._wrong(f"an exponent is between 1 and {_EXPONENT_MAX}, with a sign or none")
        self._take()
        return exponent

    def _annotation(self) -> None:
        if self._peek().startswith("{"):
            self._take()


@lru_cache(1024)
def _simple(token: str) -> Dimension | None:
    """Return the dimension of a unit name, with or without a metric prefix, or None. A name without a prefix is
    preferred: `cd` is candela, not centi-day."""
    if token in _PLAIN:
        return _PLAIN[token]
    if token in _METRIC:
        return _METRIC[token]
    for length in (1, 2):
        if token[:length] in _PREFIXES and token[length:] in _METRIC:
            return _METRIC[token[length:]]
    return None
