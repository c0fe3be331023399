"""Write a document of NEMSIS: lines of XML with indentation."""

from collections.abc import Iterable, Mapping, Sequence

NAMESPACE = "http://www.nemsis.org"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
VERSION = "3.5.1.250403CP1"
"""Version of NEMSIS whose rules are in our table: 3.5.1 with its critical patch of 3 April 2025."""
SCHEMA = f"https://nemsis.org/media/nemsis_v3/{VERSION}/XSDs/NEMSIS_XSDs/EMSDataSet_v3.xsd"

_IN_HEADER = " " * 4
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = {**_IN_TEXT, **str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})}


def leaf_line(name: str, text: str | None, attributes: Mapping[str, str]) -> str:
    """Return an element with this text. `text` None: an element without content, which `xsi:nil` declares."""
    if text is None:
        return f"<{name}{_attributes({'xsi:nil': 'true', **attributes})}/>"
    return f"<{name}{_attributes(attributes)}>{text.translate(_IN_TEXT)}</{name}>"


def branch_lines(name: str, children: Sequence[str], attributes: Mapping[str, str] | None = None) -> list[str]:
    """Return an element with these lines as its children."""
    # A text of several lines must not be indented, since white space is part of it.
    indented = (f"  {line}" for line in children)
    return [f"<{name}{_attributes(attributes or {})}>", *indented, f"</{name}>"]


def report_text(lines: Sequence[str]) -> bytes:
    """Return the lines of a report as the part of a document that `whole_document` takes."""
    return "".join(f"{_IN_HEADER}{line}\n" for line in lines).encode()


def whole_document(agency: Sequence[str], reports: Iterable[bytes]) -> bytes:
    """Return the document of an agency, given by the lines of its group, with reports as `report_text` returns them."""
    declared = {"xmlns": NAMESPACE, "xmlns:xsi": XSI, "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}"}
    begin = ['<?xml version="1.0" encoding="UTF-8"?>', f"<EMSDataSet{_attributes(declared)}>", "  <Header>"]
    text = "".join(f"{line}\n" for line in (*begin, *(f"{_IN_HEADER}{line}" for line in agency)))
    return b"".join((text.encode(), *reports, b"  </Header>\n</EMSDataSet>\n"))


def _attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f' {name}="{value.translate(_IN_ATTRIBUTE)}"' for name, value in attributes.items())
