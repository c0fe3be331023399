"""The npm package `argus-sdk`: its contents, its generated types, and its verification beside that of `protocols`.

The stories of all SDKs are in `test_stories`.
"""

import base64
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import RemoteProtocolError
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.key_period import KeyPeriod, read_period
from protocols.provenance.received import read_transcript
from protocols.provenance.signatures import Algorithm, MlDsaPublicKey
from protocols.provenance.verification import verify
from tests.builders.provenance_vectors import FOLDER as VECTORS
from tests.builders.typescript_types import GENERATED, generate
from tests.harness.typescript_sdk import FOLDER, run_script, shared_project

INTACT = "intact-ml-dsa-65.json"
KEYS = (VECTORS / "keys.json").read_text()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which the package is installed from its tarball."""
    return shared_project(tmp_path_factory)


def test_tarball_imports_only_its_declared_dependencies_and_node(project: Path) -> None:
    package = project / "node_modules" / "argus-sdk"
    declared = set(json.loads((package / "package.json").read_text())["dependencies"])
    named = re.compile(r"""(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*["']([^."'][^"']*)["']""")
    imported: set[str] = set()
    for path in package.rglob("dist/**/*.js"):
        imported |= set(named.findall(path.read_text()))
    packages = {"/".join(name.split("/")[: 2 if name[0] == "@" else 1]) for name in imported if name[:5] != "node:"}
    assert packages - {"argus-sdk"} == declared  # its own name, in the examples of comments


def test_canonical_json_gives_the_answers_of_rfc_8785(project: Path) -> None:
    known = json.loads((VECTORS / "rfc8785.json").read_text())
    texts = [case["input"] for case in known["objects"]]
    bits = [case["ieee754"] for case in (*known["numbers"], *known["refused"])]
    vectors = run_script(project, "vectors.mjs", {"canonical": texts, "numbers": bits})
    assert vectors["canonical"] == [case["canonical"] for case in known["objects"]]
    written = [case["canonical"] for case in known["numbers"]]
    assert vectors["numbers"][: len(written)] == written
    assert all("unusable" in found for found in vectors["numbers"][len(written) :])


@pytest.mark.contract("C-234")
def test_changed_transcript_has_the_same_faults_as_in_python(project: Path) -> None:
    rng = random.Random(7)
    texts = [changed(json.loads((VECTORS / "transcripts" / INTACT).read_text()), rng) for _ in range(40)]
    found = run_script(project, "vectors.mjs", {"keys": KEYS, "transcripts": [{"text": text} for text in texts]})
    for text, verdict in zip(texts, found["transcripts"], strict=True):
        expected = faults(text)
        assert verdict.get("unusable", verdict.get("broken_links")) == expected


class Published:
    """The published key of the vectors (`protocols` VerifyKeys)."""

    def find(self, algorithm: Algorithm, kid: str) -> MlDsaPublicKey | None:
        (entry,) = json.loads(KEYS)["keys"]
        if algorithm is not Algorithm.ML_DSA_65 or kid != entry["kid"]:
            return None
        return MlDsaPublicKey(base64.b64decode(entry["public_key"]))

    def period(self, _algorithm: Algorithm, _kid: str) -> KeyPeriod:
        (entry,) = json.loads(KEYS)["keys"]
        return read_period(entry)


def faults(text: str) -> list[dict[str, Any]] | str:
    """Return the faults of a transcript as `protocols` finds them, or the reason why it is unusable."""
    try:
        links = verify(read_transcript(json.loads(text)), Published()).broken_links
    except RemoteProtocolError as error:
        return error.reason
    return [{"record_id": one.record_id, "index": one.index, "reason": one.reason.value} for one in links]


