"""A value in two columns: a finite number in `number`, any other value as JSON in `value`. Decoding loses nothing.

The form of the JSON shows the kind of value, so that a query can read it: an integer holds bits, a string is a text, an
array is a compound (numbers, or names of special values), an object is a code or a special value.
"""

from typing import Any

import orjson

from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Scalar, Special, Value

_SPECIAL_NAMES = {special.value: special for special in Special}


def value_columns(value: Value | None) -> tuple[float | None, str | None]:
    """Return the columns `number` and `value`. Both are None for an array of samples, which has the value None."""
    if type(value) is float:
        return value, None
    if value is None:
        return None, None
    return None, orjson.dumps(_document(value)).decode()


def value_of(number: float | None, text: str | None) -> Value | None:
    """Decode a value from its two columns: `number`, and `text` from the column `value`. Raises `ValueError` for JSON
    that the cloud never writes."""
    if text is None:
        return number
    match orjson.loads(text):
        case int() | str() as plain:
            return plain
        case list() as scalars:
            return tuple(_scalar(scalar) for scalar in scalars)
        case {"code": [int() as partition, int() as code]}:
            return Code(partition, code)
        case {"special": str() as name}:
            return _SPECIAL_NAMES[name]
        case _:
            raise ValueError("not the JSON of a value")


def _document(value: Value) -> Any:
    if isinstance(value, Special):
        return {"special": value.value}
    if isinstance(value, Code):
        return {"code": [value.partition, value.code]}
    if isinstance(value, tuple):
        return [scalar.value if isinstance(scalar, Special) else scalar for scalar in value]
    return value


def _scalar(scalar: Any) -> Scalar:
    return _SPECIAL_NAMES[scalar] if isinstance(scalar, str) else float(scalar)
