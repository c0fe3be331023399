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
from prov.model import ProvActivity, ProvAgent, ProvDocument, ProvEntity, ProvRecord
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
TAMPERED = sorted((FOLDER / "transcripts").glob("tampered-*.json"))


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


def dilithium_faults(whole: dict[str, Any]) -> Iterator[int | str]:
    """Yield the records, by index, and "root" that do not verify with dilithium-py."""
    public = ml_dsa_signer().public_key
    names = {name: whole[name] for name in ("evidence_id", "tenant_id")}
    parent: tuple[str | None, str | None] = (None, None)
    leaves = []
    for index, record in enumerate(whole["records"]):
        core = {name: value for name, value in record.items() if not name.startswith("signature")}
        signer = {name: record[name] for name in ("signature_alg", "signature_kid")}
        leaf = hashlib.sha256(b"\x00" + plain(core)).digest()
        message, signature = plain({"core": core, **names, **signer}), bytes.fromhex(record["signature"])
        chained = (core["parent_id"], core["parent_hash"]) == parent
        if not chained or not ML_DSA_65.verify(public, message, signature, ctx=b"argus.prov.record.v1"):
            yield index
        parent = (core["id"], "sha256:" + leaf.hex())
        leaves.append(leaf)
    stated = {name: whole[name] for name in ("root_signature_alg", "root_signature_kid", "version")}
    root = {**names, **stated, "record_count": len(leaves), "merkle_root": "sha256:" + root_of(leaves).hex()}
    signature = bytes.fromhex(whole["root_signature"])
    rooted = root["merkle_root"] == whole["merkle_root"]
    if not rooted or not ML_DSA_65.verify(public, plain(root), signature, ctx=b"argus.prov.root.v1"):
        yield "root"


@pytest.mark.contract("S-165", "A-112")
def test_long_transcript_verifies_with_ours_and_with_dilithium(long_transcript: dict[str, Any]) -> None:
    assert verify(read_transcript(long_transcript), Keys()).valid
    assert list(dilithium_faults(long_transcript)) == []


@pytest.mark.contract("S-165", "A-128")
def test_noble_verifies_the_long_transcript_and_finds_each_tampering(long_transcript: dict[str, Any]) -> None:
    tampered = [json.loads(path.read_text()) for path in TAMPERED]
    results = run_script("provenance.mjs", {**published_keys(), "transcripts": [long_transcript, *tampered]})
    assert results[0] == {"broken": [], "root": True}
    assert len(tampered) == 12
    assert [path.name for path, result in zip(TAMPERED, results[1:], strict=True) if result == results[0]] == []


@pytest.mark.contract("S-165")
def test_dilithium_finds_each_tampering_of_signed_bytes() -> None:
    for path in TAMPERED:
        assert next(dilithium_faults(json.loads(path.read_text())), None) is not None, path.name


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


@pytest.mark.contract("C-215")
def test_prov_reads_the_graph_and_finds_the_same_records(graph: tuple[dict[str, Any], Graph]) -> None:
    whole, read = graph
    document = ProvDocument.deserialize(content=read.serialize(format="trig"), format="rdf", rdf_format="trig")

    def count(kind: type[ProvRecord]) -> int:
        return len({record.identifier for record in document.get_records(kind)})

    assert count(ProvActivity) == len(whole["records"])
    assert count(ProvAgent) == len({(record["actor_kind"], record["actor_id"]) for record in whole["records"]})
    # The transcript, the evidence, and its two versions.
    assert count(ProvEntity) == 4