def changed(transcript: dict[str, Any], rng: random.Random) -> str:
    """Return a transcript with one or two random changes as JSON text."""
    for _ in range(rng.randint(1, 2)):
        records = transcript["records"]
        holder = rng.choice([transcript, *records, *records])
        name = rng.choice(sorted(holder))
        match rng.randrange(6):
            case 0 if len(records) > 1:
                del records[rng.randrange(len(records))]
            case 1 if records:
                records.insert(rng.randrange(len(records) + 1), dict(rng.choice(records)))
            case 2:
                rng.shuffle(records)
            case 3:
                del holder[name]
                if "records" not in transcript:
                    break
            case 4:
                holder[name] = rng.choice([None, 1, 2**60, "", "x", [], {}, records[0]["signature"], records[0]["id"]])
                if not isinstance(transcript["records"], list) or not transcript["records"]:
                    break
            case _ if isinstance(text := holder[name], str) and text:
                at = rng.randrange(len(text))
                holder[name] = text[:at] + rng.choice("0aA") + text[at + 1 :]
    return json.dumps(transcript)


def test_json_is_read_and_written_as_python_does_it(project: Path) -> None:
    texts = [
        *(
            '{"b":1,"a":[true,false,null]}',
            " [ 1.0 , -0 , 1e2 , 1E400 ] ",
            '"\\u00e9\\ud83d\\ude00"',
            '"\\ud800"',
            '"a\tb"',
        ),
        *("9007199254740991", "9007199254740993", "1e30", "01", "1.", ".5", "+1", "NaN", "", "[1,]", '{"a":1,}'),
        *("[1] 2", '{"a":1,"a":2}', '{"__proto__":1,"constructor":2}', '{"\\u0061":1}'),
        *("[" * 33 + "]" * 33, "[" * 31 + "]" * 31),
    ]
    found = run_script(project, "vectors.mjs", {"canonical": texts})["canonical"]
    assert [one if isinstance(one, str) else None for one in found] == [canonical_of(text) for text in texts]


def canonical_of(text: str) -> str | None:
    """Return the canonical form as `protocols` writes it, None for a text that is refused."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(members)) != len(members):
            raise ValueError
        return dict(members)

    def refuse(_text: str) -> Any:
        raise ValueError

    try:
        return canonical_json(json.loads(text, object_pairs_hook=once, parse_constant=refuse)).decode()
    except (ValueError, RemoteProtocolError):
        return None


def test_response_that_does_not_end_is_an_error(project: Path) -> None:
    found = run_script(project, "limits.mjs", None)
    assert (found["endless"]["code"], found["endless"]["sent"]) == ("connection_failed", 1)
    assert found["endless"]["detail"] == "The response from api.example.org was not whole after 3600 s."
    assert (found["silent"]["code"], found["silent"]["sent"]) == ("connection_failed", 4)
    assert found["silent"]["detail"] == "No whole response from api.example.org: it took too long."


def test_generated_types_are_current(tmp_path: Path) -> None:
    generate(tmp_path)
    stale = [path.name for path in GENERATED.iterdir() if path.read_text() != (tmp_path / path.name).read_text()]
    assert stale == [], "run python -m tests.builders.typescript_types"


def test_package_imports_only_what_it_declares(project: Path) -> None:
    package = project / "node_modules" / "argus-sdk"
    manifest = json.loads((package / "package.json").read_text())
    texts = "\n".join(path.read_text() for path in (package / "dist").rglob("*.js"))
    imported = set(
        re.findall(r'^(?:import|export) [\w*{},\s]*from "((?:@[\w-]+/)?[\w:-]+)[^"]*"', texts, re.MULTILINE)
    ) - {
        "node:fs",
        "node:path",
    }
    assert imported == set(manifest["dependencies"]) == {"@noble/hashes", "@noble/post-quantum"}
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    assert not any("resolved" in one for one in lock["packages"].values()), "no address of a registry"


def test_version_of_the_package_is_the_newest_of_its_changelog() -> None:
    manifest = json.loads((FOLDER / "package.json").read_text())
    newest = re.search(r"^## (\S+)", (FOLDER / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == manifest["version"]
