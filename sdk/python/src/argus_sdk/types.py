"""Types of the API, generated from its OpenAPI document. Do not edit: `make sdk-types` writes this file."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class AccessTokenResponse(TypedDict):
    """An access token (RFC 6749 section 5.1)."""

    access_token: str
    """A signed JWT (RFC 9068) for the Authorization header."""
    token_type: Literal['Bearer']
    """The authentication scheme."""
    expires_in: int
    """Seconds until it expires."""
    scope: str
    """The granted scopes: exactly the requested ones."""


RedirectUri: TypeAlias = str


class AppWanted(TypedDict):
    """An app to register."""

    name: str
    """Display name."""
    grant_types: list[Literal['authorization_code', 'client_credentials']]
    """`client_credentials` to act for itself, `authorization_code` to act for a person."""
    redirect_uris: NotRequired[list[RedirectUri]]
    """Where authorization codes may be sent: https, compared exactly."""
    requested_scopes: list[Literal['argus:acqi:read', 'argus:devices:read', 'argus:devices:write', 'argus:discovery:read', 'argus:epcr:read', 'argus:epcr:write', 'argus:jobs:read', 'argus:jobs:write', 'argus:observability:read', 'argus:platform:admin', 'argus:platform:read', 'argus:profiles:read', 'argus:profiles:write', 'argus:provenance:read', 'argus:telephony:read', 'argus:telephony:write', 'webhooks:read', 'webhooks:write']]
    """From the scope catalogue."""
    token_endpoint_auth_method: NotRequired[Literal['client_secret_basic', 'client_secret_post', 'none']]
    """`none`: a public client, without a secret."""
    organization_id: NotRequired[str | None]
    """The organisation of the app. Default: the caller's organisation."""


class AttemptShown(TypedDict):
    """One delivery attempt."""

    number: int
    attempted_at: str
    duration_ms: int
    response_status: int | None
    """null: no response."""
    error_code: str | None
    """null: success."""
    response_head: str | None
    """The first KiB of the response, with likely secrets removed."""


class BundleLink(TypedDict):
    """The address of another part."""

    relation: Literal['next']
    url: str
    """Address of the next part."""


class CallData(TypedDict):
    """
    Facts that the dispatch system knows of the call. They are sent to the vehicle, enter the report there with the
    source `cad`, and are in no response.
    """

    response_number: NotRequired[str | None]
    """Number of the response of this vehicle (eResponse.04)."""
    reason: NotRequired[str | None]
    """Reason of the call: a code of the NEMSIS list 2301."""
    priority: NotRequired[str | None]
    """Dispatch priority: a code of the NEMSIS list 2305."""
    cad_record: NotRequired[str | None]
    """Id of the call in the dispatch system (eDispatch.06)."""
    position: NotRequired[str | None]
    """Latitude and longitude of the scene in degrees, such as `52.2297,21.0122`."""
    street: NotRequired[str | None]
    """Street and number of the scene."""
    apartment: NotRequired[str | None]
    """Apartment of the scene."""
    city: NotRequired[str | None]
    """Town of the scene."""
    postcode: NotRequired[str | None]
    """Post code of the scene."""
    directions: NotRequired[str | None]
    """Crossing, or directions to the scene."""
    received_at: NotRequired[str | None]
    """Time at which the call was received (RFC 3339)."""
    dispatch_notified_at: NotRequired[str | None]
    """Time at which the dispatcher was notified (RFC 3339)."""
    unit_notified_at: NotRequired[str | None]
    """Time at which the vehicle was notified (RFC 3339)."""


CareModel: TypeAlias = Literal['prehospital_emergency', 'interfacility_transfer', 'community_paramedicine', 'event_medical']
"""The kind of care in an encounter."""


class CertifiedProfile(TypedDict):
    """A device profile that is certified for a transport."""

    name: str
    """MDC_DEV_SPEC_PROFILE_…, or partition:code if the code has no name."""
    transport: str
    """`usb`, `hdp`, `zigbee`, `ble`, `nfc`, or a number."""


class ConsistencyProof(TypedDict):
    """The proof that an older tree is the beginning of this one (RFC 9162, section 2.1.4)."""

    record_count: int
    """Records of the older tree."""
    merkle_root: str
    hashes: list[str]


ContentNotChecked: TypeAlias = Literal['file_removed', 'file_too_large', 'file_unavailable']
"""Reason why the file of an export was not read: its hash was compared with the cloud's own record only."""


class DataSchemaShown(TypedDict):
    """A data schema in the list."""

    id: str
    """The id, which ends with the version."""
    title: str
    """The name of such an object."""
    secrecy_level: Literal['standard', 'restricted', 'confidential', 'secret', 'top_secret']
    """The clearance that a reader of the schema needs."""
    operations: list[str]
    """The operations that return or change such an object."""
    schema_url: str
    """The address of the JSON Schema. It can be kept for offline use."""


DeliveryKind: TypeAlias = Literal['event', 'test', 'replay', 'notice', 'callback']
"""Kind of a delivery. Tests are also sent to a disabled webhook, and do not count against the endpoint."""


DeliveryStatus: TypeAlias = Literal['queued', 'delivering', 'succeeded', 'failed', 'exhausted', 'discarded']
"""The stored status of a delivery."""


