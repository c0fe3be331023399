"""Libraries of others agree with us on transcripts: two of ML-DSA-65, a strict processor of JSON-LD, two of PROV-O.

The verifiers here share no code with the product: each has its own canonical JSON, tree and chain.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from dilithium_py.ml_dsa import ML_DSA_65
from prov.model import ProvActivity, ProvAgent, ProvDocument, ProvElement, ProvEntity, ProvRelation
from pyld import jsonld
from rdflib import PROV, RDF, Graph, URIRef
from rdflib.plugins.shared.jsonld import context as rdflib_context

from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.prov_o import CONTEXT_URL, write_document
from protocols.provenance.received import read_transcript
from protocols.provenance.signatures import Algorithm
from protocols.provenance.verification import verify
from tests.builders.provenance_transcripts import HedgedSigner, Keys, cores, ml_dsa_signer, signed, transcript
from tests.builders.provenance_vectors import FOLDER, published_keys
from tests.harness.node import run_script

COUNT = 1_000 if os.environ.get("ARGUS_SOAK") else 50
TAMPERED = {
    path.stem.removeprefix("tampered-"): path for path in sorted((FOLDER / "transcripts").glob("tampered-*.json"))
}


@pytest.fixture(scope="module")
def long_transcript() -> dict[str, Any]:
    return signed(cores(COUNT), HedgedSigner())


def plain(value: Any) -> bytes:
    """Canonical JSON of values that are ASCII text, integers, lists and objects."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def dilithium_findings(whole: dict[str, Any]) -> dict[str, Any]:
    """Return what dilithium-py finds: the records, by index, whose signature is invalid, those that do not follow the
    record before them, and whether the root fits and is signed."""
    public = ml_dsa_signer().public_key
    names = {name: whole[name] for name in ("evidence_id", "tenant_id")}
    parent: tuple[str | None, str | None] = (None, None)
    leaves, signatures, chain = [], [], []
    for index, record in enumerate(whole["records"]):
        core = {name: value for name, value in record.items() if not name.startswith("signature")}
        signer = {name: record[name] for name in ("signature_alg", "signature_kid")}
        leaf = hashlib.sha256(b"\x00" + plain(core)).digest()
        message, signature = plain({"core": core, **names, **signer}), bytes.fromhex(record["signature"])
        if not ML_DSA_65.verify(public, message, signature, ctx=b"argus.prov.record.v1"):
            signatures.append(index)
        if (core["parent_id"], core["parent_hash"]) != parent:
            chain.append(index)
        parent = (core["id"], "sha256:" + leaf.hex())
        leaves.append(leaf)
    stated = {name: whole[name] for name in ("root_signature_alg", "root_signature_kid", "version")}
    root = {**names, **stated, "record_count": len(leaves), "merkle_root": "sha256:" + root_of(leaves).hex()}
    rooted = root["merkle_root"] == whole["merkle_root"]
    signature = bytes.fromhex(whole["root_signature"])
    signed_root = ML_DSA_65.verify(public, plain(root), signature, ctx=b"argus.prov.root.v1")
    return {"signatures": signatures, "chain": chain, "root": rooted and signed_root}


INTACT: dict[str, Any] = {"signatures": [], "chain": [], "root": True}
ALL = [0, 1, 2, 3]
FOUND: dict[str, dict[str, Any]] = {
    "value": {"signatures": [2], "chain": [3], "root": False},
    "time": {"signatures": [2], "chain": [3], "root": False},
    "order": {"signatures": [], "chain": [1, 2, 3], "root": False},
    "removal": {"signatures": [], "chain": [2], "root": False},
    "insertion": {"signatures": [2], "chain": [3], "root": False},
    "duplicate": {"signatures": [], "chain": [3], "root": False},
    "previous_hash": {"signatures": [2], "chain": [2, 3], "root": False},
    "root": {"signatures": [], "chain": [], "root": False},
    "root_signature": {"signatures": [], "chain": [], "root": False},
    "algorithm_relabelled": {"signatures": [2], "chain": [], "root": True},
    "key_id": {"signatures": [2], "chain": [], "root": True},
    "foreign_tenant": {"signatures": ALL, "chain": [], "root": False},
}
"""The findings of a verifier of others, by the name of the change. A transcript has four records, and the third is the
one that is changed. The signature of a record that was moved, removed or repeated stays valid: the chain and the root
show it."""


@pytest.mark.contract("S-165", "A-112")
def test_long_transcript_verifies_with_ours_and_with_dilithium(long_transcript: dict[str, Any]) -> None:
    assert verify(read_transcript(long_transcript), Keys()).valid
    assert dilithium_findings(long_transcript) == INTACT


