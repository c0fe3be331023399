"""The weaknesses that the first reviews found: `FINDINGS` maps the id that tests name in `@pytest.mark.finding(...)` to
a description of the weakness.

The prefix of an id names its review: an attack (`security-`), a reliability run (`reliability-`), critical readings of
the cloud (`cloud-`) and of the gateway (`edge-C`, and `edge-check-` for independent checks), and a run on a booted
Debian (`fleet-`).

Each finding has a test that failed on the reviewed commit, 012a22d. 9de1a70 is the last commit whose tests run against
the reviewed product, because modules were renamed later. At 9de1a70, `python -m tests.tidy.findings --old TREE` runs
these tests on the reviewed product and prints their results. `python -m tests.tidy.findings` prints each finding with
its tests.
"""

import ast
import sys
from collections.abc import Iterator

from tests.tidy.sources import ROOT

FINDINGS = {
    "security-1": "a Host header with inner spaces freezes the cloud",
    "security-2": "one signed message stops ingest for every tenant",
    "security-3": "one vehicle's broker login takes the fleet's messages",
    "security-4": "a JSON body with many escaped quotes freezes the cloud",
    "security-5": "an unauthenticated TCP agent replaces and locks out the cabled defibrillator",
    "security-6": "a stolen gateway cannot be shut out",
    "security-7": "a gateway takes over another's MQTT session, or writes into another tenant's topics",
    "security-8": "silent sockets starve every TCP device",
    "security-9": "invented device ids flood the lane of events",
    "security-10": "silent connections to the crew page use up the gateway's descriptors",
    "security-11": "wrong PINs from elsewhere lock out the crew's tablet",
    "security-12": "slow bodies use up the cloud's places for requests",
    "security-13": "a tenant's administrator rotates the installation's signing key without limit",
    "security-low-cookies": "a raw byte in a cookie is a server error in the cloud",
    "security-low-crew-input": "a raw cookie, charset or form without boundary is a server error on the crew page",
    "security-low-crew-host": "the crew page accepts any Host",
    "security-low-server-header": "the crew page names its software and versions",
    "security-low-crew-origin": "a foreign Origin reaches the check of the PIN",
    "security-low-names": "user names with bidirectional, invisible or look-alike characters",
    "security-low-descriptions": "webhook descriptions with line breaks and bidirectional controls",
    "security-low-head": "a request head above the limit is accepted when it arrives in one read",
    "security-low-hashes": "pinned packages without hashes, an unpinned build backend",
    "security-low-log-values": "the cloud's logs keep the values of exceptions",
    "reliability-A1": "a store that cannot be opened takes the crew page and the devices away",
    "reliability-A2": "a damaged page stalls every lane, and nothing reports it",
    "reliability-A3": "the advice for recovering a store leads back to the refusal",
    "reliability-B": "a rolled-back store is taken for a clone",
    "reliability-C": "a full disk freezes live values and drops what a foreign file displaced",
    "reliability-D": "the uncertainty is false without a synchronised clock",
    "reliability-E": "confirmed readings of a device whose clock stands still vanish",
    "reliability-F": "the cloud deletes no observations, batches and content keys",
    "reliability-G": "the cloud does not see its own damage, and migrate replaces a lost database",
    "reliability-H": "ingest on a fresh PostgreSQL runs on a plan without statistics",
    "reliability-I": "a short connection that delivered counts as a failure",
    "reliability-J": "lost PUBACKs stall the uplink",
    "cloud-1": "a valid token is refused for other callers' failures",
    "cloud-2": "sweeps remove one portion per turn",
    "cloud-3": "private names of aiohttp in many files, behind a wide range of versions",
    "cloud-4": "posting groups lock devices in order of arrival",
    "cloud-5": "a burst of parallel sign-ins passes the throttle",
    "cloud-6": "a DELETE without a bound in one transaction",
    "cloud-7": "deleting deliveries scans the whole table",
    "cloud-8": "counting the outbox and searching the audit trail without an index",
    "cloud-9": "another organisation's reply is replayed for the same idempotency key",
    "cloud-10": "Idempotency-Key is not echoed",
    "cloud-11": "a COMMIT that timed out is reported as undone",
    "edge-C1": "one damaged page stops every lane",
    "edge-C2": "identity keys lie unsealed on disk",
    "edge-C3": "values that a Bluetooth stack confirmed vanish",
    "edge-C4": "a hanging name look-up delays the gateway's exit",
    "edge-C5": "the crew's session follows the wall clock",
    "edge-C6": "the watchdog waits for commits",
    "edge-C7": "stored events are reported lost when the loss record fails",
    "edge-C8": "one observation without a form refuses the whole report",
    "edge-C9": "events of an association without a consumer",
    "edge-check-1": "bytes behind a complete observation list refuse its values",
    "edge-check-2": "a confirmed report is accepted where nothing could be kept",
    "edge-check-3": "counts of a device mislead",
    "edge-check-6": "messages and exit codes that hide a failure",
    "edge-check-7": "silent connections keep a device out, and invented ids evict real entries",
    "fleet-1": "the shipped gateway unit dies with SIGSYS on a booted Debian 13",
    "fleet-2": "a certificate may use another gateway's client id",
    "fleet-3": "the broker ends at systemd's default limit of descriptors",
}
"""Map the id of each finding to a short description."""

ELSEWHERE = {
    "edge-check-4": "writes to disk are measured and reduced with the larger batches",
    "edge-check-5": "one APDU per read is a bar of the decoder's own issue",
}
"""Map each finding that is resolved in another issue to that issue."""


def marked_tests() -> dict[str, list[str]]:
    """Map each finding to the tests that name it, as `path` or `path::name`."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        source = path.read_text()
        if "mark.finding(" not in source:
            continue
        for name, finding in _marks_of(ast.parse(source)):
            place = str(path.relative_to(ROOT)) + (f"::{name}" if name else "")
            found.setdefault(finding, []).append(place)
    return found


def _marks_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (name, finding) for each mark in a file; the name of the marked test is empty if the mark is on the whole
    file."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    name = node.name if inner is node else f"{node.name}::{inner.name}"
                    for mark in inner.decorator_list:
                        yield from ((name, finding) for finding in _findings_in(mark))
        else:
            yield from (("", finding) for finding in _findings_in(node))


def _findings_in(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.finding":
            yield from (a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def main() -> None:
    tests = marked_tests()
    for finding, weakness in FINDINGS.items():
        sys.stdout.write(f"{finding}: {weakness}\n")
        for place in tests.get(finding, ["no test"]):
            sys.stdout.write(f"  {place}\n")


if __name__ == "__main__":
    main()