class DeviceCertification(TypedDict):
    """The regulatory certification data that a device reports (Continua)."""

    guidelines_version: NotRequired[str | None]
    """Version of the design guidelines."""
    profiles: list[CertifiedProfile]
    """Certified device profiles."""
    unregulated: NotRequired[bool | None]
    """True if the device declares that it is no regulated medical device."""


DeviceClass: TypeAlias = Literal['defib', 'ecg', 'oximeter', 'bp', 'glucose', 'etco2', 'thermometer', 'multiparameter']
"""The kind of a medical device."""


class DeviceClock(TypedDict):
    """The clock of a device, as the device describes it."""

    capabilities: list[str]
    """Capabilities and state in words (mds-time-cap-state)."""
    synchronised_by: NotRequired[str | None]
    """Code of the protocol that synchronises the clock, partition:code."""
    accuracy_ms: NotRequired[float | None]
    """Accuracy; null if unknown."""
    resolution_ms: NotRequired[float | None]
    """Resolution; null if unknown."""


class DeviceEnrolment(TypedDict):
    """A device to enrol, or to enrol again."""

    serial_number: str
    """As printed on the device. Unique within the organisation."""
    device_class: DeviceClass
    """What the device measures."""
    manufacturer: str
    """Manufacturer."""
    system_id: NotRequired[str | None]
    """IEEE 11073 system id in hex. Attaches observations that vehicles sent from this device."""
    vehicle_id: NotRequired[str | None]
    """The vehicle of the device."""


class DevicePower(TypedDict):
    """The power supply of a device, as last reported."""

    battery_percent: NotRequired[int | None]
    """Battery level."""
    battery_remaining_minutes: NotRequired[int | None]
    """Remaining battery time."""
    status: NotRequired[list[str]]
    """Power-Status of IEEE 11073-20601 in words, such as `on mains`."""
    reported_at: str
    """Time of the report."""


class DeviceProfile(TypedDict):
    """A device profile (specialization) that a device implements."""

    name: str
    """MDC_DEV_SPEC_PROFILE_…, or partition:code if the code has no name."""
    version: int
    """Version of the specialization."""


EncounterFormat: TypeAlias = Literal['json', 'fhir']
"""The form of an encounter."""


EncounterStatus: TypeAlias = Literal['in_progress', 'completed', 'cancelled', 'transferred']
"""Status of an encounter."""


CrewId: TypeAlias = str


class EncounterToBegin(TypedDict):
    """An encounter to create. The organisation is that of the token."""

    care_model: CareModel
    """Care model of the mission."""
    vehicle_id: NotRequired[str | None]
    """The assigned vehicle."""
    crew_ids: NotRequired[list[CrewId]]
    """The crew; each id is in the organisation's crew register."""
    cad_incident_id: NotRequired[str | None]
    """The dispatch system's id of the incident. One incident and vehicle have one encounter."""
    call: NotRequired[CallData | None]
    """The call as the dispatch system describes it to the vehicle."""


class FederatedSourceShown(TypedDict):
    """A source of another installation."""

    source_id: str
    """The id of the source."""
    name: str
    """The name of the source."""
    channel: str
    """The Communities of Interest channel."""
    secrecy_level: Literal['standard', 'restricted', 'confidential', 'secret', 'top_secret']
    """The clearance that a viewer of the source needs."""
    schemas: list[DataSchemaShown]
    """The schemas that the source offers."""


class FhirBundle(TypedDict):
    """A FHIR R4 transaction bundle, whose resources FHIR describes."""

    resourceType: Literal['Bundle']
    type: Literal['transaction']
    entry: list[dict[str, Any]]
    """Entries with fullUrl, resource and request (POST, ifNoneExist)."""
    link: NotRequired[list[BundleLink] | None]
    """The next part, if the bundle has more than 5000 entries."""
    meta: NotRequired[dict[str, Any] | None]
    """Security label PSEUDED."""


Flag: TypeAlias = Literal['mdc_code_unknown', 'device_class_unchecked', 'implausible_value']
"""A doubt about an accepted observation, for the reader of the observation."""


Format: TypeAlias = Literal['json', 'ndjson']
"""The form of a response with observations."""


class Governance(TypedDict):
    """All governance flags."""

    allow_service_tokens: bool
    """Whether service tokens may be minted. Turning it off revokes the minted ones."""
    enforce_pkce: bool
    """Whether authorization requests need PKCE."""
    allowed_redirect_hosts: list[str] | None
    """Allowed hosts of redirect URIs; null: all registered ones."""
    allowed_webhook_hosts: list[str] | None
    """Allowed hosts of webhooks; null: any public host."""
    allowed_scopes: list[str] | None
    """Approved scopes that may be used; null: all of them."""
    max_token_ttl_seconds: int | None
    """Maximum lifetime of a token; null: the default of its kind."""


AllowedRedirectHost: TypeAlias = str


AllowedWebhookHost: TypeAlias = str


