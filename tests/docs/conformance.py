"""`python -m tests.docs.conformance`: write the tables of the device maker's guide from the tables in the code.

Each table is between two marks in `docs/device-maker.md`; the text between them is replaced. A test compares the
committed text with the generated text, so the guide cannot state what the code does not do. Where no table in the code
shows how an attribute, an action or a code is used, the source files are searched for its name.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import protocols.ieee11073 as ieee11073
from protocols.ble.interpretation import RecordNumbering, Use
from protocols.ble.services import PROFILES
from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.association import AbortReason, AssociateResult, ReleaseRequestReason
from protocols.ieee11073.apdu.data import ConfigResult, ErrorValue, EventType, RejectProblem
from protocols.ieee11073.association.manager_table import MANAGER
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings
from protocols.ieee11073.association.states import Row
from protocols.ieee11073.dim.attribute import PARTITION_INFRASTRUCTURE, SHAPING, Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.dim.report_forms import SCAN_REPORTS
from protocols.ieee11073.dim.value_fields import TIME_STAMPS, VALUES
from protocols.ieee11073.dim.words import attribute_name, attribute_words
from protocols.ieee11073.mder import OpenIntEnum
from protocols.ieee11073.nomenclature import Code, name_of
from protocols.ieee11073.specializations.extended import EXTENDED_CONFIGURATIONS
from protocols.ieee11073.specializations.profiles import SPECIALIZATIONS
from protocols.ieee11073.tolerances import Oddity, Outcome

GUIDE = Path(__file__).parents[2] / "docs" / "device-maker.md"
ENGINE = Path(ieee11073.__file__).parent

Lines = Iterable[str]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def hexadecimal(number: int) -> str:
    return f"`0x{number:04X}`"


# Event reports.


def report_forms() -> Lines:
    rows = []
    for event_type in EventType:
        form = SCAN_REPORTS.get(event_type)
        kind = f"{event_type.name.lower().replace('_', '-')}"
        if form is None:
            taken = "configuration report" if event_type is EventType.CONFIG else "segment of a PM-store"
            rows.append((f"{int(event_type)}", kind, taken, "–", "–"))
        else:
            persons = "several" if form.persons else "one"
            rows.append((f"{int(event_type)}", kind, f"scan report, {form.form.value}", form.reporter.value, persons))
    return table(("event type", "name", "what it is", "reporter", "persons"), rows)


# Attributes.

WORKS: dict[str, str] = {
    r"dim/identity\.py": "read from the MDS",
    r"association/clock_setting\.py": "the device's clocks",
    r"association/scanners\.py": "how a scanner is enabled and watched",
    r"association/(pm_store|segment|fetched)\w*\.py": "memory",
    r"dim/segment\w*\.py": "memory",
    r"dim/configuration\.py": "how reports lie",
}
"""Map the manager's source files to what an attribute is used for when its name appears there."""

SHOWN = {Attribute.REG_CERT_DATA_LIST: "certificates, in the device report"}


def roles(attribute: Attribute) -> Iterator[str]:
    if attribute in VALUES:
        yield "a value"
    if attribute in TIME_STAMPS:
        yield "time stamp of an observation"
    if attribute is Attribute.MEASUREMENT_STATUS:
        yield "status of a value"
    if attribute in SHAPING:
        yield "what values mean; a report may change it"
    if attribute in SHOWN:
        yield SHOWN[attribute]
    for file, role in WORKS.items():
        if any(re.search(rf"\bAttribute\.{attribute.name}\b", text) for text in _texts(file)):
            yield role


@cache
def _texts(pattern: str) -> tuple[str, ...]:
    files = [
        path for path in sorted(ENGINE.rglob("*.py")) if re.fullmatch(pattern, path.relative_to(ENGINE).as_posix())
    ]
    assert files, f"no file of the engine is called {pattern}"
    return tuple(path.read_text() for path in files)


def attributes() -> Lines:
    rows = []
    for attribute in sorted(Attribute):
        found = list(dict.fromkeys(roles(attribute)))
        words = attribute_words(attribute, b"\x00\x00") is not None
        rows.append(
            (
                str(int(attribute)),
                f"`{attribute_name(attribute)}`",
                "; ".join(found) or ("shown in the device report" if words else "kept as sent"),
            )
        )
    return table(("id", "attribute", "what it is used for"), rows)