@pytest.mark.contract("S-160", "S-165", "A-128")
def test_noble_verifies_the_long_transcript_and_finds_each_tampering(long_transcript: dict[str, Any]) -> None:
    tampered = [json.loads(path.read_text()) for path in TAMPERED.values()]
    results = run_script("provenance.mjs", {**published_keys(), "transcripts": [long_transcript, *tampered]})
    assert results[0] == INTACT
    assert dict(zip(TAMPERED, results[1:], strict=True)) == FOUND


@pytest.mark.contract("S-160", "S-165")
def test_dilithium_finds_the_same_in_each_tampering() -> None:
    assert {name: dilithium_findings(json.loads(path.read_text())) for name, path in TAMPERED.items()} == FOUND


@pytest.mark.contract("S-160", "S-165", "C-237")
@pytest.mark.parametrize("name", FOUND)
def test_our_verdict_names_what_the_other_libraries_find(name: str) -> None:
    verdict = verify(read_transcript(json.loads(TAMPERED[name].read_text())), Keys())
    found, ours = FOUND[name], {link.index for link in verdict.broken_links}
    assert {one for one in ours if one is not None} <= {*found["signatures"], *found["chain"]}
    assert {*found["signatures"]} <= ours
    # We name a changed record, and not the one behind it, whose `parent_hash` shows the change.
    assert all(index in ours or index - 1 in ours for index in found["chain"])
    assert found["root"] or None in ours
    assert (verdict.valid, verdict.merkle_root_verified) == (False, False)


def pinned(url: str, _options: Any = None) -> dict[str, Any]:
    """Load the one address that the documents name, which is no context, as an empty one. Refuse every other."""
    assert url == CONTEXT_URL
    return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": {"@context": {}}}


@pytest.fixture(scope="module")
def graph() -> Iterator[tuple[dict[str, Any], Graph]]:
    """A transcript, and the graph that rdflib reads from its document without a network."""
    whole = transcript(5, Algorithm.ML_DSA_65)
    text = json.dumps(write_document(whole))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdflib_context, "source_to_json", lambda url: (pinned(url)["document"], None))
        yield whole, Graph().parse(data=text, format="json-ld")