class GovernancePatch(TypedDict):
    """Flags to change (RFC 7396): omitted flags keep their value, null restores the default."""

    allow_service_tokens: NotRequired[bool | None]
    enforce_pkce: NotRequired[bool | None]
    allowed_redirect_hosts: NotRequired[list[AllowedRedirectHost] | None]
    allowed_webhook_hosts: NotRequired[list[AllowedWebhookHost] | None]
    allowed_scopes: NotRequired[list[Literal['argus:acqi:read', 'argus:devices:read', 'argus:devices:write', 'argus:discovery:read', 'argus:epcr:read', 'argus:epcr:write', 'argus:jobs:read', 'argus:jobs:write', 'argus:observability:read', 'argus:platform:admin', 'argus:platform:read', 'argus:profiles:read', 'argus:profiles:write', 'argus:provenance:read', 'argus:telephony:read', 'argus:telephony:write', 'webhooks:read', 'webhooks:write']] | None]
    max_token_ttl_seconds: NotRequired[int | None]


class GraphqlErrorEntry(TypedDict):
    """An error of the request or of a field."""

    message: str
    path: NotRequired[list[str | int] | None]
    """The field of `data` that is null for this reason."""
    extensions: dict[str, Any]
    """`code` is stable; `trace_id` is the id to quote to support."""


class GraphqlResponse(TypedDict):
    """The data of the operation and the errors of its fields; without `data`, the operation was not executed."""

    data: NotRequired[dict[str, Any] | None]
    errors: NotRequired[list[GraphqlErrorEntry] | None]


class InclusionProof(TypedDict):
    """The proof that a record is in the tree (RFC 9162, section 2.1.3)."""

    record_id: str
    index: int
    """Place of the record, from 0."""
    leaf_hash: str
    hashes: list[str]


class JobErrorShown(TypedDict):
    """The reason why a job failed."""

    code: str
    """Stable code."""
    message: str
    """A sentence for people."""
    retryable: bool
    """Whether a new job with the same payload may succeed."""


class JobQueued(TypedDict):
    """A new job."""

    id: str
    """The job."""
    kind: str
    status: Literal['queued']
    created_at: str
    trace_id: str
    """Trace of this request."""


class JobResultShown(TypedDict):
    """The result of a job."""

    id: str
    result_ref: str
    """Opaque name of the result."""
    signed_url: str
    """Address of the result for some minutes. It suffices to read the result."""


JobStatus: TypeAlias = Literal['queued', 'running', 'succeeded', 'failed', 'cancelled']
"""The status of a job."""


class JobWanted(TypedDict):
    """A job to start."""

    kind: Literal['graph.compute', 'export.bulk', 'intelligence.enrich.bulk', 'import.bulk']
    """
    Kind of the job.

    - `graph.compute`: Analyse the graph of incidents, encounters, crews, vehicles and devices, or of profiles. Needs `argus:epcr:read`, `argus:devices:read` if `nodes` is `encounters`; `argus:profiles:read` if `nodes` is `profiles`.
    - `export.bulk`: Export encounters, observations or waveforms as one file. Needs `argus:epcr:read`.
    - `intelligence.enrich.bulk`: Compare profiles with the imported sanctions lists and labels of wallets. Needs `argus:profiles:write`.
    - `import.bulk`: Import devices, profiles, encounters or a sanctions list. Needs `argus:devices:write` if `data` is `devices`; `argus:profiles:write` if `data` is `profiles`; `argus:epcr:write` if `data` is `encounters`; `argus:profiles:write` if `data` is `sanctions`.
    """
    payload: dict[str, Any]
    """What to do, in the form of the kind."""
    callback_url: NotRequired[str | None]
    """Gets a signed webhook when the job has ended: https, a public host, port 443, 8443 or any from 1024."""
    secrecy_level: NotRequired[Literal['standard', 'restricted', 'confidential', 'secret', 'top_secret']]
    """The job reads no data above this level, and callers below it do not see the job."""


class ListedEncounter(TypedDict):
    """An encounter in a list: mission data only, no patient data."""

    id: str
    """The encounter, enc_…."""
    organization_id: str
    """The organisation of the encounter."""
    care_model: CareModel
    """Care model of the mission."""
    status: EncounterStatus
    """Status of the encounter."""
    vehicle_id: NotRequired[str | None]
    """The assigned vehicle."""
    created_at: NotRequired[str | None]
    """Creation time, UTC."""


ObservationInterval = TypedDict(
    'ObservationInterval',
    {
        'device_id': str,
        'mdc_code': str,
        'unit_code': NotRequired[str | None],
        'handle': NotRequired[int | None],
        'person': NotRequired[int | None],
        'supplemental_types': NotRequired[list[str]],
        'from': str,
        'until': str,
        'count': int,
        'min': NotRequired[float | None],
        'mean': NotRequired[float | None],
        'max': NotRequired[float | None],
        'last': NotRequired[float | None],
        'last_observed_at': NotRequired[str | None],
        'left_out': int,
    },
)


class ObservationToPost(TypedDict):
    """One measured value."""

    mdc_code: str
    """Reference identifier of ISO/IEEE 11073-10101."""
    value: float
    """A finite number in the unit."""
    unit_code: str
    """UCUM unit, case-sensitive."""
    observed_at: NotRequired[str | None]
    """Time of the measurement (RFC 3339, with Z or an offset): at most 30 days ago and at most 5 minutes ahead. Default: now."""
    encounter_id: NotRequired[str | None]
    """The encounter of the observation."""


class PersistedQuery(TypedDict):
    """Apollo's form of the id of a document."""

    sha256Hash: str


