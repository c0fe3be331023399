"""`argus-verify` checks a transcript from a file, with published keys, without a network and without the cloud."""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from argus_sdk.verify import command, files
from tests.builders.provenance_vectors import FOLDER
from tests.tidy.sources import ROOT

KEYS = str(FOLDER / "keys.json")
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())
INTACT = FOLDER / "transcripts" / "intact-ml-dsa-65.json"
SOURCES = os.pathsep.join((str(ROOT), str(ROOT / "sdk" / "python" / "src")))
ENVIRONMENT = {**os.environ, "PYTHONPATH": SOURCES}


@dataclass(frozen=True)
class Run:
    """The output of a run of the program, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str


def run(*words: str | Path) -> Run:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command.run([str(word) for word in words])
    return Run(code, out.getvalue(), err.getvalue())


def saved(folder: Path, value: Any) -> Path:
    path = folder / "file.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize("name", [name for name in EXPECTED if "hmac" not in name])
@pytest.mark.contract("C-233", "C-235", "C-247", "A-119", "S-160")
def test_published_transcript_is_reported_as_expected(name: str) -> None:
    names = ("--evidence", "evd_test", "--tenant", "tnt_test")
    found = run(FOLDER / "transcripts" / name, "--keys", KEYS, "--json", *names)
    report = json.loads(found.stdout)
    assert report["valid"] is EXPECTED[name]["valid"]
    assert report["broken_links"] == EXPECTED[name]["broken_links"]
    assert report["graph"] == ("matches" if name.endswith("ld") else "absent")
    assert found.exit_code == (0 if report["valid"] else 1)


@pytest.mark.parametrize("language", ["en", "pl"])
def test_command_of_the_provenance_guide_verifies_a_transcript(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = ROOT / "cloud" / "partners" / "docs" / "guides" / language / "provenance.md"
    (words,) = re.findall(r"(?m)^argus-env/bin/argus-verify (.+)$", guide.read_text())
    shutil.copy(INTACT, tmp_path / "transcript.json")
    shutil.copy(KEYS, tmp_path / "keys.json")
    monkeypatch.chdir(tmp_path)
    assert run(*words.split()).exit_code == 0


PERIODS: dict[str, Any] = json.loads((FOLDER / "expected-periods.json").read_text())


@pytest.mark.parametrize("keys", PERIODS)
@pytest.mark.contract("C-235", "A-127")
def test_key_that_was_withdrawn_or_did_not_sign_then_is_reported_as_expected(keys: str) -> None:
    found = run(FOLDER / "transcripts" / PERIODS[keys]["transcript"], "--keys", FOLDER / keys, "--json")
    report = json.loads(found.stdout)
    assert {name: report[name] for name in ("outcome", "valid", "broken_links")} == {
        name: value for name, value in PERIODS[keys].items() if name != "transcript"
    }
    assert found.exit_code == {"unverifiable": 3, "broken": 1}[report["outcome"]]


def test_change_beside_a_withdrawn_key_is_not_intact() -> None:
    found = run(FOLDER / "transcripts" / "tampered-value.json", "--keys", FOLDER / "keys-withdrawn.json")
    assert found.exit_code == 1
    assert found.stdout.startswith("NOT INTACT.")


def test_text_states_what_a_withdrawn_key_still_allows() -> None:
    found = run(INTACT, "--keys", FOLDER / "keys-withdrawn.json").stdout
    assert found.startswith("NOT VERIFIED. Each signature fits, but a key was withdrawn")
    assert "5 faults:" in found
    assert "time stamp from before the withdrawal" in found


def test_text_names_the_changed_record_in_words() -> None:
    found = run(FOLDER / "transcripts" / "tampered-value.json", "--keys", KEYS)
    assert found.stdout.startswith("NOT INTACT.")
    assert "Record 3 (01JTEST0000000000000000002): The signature does not fit. The record was changed" in found.stdout
    assert "Records      4, 3 of them without a fault" in found.stdout
    assert found.exit_code == 1


def test_text_ties_the_result_to_the_bytes_of_the_files_and_states_what_it_does_not_show() -> None:
    found = run(INTACT, "--keys", KEYS).stdout
    assert found.startswith("INTACT.")
    for path in (INTACT, Path(KEYS)):
        assert f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" in found
    assert "Signed       2026-" in found
    assert "does not show whether the evidence has later records" in found


def test_key_that_the_given_keys_lack_is_a_fault_with_both_possible_reasons() -> None:
    found = run(FOLDER / "transcripts" / "tampered-key_id.json", "--keys", KEYS)
    assert found.exit_code == 1
    assert found.stdout.startswith("NOT INTACT, or the file of keys is not complete")
    assert "get the cloud's /.well-known/provenance-keys/ml-dsa-65 again" in found.stdout


@pytest.mark.contract("C-235")
def test_absent_keys_and_secret_keys_are_no_verification() -> None:
    hmac = run(FOLDER / "transcripts" / "intact-hmac-sha256.json", "--keys", KEYS)
    assert hmac.exit_code == 3
    assert hmac.stdout.startswith("NOT VERIFIED.")
    assert "algorithm=ml-dsa-65" in hmac.stdout
    without = run(INTACT)
    assert without.exit_code == 3
    assert "--keys" in without.stdout


def test_transcript_of_other_evidence_than_expected_is_reported() -> None:
    found = run(INTACT, "--keys", KEYS, "--evidence", "evd_other", "--json")
    assert json.loads(found.stdout)["broken_links"][0]["reason"] == "evidence_mismatch"


@pytest.mark.contract("A-129")
def test_content_is_compared_with_the_record(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"other")
    record = json.loads(INTACT.read_text())["records"][1]["id"]
    found = run(INTACT, "--keys", KEYS, "--content", f"{record}={content}", "--json")
    report = json.loads(found.stdout)
    assert (report["content"], report["content_records"]) == ("checked", 1)
    assert report["broken_links"] == [{"record_id": record, "index": 1, "reason": "content_hash_mismatch"}]
    in_words = run(INTACT, "--keys", KEYS, "--content", f"{record}={content}").stdout
    assert "compared with the given files for 1 of 4 records" in in_words
    assert json.loads(run(INTACT, "--keys", KEYS, "--json").stdout)["content"] == "not_checked"


@pytest.mark.contract("A-119", "C-215")
def test_changed_graph_is_reported_though_the_transcript_in_it_is_intact(tmp_path: Path) -> None:
    document = json.loads((FOLDER / "transcripts" / "intact-ml-dsa-65.jsonld").read_text())
    document["@context"][1]["prov"] = "urn:other:"
    found = run(saved(tmp_path, document), "--keys", KEYS, "--json")
    assert json.loads(found.stdout)["broken_links"] == [{"record_id": None, "index": None, "reason": "graph_mismatch"}]


def test_transcript_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(INTACT.read_bytes())))
    assert run("-", "--keys", KEYS).exit_code == 0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "too deeply"),
        ('{"a": 1, "a": 2}', "member twice"),
        ('{"a": NaN}', "not a number"),
        ("{}", "records is not a list"),
        ('{"@graph": 1}', "no argus:transcript"),
        ('{"@graph": [{"argus:transcript": {"@value": {"records": 1}}}]}', "records is not a list"),
    ],
)
@pytest.mark.contract("S-164")
def test_unusable_transcript_is_refused_with_the_reason(tmp_path: Path, text: str, fault: str) -> None:
    found = run(saved(tmp_path, text), "--keys", KEYS)
    assert found.exit_code == 2
    assert fault in found.stderr


def test_document_whose_name_is_no_unicode_text_is_unusable_and_not_changed(tmp_path: Path) -> None:
    document = json.loads((FOLDER / "transcripts" / "intact-ml-dsa-65.jsonld").read_text())
    (transcript,) = [node["argus:transcript"]["@value"] for node in document["@graph"] if "argus:transcript" in node]
    transcript["tenant_id"] = "\ud800"
    found = run(saved(tmp_path, document), "--keys", KEYS)
    assert found.exit_code == 2
    assert "tenant_id is not Unicode text" in found.stderr


def changed_key(**members: Any) -> dict[str, Any]:
    (key,) = json.loads(Path(KEYS).read_text())["keys"]
    return {"keys": [key | members]}


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"keys": [{"kid": "k", "alg": "ml-dsa-65", "public_key": "AAAA"}]}, "one of its keys is not"),
        ({"keys": [{"kid": "k", "alg": "other", "public_key": "AAAA"}]}, "no ML-DSA-65 key"),
        ({}, "no list `keys`"),
        ({"keys": json.loads(Path(KEYS).read_text())["keys"] * 2}, "two of its keys have one identifier"),
        (changed_key(not_after="2026-05"), "not_after is not a time"),
        (changed_key(not_before="2026-05-08T00:00:00"), "not_before is not a time"),
        (changed_key(status=1), "status is not text"),
    ],
)
def test_unusable_keys_are_refused_with_the_reason(tmp_path: Path, keys: Any, fault: str) -> None:
    found = run(INTACT, "--keys", saved(tmp_path, keys))
    assert found.exit_code == 2
    assert fault in found.stderr


def test_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 100)
    found = run(INTACT, "--keys", KEYS)
    assert found.exit_code == 2
    assert "larger than 100 bytes" in found.stderr


def test_names_in_a_transcript_cannot_control_the_terminal(tmp_path: Path) -> None:
    whole = json.loads(INTACT.read_text()) | {"evidence_id": "\x1b[2Jevd" + "x" * 500}
    found = run(saved(tmp_path, whole), "--keys", KEYS)
    assert "\x1b" not in found.stdout
    assert "x" * 200 not in found.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--evidence", b"\xff"], "The expected evidence_id is not Unicode text."),
        (["--content", "01JOTHER=/dev/null"], "The transcript has no record 01JOTHER."),
    ],
)
def test_option_that_fits_no_transcript_is_refused(words: list[str | bytes], said: str) -> None:
    found = run(INTACT, "--keys", KEYS, *(os.fsdecode(word) for word in words))
    assert found.exit_code == 2
    assert found.stderr == f"argus-verify: {said}\n"


def test_program_ends_with_code_1_only_for_a_transcript_that_is_not_intact(tmp_path: Path) -> None:
    name = saved(tmp_path, json.loads(INTACT.read_text()) | {"evidence_id": "zgłoszenie"})
    code = "from argus_sdk.verify.command import main; main()"

    def program(path: Path, stdout: Any = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(path), "--keys", KEYS],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=ENVIRONMENT | environment,
        )

    ascii_only = program(name, PYTHONIOENCODING="ascii")
    assert (ascii_only.returncode, ascii_only.stderr) == (1, "")
    assert r"zg\u0142oszenie" in ascii_only.stdout
    with Path("/dev/full").open("w") as full:
        unwritten = program(INTACT, stdout=full)
    assert unwritten.returncode == 2
    assert "The check could not be completed: OSError" in unwritten.stderr


@pytest.mark.contract("C-234")
def test_program_loads_no_network_and_nothing_of_the_cloud() -> None:
    code = """
import sys
sys.addaudithook(lambda event, _: sys.exit(event) if event.startswith("socket.") else None)
from argus_sdk.verify.command import run
run([sys.argv[1], "--keys", sys.argv[2]])
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"cloud", "gateway", "aiohttp", "asyncio", "http", "httpx", "socket", "ssl"}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(INTACT), KEYS],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert done.stdout.startswith("INTACT.")
    assert done.stdout.splitlines()[-1] == "[]"
