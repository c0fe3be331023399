"""Judges of NEMSIS documents from outside: the published schema (lxml) and the published rules (saxonche).

Neither is part of this repository: a test that needs them is skipped where they are absent.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from lxml import etree

from tests.builders.nemsis_schema import SCHEMAS, VERSION
from tests.harness.shared import shared_path

RULES = f"{VERSION}/Schematron/rules/EMSDataSet.sch"
RULE_CASES = f"{VERSION}/schematron_tests_ems.tar.xz"
STYLESHEETS = f"{VERSION}/Schematron/DevelopmentKit/Schematron/utilities/iso-schematron-xslt2"
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"


class Finding(NamedTuple):
    """A rule that a document breaks."""

    rule: str
    is_error: bool


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(shared_path(SCHEMAS) / "EMSDataSet_v3.xsd"))


def schema_faults(document: bytes) -> list[str]:
    """Return what the published schema does not permit in a document."""
    schema = _schema()
    schema.validate(etree.fromstring(document))
    return [f"{error.line}: {error.message}" for error in schema.error_log]


@cache
def _rules() -> tuple[Any, Any]:
    """Return the processor and the published rules, compiled; this takes about three seconds."""
    from saxonche import PySaxonProcessor

    folder = shared_path(STYLESHEETS)
    processor = PySaxonProcessor(license=False)
    xslt = processor.new_xslt30_processor()
    text = shared_path(RULES).read_text()
    for name in ("iso_dsdl_include.xsl", "iso_abstract_expand.xsl", "iso_svrl_for_xslt2.xsl"):
        stylesheet = xslt.compile_stylesheet(stylesheet_file=str(folder / name))
        stylesheet.set_parameter("allow-foreign", processor.make_string_value("true"))
        text = stylesheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=text))
    return processor, xslt.compile_stylesheet(stylesheet_text=text)


def rule_findings(document: bytes) -> list[Finding]:
    """Return the published rules that a document breaks, in the order of the report."""
    processor, rules = _rules()
    report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=document.decode("utf-8-sig")))
    return findings_of(report)


def findings_of(report: str) -> list[Finding]:
    """Return the broken rules of a report in the Schematron Validation Report Language."""
    root = ElementTree.fromstring(report)  # noqa: S314 - from the processor or the published cases
    return [
        Finding(str(each.get("id")), "ERROR" in str(each.get("role")))
        for each in root.iter()
        if each.tag in (f"{_SVRL}failed-assert", f"{_SVRL}successful-report")
    ]


def published_samples() -> list[Path]:
    """Return the published reports that the schema permits."""
    folder = shared_path(VERSION)
    return sorted([*folder.glob("SampleData/EMS/xml/*.xml"), *folder.glob("Compliance/Pre-Testing/xml/full/*EMS*.xml")])