class Provenance(TypedDict):
    """The signed batch of a vehicle in which an observation arrived. These five fields identify the observation."""

    gateway: str
    """The gateway in the vehicle."""
    epoch: str
    """The life of the gateway's store."""
    lane: str
    """The numbered sequence of batches."""
    sequence: int
    """The batch in its lane."""
    index: int
    """The observation in its batch."""


class ProvenanceFault(TypedDict):
    """A fault of a transcript."""

    record_id: str | None
    """The record that is not verified; null: the transcript as a whole."""
    index: int | None
    """Place of the record in the transcript, from 0."""
    reason: Literal['signature_invalid', 'signature_malformed', 'algorithm_unknown', 'algorithm_mismatch', 'key_unknown', 'key_withdrawn', 'signed_outside_key_period', 'parent_missing', 'record_out_of_order', 'parent_hash_mismatch', 'record_duplicate', 'content_hash_mismatch', 'record_not_in_ledger', 'ledger_mismatch', 'tenant_mismatch', 'evidence_mismatch', 'identity_mismatch', 'record_count_mismatch', 'merkle_root_mismatch', 'root_signature_invalid', 'root_signature_malformed', 'root_algorithm_unknown', 'root_key_unknown', 'root_key_withdrawn', 'graph_mismatch']


class ProvenancePublicKey(TypedDict):
    """One public key that verifies records of provenance."""

    kid: str
    """Key id, as in `signature_kid` and `root_signature_kid` of a transcript."""
    alg: Literal['ml-dsa-65']
    """Algorithm (FIPS 204)."""
    public_key: str
    """The 1952 bytes of the public key of FIPS 204, in base64 with padding."""
    not_before: str | None
    """Time from which the key signs. Null: it does not sign yet."""
    not_after: str | None
    """Time from which it no longer signs, up to some seconds later. Null: it signs, or will sign."""
    status: Literal['next', 'current', 'retired', 'withdrawn']
    """`withdrawn`: the private key may be stolen; a signature proves nothing unless a tree head from before `not_after` contains the record."""


class ProvenanceRecord(TypedDict):
    """One operation on the evidence."""

    id: str
    """A ULID."""
    operation: Literal['evidence.create', 'evidence.read', 'evidence.update', 'evidence.redact', 'evidence.export', 'evidence.transfer', 'evidence.verify', 'evidence.delete']
    actor_id: str
    actor_kind: Literal['user', 'service', 'system', 'job']
    content_hash: str
    """SHA-256 of the content of the evidence after the operation."""
    parent_id: str | None
    """The record before; null in the first."""
    parent_hash: str | None
    """The leaf hash of the record before; null in the first."""
    signed_at: str
    trace_id: str | None
    job_id: str | None
    details: NotRequired[dict[str, Any] | None]
    """Further facts on the operation, such as the vehicle's batches. Absent without any."""
    signature: str
    """Hexadecimal."""
    signature_alg: Literal['hmac-sha256', 'ml-dsa-65']
    signature_kid: str
    """Id of the key that made the signature."""


class ProvenanceTranscript(TypedDict):
    """The operations on a piece of evidence, in order, each signed and chained to the one before."""

    evidence_id: str
    tenant_id: str
    records: list[ProvenanceRecord]
    record_count: int
    merkle_root: str
    root_signature: str
    """Hexadecimal."""
    root_signature_alg: Literal['hmac-sha256', 'ml-dsa-65']
    root_signature_kid: str
    format: Literal['json']
    version: str
    """Version of the form of transcripts."""
    current_record_count: NotRequired[int | None]
    """Number of records of the evidence; present if the transcript has only the first ones."""
    inclusion_proof: NotRequired[InclusionProof | None]
    """Present with `proof_of`."""
    consistency_proof: NotRequired[ConsistencyProof | None]
    """Present with `consistent_with`."""


class ProvenanceVerification(TypedDict):
    """The result of a verification."""

    valid: bool
    evidence_id: str
    broken_links: list[ProvenanceFault]
    checked_records: int
    merkle_root_verified: bool
    """The root fits the records, its signature is valid, and each record is verified."""
    is_latest: bool
    """False: the evidence has further records, or the transcript is not valid."""
    current_record_count: int
    consistency_proof: NotRequired[ConsistencyProof | None]
    """Present if the transcript is valid and not the latest."""
    content: Literal['checked', 'not_checked']
    """`checked`: the hash of the content after each operation was computed again. `not_checked`: the content is a file that was not read, and its hash was compared with the cloud's own record only."""
    content_reason: NotRequired[ContentNotChecked | None]
    """Why the content was not checked: the file is no longer stored, has more than 256 MiB, or the object store did not respond. Absent if it was checked."""


class PublicKey(TypedDict):
    """One public key of the set (RFC 7517)."""

    kty: Literal['RSA']
    """Key type."""
    kid: str
    """Key id, as in the header of the tokens that it signed."""
    use: Literal['sig']
    """Use: signatures."""
    alg: Literal['RS256']
    """The only algorithm of this key."""
    n: str
    """Modulus, base64url."""
    e: str
    """Exponent, base64url."""


class PublicKeySet(TypedDict):
    """The keys that verify access tokens: the current one, the next one, and retired ones with unexpired tokens."""

    keys: list[PublicKey]
    """Newest first."""


class QueuedTest(TypedDict):
    """A queued test."""

    delivery_id: str
    status: str


class Rotated(TypedDict):
    """The new secrets, which are shown only once."""

    client_id: str
    client_secret: str
    previous_secret_expires_at: str | None
    """null: the previous secret is revoked."""
    callback_signing_secret: str


