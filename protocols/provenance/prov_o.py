"""PROV-O form of a transcript: a JSON-LD document with the graph and, inside it, the transcript that was signed.

An operation is a `prov:Activity`, and its actor a `prov:Agent`. Each version of the content is a `prov:Entity`, which
the operation that made it generated and which was derived from the version before; other operations used the version
that they found (contract matrix A-131; PROV-O, W3C 2013). The node of the transcript holds it as a JSON literal, so
that signatures are checked over canonical JSON and not over RDF. `read_document` also checks that the graph is the one
that this module writes for the transcript, so a graph that was changed is not believed either.

The context names `https://www.w3.org/ns/prov` first, as the contract does. That address is an ontology and no JSON-LD
context, so the terms are defined in place and the document expands without a network (contract matrix A-124).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from protocols.errors import RemoteProtocolError
from protocols.provenance.canonical_json import JsonObject, JsonValue, check_depth
from protocols.provenance.transcript import VERSION_OPERATIONS

CONTEXT_URL = "https://www.w3.org/ns/prov"
CONTEXT: list[JsonValue] = [
    CONTEXT_URL,
    {
        "prov": "http://www.w3.org/ns/prov#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "argus": "urn:argus:prov:",
    },
]
_AGENT_TYPES = {"user": "prov:Person", "service": "prov:SoftwareAgent"}


def write_document(transcript: Mapping[str, Any], *, strict_context: bool = False) -> dict[str, JsonValue]:
    """Return the JSON-LD document of a transcript in its JSON form (`transcript.write_transcript`).

    `strict_context` leaves the definitions of terms out, for readers that insist on the contract's context.
    """
    return {"@context": CONTEXT_URL if strict_context else CONTEXT, "@graph": _graph(transcript)}


def is_document(value: JsonValue) -> bool:
    """Return whether a value has the form of a JSON-LD document, so that `read_document` applies to it."""
    return isinstance(value, Mapping) and "@graph" in value


def read_document(document: JsonObject) -> tuple[JsonValue, bool]:
    """Return the transcript inside a JSON-LD document of ours, and whether the graph states the same as it.

    The transcript is not checked otherwise. Raises `RemoteProtocolError` if the document has none.
    """
    check_depth(document)
    graph = document.get("@graph")
    nodes = graph if isinstance(graph, list) else []
    literals = [node["argus:transcript"] for node in nodes if isinstance(node, Mapping) and "argus:transcript" in node]
    if len(literals) != 1 or not isinstance(literals[0], Mapping) or "@value" not in literals[0]:
        raise RemoteProtocolError("the document has no argus:transcript", clause="contract matrix A-119")
    transcript = literals[0]["@value"]
    try:
        whole = write_document(transcript, strict_context=document.get("@context") == CONTEXT_URL)
    # No transcript, or text that is no Unicode text: `read_transcript` names what is malformed.
    except (AttributeError, KeyError, TypeError, ValueError):
        return transcript, False
    return transcript, document == whole


def _graph(transcript: Mapping[str, Any]) -> list[JsonValue]:
    """Return the nodes: transcript, evidence, then for each record its agent if it is new, its activity and version."""
    names = _Names(transcript["tenant_id"], transcript["evidence_id"])
    evidence = names.evidence()
    nodes: list[JsonValue] = [
        {
            "@id": f"{evidence}:transcript",
            "@type": "prov:Entity",
            "prov:wasDerivedFrom": {"@id": evidence},
            "argus:transcript": {"@type": "@json", "@value": transcript},
        },
        {"@id": evidence, "@type": "prov:Entity"},
    ]
    of_records = RecordNodes(transcript["tenant_id"], transcript["evidence_id"])
    return nodes + [node for record in transcript["records"] for node in of_records.of(record)]


class RecordNodes:
    """Writes the nodes of a transcript's records, which it is given in order."""

    def __init__(self, tenant_id: str, evidence_id: str) -> None:
        self._names = _Names(tenant_id, evidence_id)
        self._agents: set[str] = set()
        self._previous_id: str | None = None
        self._version = 0

    def of(self, record: Mapping[str, Any]) -> list[JsonValue]:
        """Return the nodes of the next record: its agent if it is new, its activity, and the version that it made."""
        nodes: list[JsonValue] = []
        agent = self._names.agent(record["actor_kind"], record["actor_id"])
        if agent not in self._agents:
            self._agents.add(agent)
            kind = _AGENT_TYPES.get(record["actor_kind"], "prov:SoftwareAgent")
            nodes.append({"@id": agent, "@type": ["prov:Agent", kind], "argus:actorId": record["actor_id"]})
        made_version = record["operation"] in VERSION_OPERATIONS
        self._version += made_version
        nodes.append(_activity(self._names, record, self._version, agent, self._previous_id, made_version=made_version))
        if made_version:
            nodes.append(_version(self._names, record, self._version))
        self._previous_id = record["id"]
        return nodes


def _activity(
    names: "_Names",
    record: Mapping[str, Any],
    version: int,
    agent: str,
    previous_id: str | None,
    *,
    made_version: bool,
) -> JsonValue:
    activity: dict[str, JsonValue] = {
        "@id": names.activity(record["id"]),
        "@type": "prov:Activity",
        "prov:wasAssociatedWith": {"@id": agent},
        "prov:endedAtTime": {"@type": "xsd:dateTime", "@value": record["signed_at"]},
        "argus:operation": record["operation"],
        "argus:recordId": record["id"],
        "argus:contentHash": record["content_hash"],
    }
    for term, member in (("parentHash", "parent_hash"), ("traceId", "trace_id"), ("jobId", "job_id")):
        if record[member] is not None:
            activity[f"argus:{term}"] = record[member]
    used = version - 1 if made_version else version
    if used > 0:
        activity["prov:used"] = {"@id": names.version(used)}
    if previous_id is not None:
        activity["prov:wasInformedBy"] = {"@id": names.activity(previous_id)}
    return activity


def _version(names: "_Names", record: Mapping[str, Any], version: int) -> JsonValue:
    entity: dict[str, JsonValue] = {
        "@id": names.version(version),
        "@type": "prov:Entity",
        "prov:specializationOf": {"@id": names.evidence()},
        "prov:wasGeneratedBy": {"@id": names.activity(record["id"])},
        "prov:generatedAtTime": {"@type": "xsd:dateTime", "@value": record["signed_at"]},
        "argus:contentHash": record["content_hash"],
    }
    if version > 1:
        entity["prov:wasDerivedFrom"] = {"@id": names.version(version - 1)}
    return entity


class _Names:
    """URNs of the nodes of one evidence record. Identifiers are escaped, so no two nodes have one name."""

    def __init__(self, tenant_id: str, evidence_id: str) -> None:
        self._tenant = f"urn:argus:{quote(tenant_id, safe='')}"
        self._evidence = f"{self._tenant}:evidence:{quote(evidence_id, safe='')}"

    def evidence(self) -> str:
        return self._evidence

    def version(self, number: int) -> str:
        return f"{self._evidence}:version:{number}"

    def activity(self, record_id: str) -> str:
        return f"{self._evidence}:record:{quote(record_id, safe='')}"

    def agent(self, kind: str, actor_id: str) -> str:
        return f"{self._tenant}:agent:{quote(kind, safe='')}:{quote(actor_id, safe='')}"
