"""Check a document with the operator's copy of the NEMSIS schema, which has no licence and is not part of Argus."""

from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from cloud.clinical.nemsis.errors import SchemaUnusable

FILE = "EMSDataSet_v3.xsd"
FAULTS_MAX = 200
"""Faults that are reported. More have one cause, such as the schema of another version."""

_MEANINGS = {
    "SCHEMAV_CVC_ENUMERATION_VALID": "The code is not in the list of the schema.",
    "SCHEMAV_CVC_PATTERN_VALID": "The value does not have the form of the schema.",
    "SCHEMAV_CVC_MINLENGTH_VALID": "The value is too short.",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "The value is too long.",
    "SCHEMAV_CVC_LENGTH_VALID": "The value does not have the length of the schema.",
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "The value is too small.",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "The value is too large.",
    "SCHEMAV_ELEMENT_CONTENT": "The schema does not permit the element here.",
}


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """A fault that the schema finds. Its text never repeats a value, which may be patient data."""

    line: int
    name: str
    text: str


class Schema:
    """The schema of a folder. Raises `SchemaUnusable`."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        try:
            # The operator's own files; they include only each other, and nothing is read from a network.
            self._schema = etree.XMLSchema(etree.parse(path, etree.XMLParser(no_network=True, resolve_entities=False)))
        except OSError:
            raise SchemaUnusable(f"({path} cannot be read.)") from None
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError):
            raise SchemaUnusable(f"({path} is not a schema that can be loaded.)") from None

    def faults(self, document: bytes) -> list[SchemaFault]:
        """Return the faults of a document that was written or read by `protocols.nemsis`, at most `FAULTS_MAX`."""
        tree = etree.fromstring(document, etree.XMLParser(no_network=True, resolve_entities=False))
        if self._schema.validate(tree):
            return []
        faults = []
        for error in list(self._schema.error_log)[:FAULTS_MAX]:
            text = _MEANINGS.get(error.type_name, "The schema does not permit the element as it is.")
            named = tree.xpath(error.path) if error.path else []
            name = etree.QName(named[0]).localname if named else "document"
            faults.append(SchemaFault(error.line, name, text))
        return list(dict.fromkeys(faults))