class RotationWanted(TypedDict):
    """The end of the previous secret."""

    revoke_previous: NotRequired[bool]
    """Revoke it now, for a leaked secret."""
    grace_hours: NotRequired[int]
    """Hours for which it remains valid."""


class ScopeShown(TypedDict):
    """One scope."""

    name: str
    """As in a token."""
    description: str
    """For consent and approval screens."""


class SecretShown(TypedDict):
    """Validity of a secret, without the secret."""

    created_at: str
    expires_at: str | None
    """null: valid until the next rotation."""


class ServiceToken(TypedDict):
    """A service token, which is shown only once."""

    token: str
    expires_at: str


class ServiceTokenWanted(TypedDict):
    """A service token to mint."""

    scopes: NotRequired[list[Literal['argus:acqi:read', 'argus:devices:read', 'argus:devices:write', 'argus:discovery:read', 'argus:epcr:read', 'argus:epcr:write', 'argus:jobs:read', 'argus:jobs:write', 'argus:observability:read', 'argus:platform:admin', 'argus:platform:read', 'argus:profiles:read', 'argus:profiles:write', 'argus:provenance:read', 'argus:telephony:read', 'argus:telephony:write', 'webhooks:read', 'webhooks:write']] | None]
    """Approved scopes of the app. Default: all of them."""
    ttl_seconds: NotRequired[int | None]
    """60 to 7776000, and at most the limit of the app's governance. Default: one day."""


class SpanShown(TypedDict):
    """A span of a trace."""

    span_id: str
    parent_span_id: str | None
    """The span that caused this one; null for the first span. The parent of a request that continued your trace is a span of yours, which is not in the list."""
    name: str
    kind: str
    """`server`, `client`, `producer`, `consumer` or `internal`."""
    start_time: str
    end_time: str
    status: str
    """`ok` or `error`."""
    attributes: dict[str, Any]
    """Facts from a fixed list of names. They have no bodies, tokens, query strings or patient data."""


class TimelineElement(TypedDict):
    """A statement about one element of the care record."""

    key: str
    """The element of the catalogue."""
    value: NotRequired[str | None]
    """The value; null: none was stated."""
    or_more: NotRequired[bool]
    """The value is the least one that may be true."""
    negative: NotRequired[str | None]
    """A pertinent negative."""
    not_recorded: NotRequired[str | None]
    """The reason for a missing value."""
    contradicts: NotRequired[bool]
    """It stands against the statement of another author."""


class TimelineEntry(TypedDict):
    """One item of the timeline of an encounter."""

    at: str
    """Time, UTC. Of an event in the vehicle, by the gateway's clock."""
    type: str
    """`encounter.created`, `device.assigned`, `device.released`, `procedure`, `medication`, or the name of an event in the vehicle, such as `device.connected` or `gap.recorded`."""
    device_id: NotRequired[str | None]
    """The device that it is about, dev_…."""
    entry: NotRequired[str | None]
    """Pseudonym of the entry in the care record."""
    void: NotRequired[bool]
    """The entry of the care record is declared wrong."""
    elements: NotRequired[list[TimelineElement]]
    """The content of the entry."""
    fields: NotRequired[dict[str, str | int | float | bool | None]]
    """Facts about an event in the vehicle."""


class TokenForm(TypedDict):
    """A token request."""

    client_id: NotRequired[str | None]
    """The app; omitted with HTTP Basic."""
    client_secret: NotRequired[str | None]
    """The secret of the app; omitted with HTTP Basic."""
    grant_type: NotRequired[str | None]
    """`client_credentials` for headless integrations, `authorization_code` to act for a person."""
    scope: NotRequired[str | None]
    """Approved scopes, separated by spaces. Default: all of them."""
    code: NotRequired[str | None]
    """From the redirect. Valid for one minute and for one use."""
    redirect_uri: NotRequired[str | None]
    """The redirect_uri of the authorization request, if it had one."""
    code_verifier: NotRequired[str | None]
    """The verifier of the code challenge (RFC 7636)."""


class TraceShown(TypedDict):
    """A trace: its spans in the order of their start."""

    trace_id: str
    spans: list[SpanShown]
    complete: bool
    """False if spans are missing: the trace has more than a response may have, or a part of the service did not deliver its spans in time."""


class VerificationWanted(TypedDict):
    """A transcript to verify."""

    transcript: dict[str, Any]
    """The response of the transcript operation, in its JSON or its JSON-LD form."""


class WaveformBlock(TypedDict):
    """The samples of one channel that a device sent at once."""

    device_id: str
    """The device, dev_…."""
    mdc_code: str
    """The ISO/IEEE 11073-10101 code; `partition:code` without a name."""
    unit_code: NotRequired[str | None]
    """The UCUM unit; null: none, or unknown."""
    handle: NotRequired[int | None]
    """The object in the device; null for a posted observation."""
    person: NotRequired[int | None]
    """The device's own number of the measured person."""
    supplemental_types: NotRequired[list[str]]
    """Further codes, such as the body site."""
    sample_period_s: float
    """Seconds from one sample to the next."""
    slope: float
    """Physical value = slope × sample + offset, in `unit_code`."""
    offset: float
    """See `slope`."""
    observed_at: str
    """Time of the first sample, UTC, corrected."""
    uncertainty_ms: NotRequired[int | None]
    """Greatest error of `observed_at`; null: unknown."""
    follows: NotRequired[bool | None]
    """Whether the block before it in its channel ends where this one begins; false: a gap is before it; null: it is the first of its channel in this page."""
    status: NotRequired[list[str]]
    """The device's own measurement status; empty: valid."""
    flags: NotRequired[list[str]]
    """Doubts about the waveform; empty: none."""
    samples: list[int]
    """The integers that the device sent."""