# Services and responses.

AGENT_FILES = re.compile(r"agent\w*\.py$")


def sources(*, of_agent: bool) -> str:
    files = sorted((ENGINE / "association").glob("*.py"))
    return "\n".join(path.read_text() for path in files if bool(AGENT_FILES.search(path.name)) is of_agent)


def named(member: OpenIntEnum, text: str) -> str:
    return "yes" if re.search(rf"\b{type(member).__name__}\.{member.name}\b", text) else "–"


def actions() -> Lines:
    manager, agent = sources(of_agent=False), sources(of_agent=True)
    rows = [
        (str(int(member)), member.name.lower().replace("_", "-"), named(member, manager), named(member, agent))
        for member in ActionType
    ]
    return table(("action type", "name", "our manager asks for it", "our simulated agents do it"), rows)


ANSWERS: tuple[tuple[str, type[OpenIntEnum]], ...] = (
    ("AARE result", AssociateResult),
    ("configuration result", ConfigResult),
    ("ROER error-value", ErrorValue),
    ("RORJ problem", RejectProblem),
    ("ABRT reason", AbortReason),
    ("RLRQ reason", ReleaseRequestReason),
)


def answers() -> Lines:
    """Return the table of all named result and error codes, and whether the manager's source uses each of them."""
    manager = sources(of_agent=False)
    rows = [
        (kind, str(int(member)), member.name.lower().replace("_", "-"), named(member, manager))
        for kind, codes in ANSWERS
        for member in codes
    ]
    return table(("code", "number", "name", "our manager sends it"), rows)


def state_rows() -> Lines:
    """Return the manager's state table with one line for each row number of the standard: states, inputs, actions and
    next states."""
    by_number: dict[str, list[Row]] = {}
    for row in MANAGER:
        by_number.setdefault(row.number, []).append(row)
    rows = [
        (
            number,
            _words(dict.fromkeys(row.state.name for row in found)),
            _words(dict.fromkeys(row.input.name for row in found)),
            _words(dict.fromkeys(row.action.name for row in found)),
            _words(dict.fromkeys(row.next.name for row in found)),
        )
        for number, found in sorted(by_number.items(), key=lambda item: _paper_order(item[0]))
    ]
    return table(("row", "state", "what comes", "what we do", "next state"), rows)


def _paper_order(number: str) -> tuple[int, int, str]:
    """Return the key that sorts row numbers as the standard does: 8.2 before 8.16, and our own rows, which end in
    letters, last."""
    state, _, row = number.partition(".")
    return int(state), int(row) if row.isdecimal() else sys.maxsize, row


def _words(names: Iterable[str]) -> str:
    return ", ".join(name.lower().replace("_", " ") for name in names)


# Time-outs and limits, with the docstrings of the settings.


def time_outs() -> Lines:
    rows = [
        (f"`{name}`", _default(settings, name), text)
        for settings in (ManagerSettings, PmStoreSettings)
        for name, text in documented(settings)
        if not isinstance(getattr(settings(), name), PmStoreSettings)
    ]
    return table(("setting of the engine", "value", "what it is"), rows)