@pytest.mark.contract("S-168", "C-215", "A-124", "A-131")
def test_document_expands_offline_to_the_terms_of_prov_o() -> None:
    document = write_document(transcript(5, Algorithm.ML_DSA_65))
    nodes = jsonld.expand(document, {"documentLoader": pinned})
    terms = {term for node in nodes for term in (*node, *node.get("@type", ()))} - {"@id", "@type"}
    assert all(term.startswith(("http://www.w3.org/ns/prov#", "urn:argus:prov:")) for term in terms)
    local = {term.rpartition("#")[2] for term in terms if "#" in term}
    assert {"Activity", "Entity", "Agent", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith", "used"} <= local
    # A processor drops what it cannot expand, so nothing may be fewer.
    assert [len(node) for node in nodes] == [len(node) for node in document["@graph"]]  # type: ignore[union-attr,arg-type]


@pytest.mark.contract("A-124")
def test_bare_context_is_written_where_it_is_wanted() -> None:
    whole = transcript(2)
    assert write_document(whole, strict_context=True)["@context"] == "https://www.w3.org/ns/prov"
    assert write_document(whole)["@context"][0] == "https://www.w3.org/ns/prov"  # type: ignore[index]


def test_rdflib_and_the_strict_processor_read_the_same_triples(graph: tuple[dict[str, Any], Graph]) -> None:
    whole, read = graph
    document = write_document(whole)
    quads = jsonld.to_rdf(document, {"documentLoader": pinned, "format": "application/n-quads"})
    # A JSON literal is the same value in either text; dates have either form of UTC.
    assert len(Graph().parse(data=quads, format="nt")) == len(read)
    literal = next(read.objects(predicate=URIRef("urn:argus:prov:transcript")))
    assert canonical_json(json.loads(str(literal))) == canonical_json(whole)


@pytest.mark.contract("A-131", "C-215")
def test_graph_of_rdflib_agrees_with_the_records(graph: tuple[dict[str, Any], Graph]) -> None:
    whole, read = graph
    argus = "urn:argus:prov:"
    activities = {
        str(read.value(node, URIRef(argus + "recordId"))): node for node in read.subjects(RDF.type, PROV.Activity)
    }
    assert set(activities) == {record["id"] for record in whole["records"]}
    versions: list[Any] = []
    for record in whole["records"]:
        node = activities[record["id"]]
        assert str(read.value(node, URIRef(argus + "operation"))) == record["operation"]
        assert str(read.value(node, URIRef(argus + "contentHash"))) == record["content_hash"]
        agent = read.value(node, PROV.wasAssociatedWith)
        assert str(read.value(agent, URIRef(argus + "actorId"))) == record["actor_id"]
        made = read.value(predicate=PROV.wasGeneratedBy, object=node)
        used = read.value(node, PROV.used)
        assert used == (versions[-1] if versions else None)
        if record["operation"] in {"evidence.create", "evidence.update"}:
            assert read.value(made, PROV.wasDerivedFrom) == (versions[-1] if versions else None)
            versions.append(made)
        else:
            assert made is None
    assert len(versions) == 2


def expected_relations(whole: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return the relations that PROV-O states for a transcript: kind, subject and object (contract matrix A-131)."""
    evidence = "urn:argus:tnt_test:evidence:evd_test"
    relations: set[tuple[str, ...]] = {("ProvDerivation", f"{evidence}:transcript", evidence)}
    version, previous = 0, None
    for record in whole["records"]:
        activity = f"{evidence}:record:{record['id']}"
        agent = f"urn:argus:tnt_test:agent:{record['actor_kind']}:{record['actor_id']}"
        relations.add(("ProvAssociation", activity, agent))
        if previous is not None:
            relations.add(("ProvCommunication", activity, previous))
        if version > 0:
            relations.add(("ProvUsage", activity, f"{evidence}:version:{version}"))
        if record["operation"] in {"evidence.create", "evidence.update"}:
            version += 1
            made = f"{evidence}:version:{version}"
            relations |= {("ProvGeneration", made, activity), ("ProvSpecialization", made, evidence)}
            if version > 1:
                relations.add(("ProvDerivation", made, f"{evidence}:version:{version - 1}"))
        previous = activity
    return relations


@pytest.fixture(scope="module")
def provenance(graph: tuple[dict[str, Any], Graph]) -> tuple[dict[str, Any], ProvDocument]:
    """A transcript, and the document that `prov` reads from its graph."""
    whole, read = graph
    return whole, ProvDocument.deserialize(content=read.serialize(format="trig"), format="rdf", rdf_format="trig")


def uri_of(one: ProvElement) -> str:
    assert one.identifier is not None
    return str(one.identifier.uri)


@pytest.mark.contract("A-131", "C-215")
def test_relations_that_prov_reads_are_those_of_the_records(provenance: tuple[dict[str, Any], ProvDocument]) -> None:
    whole, document = provenance
    found = [
        (type(one).__name__, *(value.uri for _, value in one.formal_attributes[:2]))
        for one in document.get_records(ProvRelation)
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected_relations(whole)


@pytest.mark.contract("A-131", "C-215", "C-223")
def test_elements_that_prov_reads_have_the_values_of_the_records(
    provenance: tuple[dict[str, Any], ProvDocument],
) -> None:
    whole, document = provenance
    elements = {
        uri_of(one): (type(one), {name.uri: str(value) for name, value in one.attributes})
        for one in document.get_records(ProvElement)
    }
    terms = {
        "operation": "operation",
        "recordId": "id",
        "contentHash": "content_hash",
        "parentHash": "parent_hash",
        "traceId": "trace_id",
        "jobId": "job_id",
    }
    for record in whole["records"]:
        kind, values = elements.pop(f"urn:argus:tnt_test:evidence:evd_test:record:{record['id']}")
        assert kind is ProvActivity
        assert values.pop(f"{PROV}endTime") == record["signed_at"].replace("T", " ").replace("Z", "+00:00")
        assert values == {
            f"urn:argus:prov:{term}": record[member] for term, member in terms.items() if record[member] is not None
        }
    agents = {uri: one for uri, one in elements.items() if one[0] is ProvAgent}
    assert {uri: values for uri, (_, values) in agents.items()} == {
        "urn:argus:tnt_test:agent:user:user_42": {
            f"{PROV}type": "prov:Person",
            "urn:argus:prov:actorId": "user_42",
        },
        "urn:argus:tnt_test:agent:job:job_7": {
            f"{PROV}type": "prov:SoftwareAgent",
            "urn:argus:prov:actorId": "job_7",
        },
    }
    entities = {uri.removeprefix("urn:argus:tnt_test:evidence:evd_test"): one for uri, one in elements.items()}
    assert {name for name, (kind, _) in entities.items() if kind is ProvEntity} == {
        "",
        ":transcript",
        ":version:1",
        ":version:2",
    }
    made = [one for one in whole["records"] if one["operation"] in {"evidence.create", "evidence.update"}]
    for number, record in enumerate(made, 1):
        assert entities[f":version:{number}"][1]["urn:argus:prov:contentHash"] == record["content_hash"]