WaveformRange = TypedDict(
    'WaveformRange',
    {
        'device_id': str,
        'mdc_code': str,
        'unit_code': NotRequired[str | None],
        'handle': NotRequired[int | None],
        'person': NotRequired[int | None],
        'supplemental_types': NotRequired[list[str]],
        'sample_period_s': float,
        'slope': float,
        'offset': float,
        'from': str,
        'interval_s': int,
        'min': list[int | None],
        'max': list[int | None],
    },
)


class WebhookChange(TypedDict):
    """Fields to change. Omitted fields are kept."""

    url: NotRequired[str]
    """Target of the deliveries: https, a public host, port 443, 8443 or any from 1024."""
    events: NotRequired[list[Literal['incident.created', 'incident.updated', 'incident.closed', 'epcr.encounter.created', 'epcr.encounter.updated', 'epcr.encounter.finished', 'device.enrolled', 'device.retired', 'device.offline', 'epcr.handover.ready', 'gateway.connected', 'gateway.offline', 'job.succeeded', 'job.failed', 'job.cancelled', 'webhook.test', 'webhook.disabled']]]
    """Names from the event catalogue. The app must be approved for each."""
    secret: NotRequired[str]
    """Signs deliveries: `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes, which is the key itself. The previous secret also signs for 24 hours."""
    description: NotRequired[str | None]
    """Display name; null removes it."""
    status: NotRequired[Literal['active', 'disabled']]
    """`disabled`: no events are sent until it is `active`."""


class WebhookCreated(TypedDict):
    """A new webhook."""

    id: str
    """The webhook, wh_…."""
    url: str
    events: list[str]
    description: str | None
    status: Literal['active', 'disabled']
    disabled_reason: str | None
    """`gone`: the receiver returned 410; `failing`: five days without a success; `not_allowed`: the app's governance no longer allows this host; `by_owner`: disabled by its owner."""
    disabled_at: str | None
    failing_since: str | None
    """Time of the first failure since the last success; null: no failure."""
    previous_secret_expires_at: str | None
    """End of the overlap in which the previous secret also signs; null: no overlap."""
    client_id: str
    """The app of the webhook."""
    organization_id: str | None
    """The organisation of its events; null: the whole tenant."""
    created_at: str
    updated_at: str
    secret: NotRequired[str | None]
    """The generated signing secret, if none was sent. It is shown only once."""


class WebhookShown(TypedDict):
    """A webhook."""

    id: str
    """The webhook, wh_…."""
    url: str
    events: list[str]
    description: str | None
    status: Literal['active', 'disabled']
    disabled_reason: str | None
    """`gone`: the receiver returned 410; `failing`: five days without a success; `not_allowed`: the app's governance no longer allows this host; `by_owner`: disabled by its owner."""
    disabled_at: str | None
    failing_since: str | None
    """Time of the first failure since the last success; null: no failure."""
    previous_secret_expires_at: str | None
    """End of the overlap in which the previous secret also signs; null: no overlap."""
    client_id: str
    """The app of the webhook."""
    organization_id: str | None
    """The organisation of its events; null: the whole tenant."""
    created_at: str
    updated_at: str


class WebhookWanted(TypedDict):
    """A webhook to create."""

    url: str
    """Target of the deliveries: https, a public host, port 443, 8443 or any from 1024."""
    events: list[Literal['incident.created', 'incident.updated', 'incident.closed', 'epcr.encounter.created', 'epcr.encounter.updated', 'epcr.encounter.finished', 'device.enrolled', 'device.retired', 'device.offline', 'epcr.handover.ready', 'gateway.connected', 'gateway.offline', 'job.succeeded', 'job.failed', 'job.cancelled', 'webhook.test', 'webhook.disabled']]
    """Names from the event catalogue. The app must be approved for each."""
    secret: NotRequired[str | None]
    """Signs deliveries: `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes, which is the key itself. Default: a generated secret, which is in the response once."""
    description: NotRequired[str | None]
    """Display name."""
    status: NotRequired[Literal['active', 'disabled']]
    """`disabled`: only tests are sent."""


class Error(TypedDict):
    detail: str
    """What is wrong with the value."""
    pointer: NotRequired[str]
    """Its place in the body (RFC 6901)."""
    parameter: NotRequired[str]
    """Its name in the query or the form."""
    did_you_mean: NotRequired[str]
    """A known word close to the given one."""


class Problem(TypedDict):
    """Why a request failed (RFC 9457)."""

    type: str
    """Address of a page about this kind of problem."""
    title: str
    status: int
    detail: NotRequired[str]
    """What is wrong and what to do."""
    instance: NotRequired[str]
    code: str
    """Stable. Programs decide by this member only."""
    trace_id: str
    errors: NotRequired[list[Error]]
    """The invalid values of the request, one by one."""