def documented(settings: type) -> Iterator[tuple[str, str]]:
    """Yield (name, docstring) of each field in a settings class."""
    tree = ast.parse((ENGINE / "association" / "settings.py").read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == settings.__name__]
    for field, text in zip(found.body, found.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            yield field.target.id, " ".join(str(text.value.value).split())


def _default(settings: type, name: str) -> str:
    value = getattr(settings(), name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "never"
    return f"{value:g} s" if isinstance(value, float) else str(value)


# Specialisations.


def specialisations() -> Lines:
    rows = []
    for each in SPECIALIZATIONS:
        known = ", ".join(hexadecimal(configuration.config_id) for configuration in each.configurations)
        asked = hexadecimal(each.unconfirmed_id) if each.unconfirmed_id is not None else ""
        rows.append(
            (
                each.name,
                each.part or "–",
                f"{each.profile} `{name_of(Code(PARTITION_INFRASTRUCTURE, each.profile))}`",
                known or "none",
                f"{asked}: asked for" if asked else "–",
            )
        )
    return table(("device", "part of 11073", "profile", "known without a request", "not confirmed"), rows)


def configurations() -> Lines:
    standard = [configuration for each in SPECIALIZATIONS for configuration in each.configurations]
    return table(
        ("id", "handle", "object", "unit", "fixed form, in order (octets)"),
        (row for configuration in (*standard, *EXTENDED_CONFIGURATIONS) for row in _objects(configuration)),
    )


def _objects(configuration: Configuration) -> Iterator[tuple[str, ...]]:
    for item in configuration.objects:
        values = attributes_of(item.attributes)
        kind, unit = (
            attribute_words(number, values[number]) if number in values else None
            for number in (Attribute.TYPE, Attribute.UNIT_CODE)
        )
        lies = values.get(Attribute.ATTRIBUTE_VALUE_MAP)
        mapped = None if lies is None else attribute_words(Attribute.ATTRIBUTE_VALUE_MAP, lies)
        yield (
            hexadecimal(configuration.config_id),
            str(item.obj_handle),
            f"`{kind}`" if kind else _class(item.obj_class),
            f"`{unit}`" if unit else "–",
            (mapped or "–").replace("MDC_ATTR_", ""),
        )


def _class(number: int) -> str:
    return ObjectClass(number).name.lower().replace("_", " ")


# Tolerated deviations.


def oddities(outcomes: frozenset[Outcome]) -> Lines:
    rows = [
        (
            f"`{one.key}`",
            re.sub(r"\{(\w+)\}", r"*\1*", one.sentence).replace("_", " "),
            one.clause or "as read",
            f"{one.done} {one.why}",
        )
        for one in Oddity
        if one.outcome in outcomes
    ]
    return table(("key", "it says", "clause", "what we do, and why"), rows)


# Bluetooth.

USES = {Use.READ: "read", Use.SUBSCRIBE: "subscribed", Use.WRITE: "written"}
STORES = {
    RecordNumbering.NONE: "all records",
    RecordNumbering.SEQUENCE_NUMBER: "by sequence number",
    RecordNumbering.TIME_OFFSET: "by time offset",
    RecordNumbering.RECORD_NUMBER: "by record number",
}


def ble_services() -> Lines:
    rows = []
    for profile in PROFILES.values():
        for use in profile.characteristics:
            needed = "yes" if use.required else "one of these" if use.uuid in profile.required_any else ""
            how = ", ".join(words for each, words in USES.items() if each in use.uses)
            rows.append((profile.name, hexadecimal(use.uuid), use.name, how, needed, use.fields or "–"))
    return table(("service", "UUID", "characteristic", "what we do", "required", "what is understood"), rows)


def ble_record_stores() -> Lines:
    rows = [
        (profile.name, hexadecimal(profile.service), STORES[profile.record_store])
        for profile in PROFILES.values()
        if profile.record_store is not None
    ]
    return table(("service", "UUID", "asked for what is new"), rows)


TABLES: dict[str, Callable[[], Lines]] = {
    "report-forms": report_forms,
    "attributes": attributes,
    "actions": actions,
    "answers": answers,
    "state-rows": state_rows,
    "time-outs": time_outs,
    "specialisations": specialisations,
    "configurations": configurations,
    "ble-services": ble_services,
    "ble-record-stores": ble_record_stores,
    "tolerated": lambda: oddities(frozenset({Outcome.TOLERATED})),
    "refused": lambda: oddities(frozenset({Outcome.REFUSED, Outcome.ENDED})),
}


def filled(text: str) -> str:
    """Return the guide's text with every table generated from the code. Raise KeyError for a mark with an unknown
    table."""

    def put(found: re.Match[str]) -> str:
        lines = "\n".join(TABLES[found["name"]]())
        return f"<!-- table: {found['name']} -->\n{lines}\n<!-- end -->"

    return re.sub(r"<!-- table: (?P<name>[\w-]+) -->\n.*?<!-- end -->", put, text, flags=re.DOTALL)


if __name__ == "__main__":
    GUIDE.write_text(filled(GUIDE.read_text()))
    print(f"{GUIDE.name}: {len(re.findall('<!-- table: ', GUIDE.read_text()))} tables", file=sys.stderr)
