/**
 * PROV-O form of a transcript: a JSON-LD document with the graph and, inside it, the transcript that was signed.
 *
 * Signatures are checked over the transcript inside. `readDocument` also writes the graph of that transcript and compares
 * it with the given one, so a graph that was changed is not believed either. No RDF is read for this.
 */
import { checkDepth, isSame } from "./canonical_json.js";
import { isObject } from "./received.js";
import { type JsonObject, type JsonValue, NotUsable } from "./strict_json.js";

const CONTEXT_URL = "https://www.w3.org/ns/prov";
const CONTEXT: JsonValue = [
  CONTEXT_URL,
  { prov: "http://www.w3.org/ns/prov#", xsd: "http://www.w3.org/2001/XMLSchema#", argus: "urn:argus:prov:" },
];
/** Operations after which the evidence has a new version of its content. */
const VERSION_OPERATIONS = new Set(["evidence.create", "evidence.update", "evidence.redact", "evidence.delete"]);

/** Return whether a value has the form of a JSON-LD document, so that `readDocument` applies to it. */
export function isDocument(value: JsonValue): value is JsonObject {
  return isObject(value) && value["@graph"] !== undefined;
}

/** Return the transcript inside a document, and whether the graph states the same. Throws `NotUsable` if it has none. */
export function readDocument(document: JsonObject): { transcript: JsonValue; graphMatches: boolean } {
  checkDepth(document);
  const nodes = Array.isArray(document["@graph"]) ? document["@graph"] : [];
  const literals = nodes.filter((node) => isObject(node)).map((node) => node["argus:transcript"]);
  const [literal, ...more] = literals.filter((found) => found !== undefined);
  if (!isObject(literal) || more.length > 0 || literal["@value"] === undefined) {
    throw new NotUsable("the document has no argus:transcript");
  }
  const transcript = literal["@value"];
  try {
    const context = document["@context"] === CONTEXT_URL ? CONTEXT_URL : CONTEXT;
    const graph = graphOf(transcript as unknown as Transcript);
    return { transcript, graphMatches: isSame(document, { "@context": context, "@graph": graph }) };
  } catch {
    // No transcript, or text that is no Unicode text: `readTranscript` names what is malformed.
    return { transcript, graphMatches: false };
  }
}

interface Transcript extends JsonObject {
  tenant_id: string;
  evidence_id: string;
  records: RecordOfGraph[];
}

interface RecordOfGraph extends JsonObject {
  id: string;
  operation: string;
  actor_id: string;
  actor_kind: string;
  content_hash: string;
  signed_at: string;
}

/** Return the nodes: transcript, evidence, then for each record its agent if it is new, its activity and version. */
function graphOf(transcript: Transcript): JsonValue[] {
  const tenant = `urn:argus:${escaped(transcript.tenant_id)}`;
  const evidence = `${tenant}:evidence:${escaped(transcript.evidence_id)}`;
  const nodes: JsonValue[] = [
    {
      "@id": `${evidence}:transcript`,
      "@type": "prov:Entity",
      "prov:wasDerivedFrom": { "@id": evidence },
      "argus:transcript": { "@type": "@json", "@value": transcript },
    },
    { "@id": evidence, "@type": "prov:Entity" },
  ];
  const agents = new Set<string>();
  let version = 0;
  let previous: string | null = null;
  for (const record of transcript.records) {
    const agent = `${tenant}:agent:${escaped(record.actor_kind)}:${escaped(record.actor_id)}`;
    if (!agents.has(agent)) {
      agents.add(agent);
      const kind = record.actor_kind === "user" ? "prov:Person" : "prov:SoftwareAgent";
      nodes.push({ "@id": agent, "@type": ["prov:Agent", kind], "argus:actorId": record.actor_id });
    }
    const activity = `${evidence}:record:${escaped(record.id)}`;
    const isNewVersion = VERSION_OPERATIONS.has(record.operation);
    if (isNewVersion) version += 1;
    const used = isNewVersion ? version - 1 : version;
    nodes.push({
      "@id": activity,
      "@type": "prov:Activity",
      "prov:wasAssociatedWith": { "@id": agent },
      "prov:endedAtTime": { "@type": "xsd:dateTime", "@value": record.signed_at },
      "argus:operation": record.operation,
      "argus:recordId": record.id,
      "argus:contentHash": record.content_hash,
      ...optional("argus:parentHash", record.parent_hash),
      ...optional("argus:traceId", record.trace_id),
      ...optional("argus:jobId", record.job_id),
      ...(used > 0 ? { "prov:used": { "@id": `${evidence}:version:${used}` } } : {}),
      ...(previous === null ? {} : { "prov:wasInformedBy": { "@id": previous } }),
    });
    if (isNewVersion) nodes.push(versionNode(evidence, activity, version, record));
    previous = activity;
  }
  return nodes;
}

function versionNode(evidence: string, activity: string, version: number, record: RecordOfGraph): JsonValue {
  return {
    "@id": `${evidence}:version:${version}`,
    "@type": "prov:Entity",
    "prov:specializationOf": { "@id": evidence },
    "prov:wasGeneratedBy": { "@id": activity },
    "prov:generatedAtTime": { "@type": "xsd:dateTime", "@value": record.signed_at },
    "argus:contentHash": record.content_hash,
    ...(version > 1 ? { "prov:wasDerivedFrom": { "@id": `${evidence}:version:${version - 1}` } } : {}),
  };
}

function optional(term: string, value: JsonValue | undefined): JsonObject {
  return value === null || value === undefined ? {} : { [term]: value };
}

/** Return text as a part of a URN: every character is escaped that is not unreserved (RFC 3986 2.3). */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