class OAuthError(TypedDict):
    """Why no token was issued (RFC 6749, section 5.2)."""

    error: str
    error_description: NotRequired[str]
    error_uri: NotRequired[str]


class AcceptedObservation(TypedDict):
    """The stored observation."""

    id: str
    """The observation, obs_…."""
    device_id: str
    """The device."""
    mdc_code: str
    """Reference identifier of ISO/IEEE 11073-10101."""
    value: float
    """As sent."""
    unit_code: str
    """UCUM unit, case-sensitive."""
    observed_at: NotRequired[str | None]
    """Time of the measurement, UTC."""
    encounter_id: NotRequired[str | None]
    """The encounter, if one was given."""
    flags: NotRequired[list[Flag]]
    """`mdc_code_unknown`: the code is not in the nomenclature. `device_class_unchecked`: the code is known, but not whether a device of this class measures it. `implausible_value`: the value is beyond physiological bounds. A flagged observation is stored."""
    did_you_mean: NotRequired[str | None]
    """A known code close to an unknown mdc_code; absent when there is none."""


class AppCreated(TypedDict):
    """A new app with its secrets, which are shown only once."""

    client_id: str
    name: str
    grant_types: list[str]
    redirect_uris: list[str]
    requested_scopes: list[str]
    approved_scopes: list[str]
    token_endpoint_auth_method: str
    tenant_id: str
    organization_id: str | None
    """null: the app acts for the whole tenant."""
    governance: Governance
    secrets: list[SecretShown]
    """The valid secrets, newest first; at most two."""
    created_at: str
    client_secret: NotRequired[str | None]
    """Absent for a public client."""
    callback_signing_secret: str
    """Signs the requests to the app's callbacks."""


class AppGovernance(TypedDict):
    """The governance flags of one app."""

    client_id: str
    governance: Governance


class AppShown(TypedDict):
    """An app as administrators see it."""

    client_id: str
    name: str
    grant_types: list[str]
    redirect_uris: list[str]
    requested_scopes: list[str]
    approved_scopes: list[str]
    token_endpoint_auth_method: str
    tenant_id: str
    organization_id: str | None
    """null: the app acts for the whole tenant."""
    governance: Governance
    secrets: list[SecretShown]
    """The valid secrets, newest first; at most two."""
    created_at: str


class DataSchemaList(TypedDict):
    """The data schemas that exist for the caller."""

    tenant_id: str
    """The tenant of the token."""
    schemas: list[DataSchemaShown]
    """The schemas of this installation."""
    federated_sources: list[FederatedSourceShown]
    """Sources of other installations."""


class DeliveryShown(TypedDict):
    """The delivery of one event to this webhook. The fields of an attempt are those of the last one."""

    id: str
    status: DeliveryStatus
    kind: DeliveryKind
    event: str
    event_id: str
    """The `webhook-id` of every attempt and replay."""
    replay_id: str | None
    created_at: str
    attempt: int
    """Number of attempts."""
    attempted_at: str | None
    """Time of the last attempt; null: none yet."""
    duration_ms: int | None
    response_status: int | None
    error_code: str | None
    """Reason of the failure or of the discard."""
    next_attempt_at: str | None
    """Time of the next attempt; null: none is due, or an earlier delivery is pending."""
    trace_id: str | None
    """Trace of the change that caused the event."""
    attempts: list[AttemptShown]


class DeviceDescription(TypedDict):
    """Description of a device by itself. A value that the device has not reported is null."""

    manufacturer: NotRequired[str | None]
    """Manufacturer."""
    model: NotRequired[str | None]
    """Model."""
    serial_number: NotRequired[str | None]
    """Serial number as reported; the enrolled one may differ."""
    part_number: NotRequired[str | None]
    """Part number."""
    hardware_revision: NotRequired[str | None]
    """Hardware revision."""
    software_revision: NotRequired[str | None]
    """Software revision."""
    firmware_revision: NotRequired[str | None]
    """Firmware revision."""
    protocol_revision: NotRequired[str | None]
    """Protocol revision."""
    gmdn: NotRequired[str | None]
    """Code of the Global Medical Device Nomenclature."""
    profiles: list[DeviceProfile]
    """Device profiles."""
    certification: NotRequired[DeviceCertification | None]
    """Certification data."""
    clock: NotRequired[DeviceClock | None]
    """Clock."""
    unverified_link: bool
    """True if only the device's own claim identifies it (TCP, not accepted by an operator)."""


class EncounterBegun(TypedDict):
    """The new or the existing encounter."""

    id: str
    """The encounter, enc_…."""
    status: EncounterStatus
    """Status of the encounter."""


class EncounterObservation(TypedDict):
    """An observation of an encounter."""

    device_id: str
    """The device, dev_…."""
    mdc_code: str
    """The ISO/IEEE 11073-10101 code; `partition:code` without a name."""
    unit_code: NotRequired[str | None]
    """The UCUM unit; null: none, or unknown."""
    handle: NotRequired[int | None]
    """The object in the device; null for a posted observation."""
    person: NotRequired[int | None]
    """The device's own number of the measured person."""
    supplemental_types: NotRequired[list[str]]
    """Further codes, such as the body site."""
    value: NotRequired[Any]
    """A number; an object for a compound, by component; a code, or bits as a number; NaN, NRes, +INF or -INF; null where the device sent a text, which is withheld (flag `text_withheld`)."""
    observed_at: str
    """Time of the measurement, UTC, corrected."""
    uncertainty_ms: NotRequired[int | None]
    """Greatest error of `observed_at`; null: unknown."""
    received_at: str
    """Reception at the gateway by its clock; of a posted one, at the cloud."""
    device_time: NotRequired[str | None]
    """The device's clock as sent, never corrected."""
    from_memory: NotRequired[bool]
    """Measured earlier and read from the device's memory."""
    wall_synchronised: NotRequired[bool | None]
    """Whether the gateway's clock was right at reception; null: unknown."""
    status: NotRequired[list[str]]
    """The device's own measurement status; empty: valid."""
    flags: NotRequired[list[str]]
    """Doubts about the value; empty: none."""
    origin: Literal['vehicle', 'api']
    """How it arrived."""
    id: NotRequired[str | None]
    """The id of a posted observation, obs_…."""
    provenance: NotRequired[Provenance | None]
    """The batch of a vehicle's observation."""


class EncounterPartnerSummary(TypedDict):
    """The encounter summary for partners: mission data only, no patient data."""

    id: str
    """The encounter, enc_…."""
    organization_id: str
    """The organisation of the encounter."""
    care_model: CareModel
    """Care model of the mission."""
    status: EncounterStatus
    """Status of the encounter."""
    vehicle_id: NotRequired[str | None]
    """The assigned vehicle."""
    crew_count: NotRequired[int]
    """Number of crew members."""
    observation_count: NotRequired[int]
    """Number of observations, counted up to 10000, at most once a second. Waveforms are counted within two minutes."""
    created_at: NotRequired[str | None]
    """Creation time, UTC."""
    evidence_id: NotRequired[str | None]
    """The evidence of the encounter, evd_…, whose provenance can be fetched."""


class EnrolledDevice(TypedDict):
    """A device of the caller's organisation."""

    id: str
    """The device, dev_…."""
    serial_number: str
    """As printed on the device."""
    device_class: DeviceClass
    """What the device measures."""
    status: Literal['active', 'retired']
    """`active`, or `retired`: the device accepts no observations."""
    manufacturer: NotRequired[str | None]
    """Manufacturer."""
    system_id: NotRequired[str | None]
    """IEEE 11073 system id in hex; null until it is known."""
    vehicle_id: NotRequired[str | None]
    """The vehicle of the device."""
    last_seen_at: NotRequired[str | None]
    """Time of the last report of the device; null before the first."""
    battery_percent: NotRequired[int | None]
    """Last reported battery level; null before the first report."""
    power: NotRequired[DevicePower | None]
    """Power supply; null before the first report."""
    model: NotRequired[str | None]
    """Model as the device reports it; null until it is known."""
    described_at: NotRequired[str | None]
    """Time since which the device describes itself as in `description`."""
    description: NotRequired[DeviceDescription | None]
    """How the device describes itself; null until it does."""


class Extensions(TypedDict):
    """Extensions of a request. Others are ignored."""

    persistedQuery: NotRequired[PersistedQuery | None]


class GraphqlRequest(TypedDict):
    """One operation. Send `query` or `documentId`."""

    query: NotRequired[str | None]
    """An approved GraphQL document."""
    documentId: NotRequired[str | None]
    """The id of an approved document, `sha256:` and 64 hexadecimal digits."""
    operationName: NotRequired[str | None]
    variables: NotRequired[dict[str, Any] | None]
    extensions: NotRequired[Extensions | None]


class JobListed(TypedDict):
    """A job in a list."""

    id: str
    kind: str
    status: JobStatus
    progress_pct: int
    created_at: str
    trace_id: str


class JobPage(TypedDict):
    """A page of jobs, newest first."""

    jobs: list[JobListed]
    next_cursor: str | None
    """For the next page; null on the last."""
    total_count: int
    """Number of all jobs that match the filters."""


class JobResultPending(TypedDict):
    """The progress of a job whose result does not exist yet."""

    status: JobStatus
    progress_pct: int


class JobShown(TypedDict):
    """A job."""

    id: str
    kind: str
    status: JobStatus
    progress_pct: int
    """Never decreases; 100 when the job has succeeded."""
    created_at: str
    updated_at: str
    completed_at: str | None
    """Time of the end; null while the job is queued or running."""
    error: JobErrorShown | None
    trace_id: str
    """Trace of the request that started the job."""
    evidence_id: NotRequired[str | None]
    """The evidence of the file, evd_…, whose provenance can be fetched; null until an export or import has succeeded, and for other kinds."""


class ProvenanceKeySet(TypedDict):
    """All keys of the platform that sign or signed records of provenance. None is ever removed."""

    keys: list[ProvenancePublicKey]
    """Newest first."""


class ScopeCatalogue(TypedDict):
    """Every scope that can be granted to this tenant's apps."""

    scopes: list[ScopeShown]


class WebhookPage(TypedDict):
    """A page of webhooks."""

    webhooks: list[WebhookShown]
    next_cursor: str | None
    """For the next page; null on the last."""


class AppPage(TypedDict):
    """A page of apps."""

    apps: list[AppShown]
    next_cursor: str | None
    """For the next page; null on the last."""


class DeliveryPage(TypedDict):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryShown]
    next_cursor: str | None
    """For the next page; null on the last."""
