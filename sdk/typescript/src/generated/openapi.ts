// Generated from the OpenAPI document by tools/generate.mjs. Do not edit.
export interface paths {
    "/.well-known/api-catalog": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * Fetch the API catalog link-set
         * @description Links to the documents about this API and to its endpoints (RFC 9727). The response also has the header `Link` with `rel="api-catalog"`.
         */
        get: operations["getApiCatalog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/jwks.json": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * Fetch public signing keys
         * @description Published by the auth host for every verifier. Fetch the set again when the `kid` of a token is not in it.
         */
        get: operations["readJwks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/openapi.json": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * Fetch the OpenAPI well-known descriptor (JSON)
         * @description This document. The YAML form has the same content.
         */
        get: operations["getOpenApiJson"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/openapi.yaml": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * Fetch the OpenAPI well-known descriptor (YAML)
         * @description The same content as the JSON form.
         */
        get: operations["getOpenApiYaml"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/provenance-keys/{algorithm}": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                algorithm: string;
            };
            cookie?: never;
        };
        /**
         * Fetch a provenance verify key
         * @description The keys of the platform that verify provenance transcripts offline. `ml-dsa-65` is the only algorithm with a public key: the keys of `hmac-sha256` are secrets of a tenant. Fetch the set again when a `kid` is not in it.
         */
        get: operations["getProvenanceKeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/schemas/{id}.json": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        /**
         * Fetch a data schema
         * @description A JSON Schema (draft 2020-12) that refers to no other document. A schema of the level `standard` is public; any other needs a token with the scope `argus:discovery:read` and the clearance.
         */
        get: operations["getDataSchema"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List medical devices
         * @description The enrolled IEEE 11073 PHD devices of the caller's organisation, optionally of one vehicle.
         */
        get: operations["listDevices"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices/{deviceId}/observations": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                deviceId: string;
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Submit a PHD observation
         * @description Stores one observation of an enrolled device: the ISO/IEEE 11073-10101 code, the value, the UCUM unit, and optionally the time and the encounter. A well-formed code that the nomenclature lacks and a value beyond physiological bounds are stored and flagged.
         */
        post: operations["postObservation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices/enrol": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Enrol a medical device
         * @description Enrols a device, or enrols it again. The serial number identifies it within the organisation. Observations that vehicles sent earlier from this system id are attached to the device.
         */
        post: operations["enrolDevice"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/epcr/encounters": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List ePCR encounters
         * @description The encounters of the organisation of the caller: mission data only, no patient data. Filters select those of a vehicle, of an incident of the dispatch system, with a status, or created since a time.
         */
        get: operations["listEncounters"];
        put?: never;
        /**
         * Create an ePCR encounter
         * @description Creates an encounter in the caller's organisation, for dispatch systems. Repeating the request with the same incident and vehicle returns the existing encounter.
         */
        post: operations["beginEncounter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/epcr/encounters/{encounterId}": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        /**
         * Fetch an ePCR encounter
         * @description The encounter summary for partners: mission data only, no patient data. With `?format=fhir` or `Accept: application/fhir+json`, the de-identified FHIR R4 bundle, as `…/fhir-bundle` returns it.
         */
        get: operations["readEncounter"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/epcr/encounters/{encounterId}/fhir-bundle": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        /**
         * Export encounter as FHIR R4 Bundle
         * @description The encounter as a FHIR R4 transaction bundle: Patient (a pseudonym), Encounter, Composition, Observation, Device, DeviceMetric, Procedure and MedicationAdministration. Post it unchanged to a FHIR server; each entry is created only if its identifier does not exist there. A bundle of more than 5000 entries has a link `next` to its next part, which is a bundle of its own.
         */
        get: operations["readEncounterBundle"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/epcr/encounters/{encounterId}/observations": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        /**
         * List the observations of an encounter
         * @description The numerics, enumerations and compound values of the devices that were assigned to the encounter, and the observations that were posted to it, without waveforms. With `interval_s`, the least, mean, greatest and last value of each device and code in each interval.
         */
        get: operations["listEncounterObservations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/epcr/encounters/{encounterId}/timeline": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        /**
         * List the timeline of an encounter
         * @description What happened, in the order of time: assignments of devices, de-identified procedures and medications, connections and deviations of the devices, gaps in the record, and events of the vehicle's clock.
         */
        get: operations["listEncounterTimeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/epcr/encounters/{encounterId}/waveforms": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        /**
         * List the waveforms of an encounter
         * @description The waveforms of the devices that were assigned to the encounter: the samples as the device sent them or, with `points`, the least and greatest sample in each interval, for a plot.
         */
        get: operations["listEncounterWaveforms"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/graphql": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Use the shared GraphQL transport
         * @description Executes one operation of the operation bundles that the app was given. Send the text of the document in `query`, or its id in `documentId`. Other documents, and arrays of operations, are refused. At most 60 texts per minute may differ from the registered ones.
         */
        post: operations["executeGraphql"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/jwks.json": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * Fetch public signing keys
         * @description The same document in the versioned namespace. Fetch the set again when the `kid` of a token is not in it.
         */
        get: operations["readVersionedJwks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/discovery/data-schemas": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List visible data schemas for the caller
         * @description The JSON Schemas of the objects that the caller's tenant, organisation and clearance can reach. Each call is recorded in the audit trail.
         */
        get: operations["listDataSchemas"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/evidence/{evidence_id}/provenance": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                evidence_id: string;
            };
            cookie?: never;
        };
        /**
         * Get evidence provenance transcript
         * @description The signed operations on a piece of evidence, in order, each chained to the one before, under a signed Merkle root. With `format=jsonld`, a PROV-O document that contains the same transcript. It has at most the first 10,000 records; with `ml-dsa-65` these are 72 MB, which are sent in parts.
         */
        get: operations["getEvidenceProvenance"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/evidence/{evidence_id}/provenance/verify": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                evidence_id: string;
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Verify a provenance transcript
         * @description Checks the signature of each record and of the Merkle root, the order of the records, and the hash of the content after each. Each fault is reported with the record and the reason. An older transcript is valid, and `is_latest` is false.
         */
        post: operations["verifyEvidenceProvenance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List jobs
         * @description The jobs of the caller's tenant, or of its organisation if the token has one, up to the caller's clearance.
         */
        get: operations["listJobs"];
        put?: never;
        /**
         * Enqueue an async job
         * @description Starts long-running work and returns its id. Poll the job, or give a `callback_url`, which gets a message signed as Standard Webhooks specifies when the job has ended. With an `Idempotency-Key`, a repeated request returns 200 and the first response for 24 hours.
         */
        post: operations["enqueueJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        /**
         * Get job status
         * @description The current state of a job. The record of a job stays after its result has expired.
         */
        get: operations["inspectJob"];
        put?: never;
        post?: never;
        /**
         * Cancel a job
         * @description Cancels a queued or running job. After the response, the job runs no further step.
         */
        delete: operations["cancelJob"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{id}/result": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        /**
         * Get job result
         * @description A short-lived address of the result, which is kept for 30 days. Treat it as a credential. It needs the scopes that starting the job needs.
         */
        get: operations["fetchJobResult"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/oauth/authorize": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * Start OAuth authorization code flow
         * @description Starts the authorization flow for integrations that act on behalf of a signed-in user. The redirect URI must be registered and the scopes approved for the app. PKCE with S256 is required for public clients and for apps whose governance enforces it. The redirect carries `code`, `state` and `iss`.
         */
        get: operations["authorize"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/oauth/token": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Exchange or mint access tokens
         * @description Issues an access token to an app that authenticates with HTTP Basic or in the form. Only approved scopes may be requested, and scopes are never narrowed silently. The scopes determine `aud`: the API, and also the auth host with a webhook or platform scope.
         */
        post: operations["issueToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/observability/traces/{trace_id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                trace_id: string;
            };
            cookie?: never;
        };
        /**
         * Look up a recorded trace
         * @description Returns the spans of your tenant in a W3C trace. Its id is in `X-Argus-Trace-ID` of each response, and a `traceparent` that you send continues your own trace. Spans are visible as soon as their request has its response. The tree follows from `parent_span_id`.
         */
        get: operations["getTrace"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/platform/apps": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List platform apps
         * @description The integration apps of the caller's tenant.
         */
        get: operations["listApps"];
        put?: never;
        /**
         * Create a platform app
         * @description Registers an integration app. Tokens are issued to registered apps only.
         */
        post: operations["createApp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/platform/apps/{client_id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        /**
         * Inspect an integration app
         * @description Redirect URIs, grants, scopes, governance and the creation times of its secrets.
         */
        get: operations["inspectApp"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/platform/apps/{client_id}/governance": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Update app governance
         * @description Changes flags of one app (JSON Merge Patch: omitted flags keep their value, null restores the default). Turning service tokens off also revokes the minted ones.
         */
        patch: operations["updateAppGovernance"];
        trace?: never;
    };
    "/v1/platform/apps/{client_id}/rotate-secret": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate an app secret
         * @description Creates a secret. The previous one is valid for another 24 hours, or ends now with `revoke_previous`. At most two secrets are valid at a time.
         */
        post: operations["rotateAppSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/platform/apps/{client_id}/service-token": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Mint a service token
         * @description A token for automation, independent of a user session.
         */
        post: operations["mintServiceToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/platform/scopes": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List available scopes
         * @description The scope catalogue that external apps can request at registration and at token issuance.
         */
        get: operations["listScopes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        /**
         * List webhooks
         * @description The webhooks of the caller's tenant, or of its organisation if the app has one.
         */
        get: operations["listWebhooks"];
        put?: never;
        /**
         * Create a webhook
         * @description Subscribes a URL to events that the app is approved for. Deliveries are signed as Standard Webhooks specifies and delivered at least once: use `webhook-id` to detect duplicates.
         */
        post: operations["createWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks/{webhook_id}": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        /**
         * Inspect a webhook
         * @description URL, events and delivery status.
         */
        get: operations["inspectWebhook"];
        /**
         * Update a webhook
         * @description Changes the fields that are sent and keeps the others, the id and the history. A new `secret` signs at once, together with the previous one for 24 hours. Repeating the request changes nothing.
         */
        put: operations["updateWebhook"];
        post?: never;
        /**
         * Delete a webhook
         * @description Ends the subscription. Repeating returns 404.
         */
        delete: operations["deleteWebhook"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks/{webhook_id}/deliveries": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        /**
         * Review delivery attempts
         * @description Deliveries of the last 30 days with their attempts, error codes and the time of the next retry.
         */
        get: operations["listWebhookDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/webhooks/{webhook_id}/test": {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test webhook
         * @description Sends `webhook.test`, signed like every delivery, also to a disabled webhook. There is one attempt, and it does not count as a failure.
         */
        post: operations["testWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AcceptedObservation
         * @description The stored observation.
         */
        AcceptedObservation: {
            /** @description The device. */
            device_id: string;
            /**
             * @description A known code close to an unknown mdc_code; absent when there is none.
             * @default null
             */
            did_you_mean?: string | null;
            /**
             * @description The encounter, if one was given.
             * @default null
             */
            encounter_id?: string | null;
            /**
             * @description `mdc_code_unknown`: the code is not in the nomenclature. `device_class_unchecked`: the code is known, but not whether a device of this class measures it. `implausible_value`: the value is beyond physiological bounds. A flagged observation is stored.
             * @default []
             */
            flags?: components["schemas"]["Flag"][];
            /** @description The observation, obs_…. */
            id: string;
            /** @description Reference identifier of ISO/IEEE 11073-10101. */
            mdc_code: string;
            /**
             * @description Time of the measurement, UTC.
             * @default null
             */
            observed_at?: string | null;
            /** @description UCUM unit, case-sensitive. */
            unit_code: string;
            /** @description As sent. */
            value: number;
        };
        /**
         * AccessTokenResponse
         * @description An access token (RFC 6749 section 5.1).
         */
        AccessTokenResponse: {
            /** @description A signed JWT (RFC 9068) for the Authorization header. */
            access_token: string;
            /** @description Seconds until it expires. */
            expires_in: number;
            /** @description The granted scopes: exactly the requested ones. */
            scope: string;
            /**
             * @description The authentication scheme.
             * @constant
             */
            token_type: "Bearer";
        };
        /**
         * AppCreated
         * @description A new app with its secrets, which are shown only once.
         */
        AppCreated: {
            approved_scopes: string[];
            /** @description Signs the requests to the app's callbacks. */
            callback_signing_secret: string;
            client_id: string;
            /**
             * @description Absent for a public client.
             * @default null
             */
            client_secret?: string | null;
            created_at: string;
            governance: components["schemas"]["Governance"];
            grant_types: string[];
            name: string;
            /** @description null: the app acts for the whole tenant. */
            organization_id: string | null;
            redirect_uris: string[];
            requested_scopes: string[];
            /** @description The valid secrets, newest first; at most two. */
            secrets: components["schemas"]["SecretShown"][];
            tenant_id: string;
            token_endpoint_auth_method: string;
        };
        /**
         * AppGovernance
         * @description The governance flags of one app.
         */
        AppGovernance: {
            client_id: string;
            governance: components["schemas"]["Governance"];
        };
        /**
         * AppPage
         * @description A page of apps.
         */
        AppPage: {
            apps: components["schemas"]["AppShown"][];
            /** @description For the next page; null on the last. */
            next_cursor: string | null;
        };
        /**
         * AppShown
         * @description An app as administrators see it.
         */
        AppShown: {
            approved_scopes: string[];
            client_id: string;
            created_at: string;
            governance: components["schemas"]["Governance"];
            grant_types: string[];
            name: string;
            /** @description null: the app acts for the whole tenant. */
            organization_id: string | null;
            redirect_uris: string[];
            requested_scopes: string[];
            /** @description The valid secrets, newest first; at most two. */
            secrets: components["schemas"]["SecretShown"][];
            tenant_id: string;
            token_endpoint_auth_method: string;
        };
        /**
         * AppWanted
         * @description An app to register.
         */
        AppWanted: {
            /** @description `client_credentials` to act for itself, `authorization_code` to act for a person. */
            grant_types: ("authorization_code" | "client_credentials")[];
            /** @description Display name. */
            name: string;
            /**
             * @description The organisation of the app. Default: the caller's organisation.
             * @default null
             */
            organization_id?: string | null;
            /**
             * @description Where authorization codes may be sent: https, compared exactly.
             * @default []
             */
            redirect_uris?: string[];
            /** @description From the scope catalogue. */
            requested_scopes: ("argus:acqi:read" | "argus:devices:read" | "argus:devices:write" | "argus:discovery:read" | "argus:epcr:read" | "argus:epcr:write" | "argus:jobs:read" | "argus:jobs:write" | "argus:observability:read" | "argus:platform:admin" | "argus:platform:read" | "argus:profiles:read" | "argus:profiles:write" | "argus:provenance:read" | "argus:telephony:read" | "argus:telephony:write" | "webhooks:read" | "webhooks:write")[];
            /**
             * @description `none`: a public client, without a secret.
             * @default client_secret_basic
             * @enum {string}
             */
            token_endpoint_auth_method?: "client_secret_basic" | "client_secret_post" | "none";
        };
        /**
         * AttemptShown
         * @description One delivery attempt.
         */
        AttemptShown: {
            attempted_at: string;
            duration_ms: number;
            /** @description null: success. */
            error_code: string | null;
            number: number;
            /** @description The first KiB of the response, with likely secrets removed. */
            response_head: string | null;
            /** @description null: no response. */
            response_status: number | null;
        };
        /**
         * BundleLink
         * @description The address of another part.
         */
        BundleLink: {
            /** @constant */
            relation: "next";
            /** @description Address of the next part. */
            url: string;
        };
        /**
         * CallData
         * @description Facts that the dispatch system knows of the call. They are sent to the vehicle, enter the report there with the
         *     source `cad`, and are in no response.
         */
        CallData: {
            /**
             * @description Apartment of the scene.
             * @default null
             */
            apartment?: string | null;
            /**
             * @description Id of the call in the dispatch system (eDispatch.06).
             * @default null
             */
            cad_record?: string | null;
            /**
             * @description Town of the scene.
             * @default null
             */
            city?: string | null;
            /**
             * @description Crossing, or directions to the scene.
             * @default null
             */
            directions?: string | null;
            /**
             * Format: date-time
             * @description Time at which the dispatcher was notified (RFC 3339).
             * @default null
             */
            dispatch_notified_at?: string | null;
            /**
             * @description Latitude and longitude of the scene in degrees, such as `52.2297,21.0122`.
             * @default null
             */
            position?: string | null;
            /**
             * @description Post code of the scene.
             * @default null
             */
            postcode?: string | null;
            /**
             * @description Dispatch priority: a code of the NEMSIS list 2305.
             * @default null
             */
            priority?: string | null;
            /**
             * @description Reason of the call: a code of the NEMSIS list 2301.
             * @default null
             */
            reason?: string | null;
            /**
             * Format: date-time
             * @description Time at which the call was received (RFC 3339).
             * @default null
             */
            received_at?: string | null;
            /**
             * @description Number of the response of this vehicle (eResponse.04).
             * @default null
             */
            response_number?: string | null;
            /**
             * @description Street and number of the scene.
             * @default null
             */
            street?: string | null;
            /**
             * Format: date-time
             * @description Time at which the vehicle was notified (RFC 3339).
             * @default null
             */
            unit_notified_at?: string | null;
        };
        /**
         * CareModel
         * @description The kind of care in an encounter.
         * @enum {string}
         */
        CareModel: "prehospital_emergency" | "interfacility_transfer" | "community_paramedicine" | "event_medical";
        /**
         * CertifiedProfile
         * @description A device profile that is certified for a transport.
         */
        CertifiedProfile: {
            /** @description MDC_DEV_SPEC_PROFILE_…, or partition:code if the code has no name. */
            name: string;
            /** @description `usb`, `hdp`, `zigbee`, `ble`, `nfc`, or a number. */
            transport: string;
        };
        /**
         * ConsistencyProof
         * @description The proof that an older tree is the beginning of this one (RFC 9162, section 2.1.4).
         */
        ConsistencyProof: {
            hashes: string[];
            merkle_root: string;
            /** @description Records of the older tree. */
            record_count: number;
        };
        /**
         * ContentNotChecked
         * @description Reason why the file of an export was not read: its hash was compared with the cloud's own record only.
         * @enum {string}
         */
        ContentNotChecked: "file_removed" | "file_too_large" | "file_unavailable";
        /**
         * DataSchemaList
         * @description The data schemas that exist for the caller.
         */
        DataSchemaList: {
            /** @description Sources of other installations. */
            federated_sources: components["schemas"]["FederatedSourceShown"][];
            /** @description The schemas of this installation. */
            schemas: components["schemas"]["DataSchemaShown"][];
            /** @description The tenant of the token. */
            tenant_id: string;
        };
        /**
         * DataSchemaShown
         * @description A data schema in the list.
         */
        DataSchemaShown: {
            /** @description The id, which ends with the version. */
            id: string;
            /** @description The operations that return or change such an object. */
            operations: string[];
            /** @description The address of the JSON Schema. It can be kept for offline use. */
            schema_url: string;
            /**
             * @description The clearance that a reader of the schema needs.
             * @enum {string}
             */
            secrecy_level: "standard" | "restricted" | "confidential" | "secret" | "top_secret";
            /** @description The name of such an object. */
            title: string;
        };
        /**
         * DeliveryKind
         * @description Kind of a delivery. Tests are also sent to a disabled webhook, and do not count against the endpoint.
         * @enum {string}
         */
        DeliveryKind: "event" | "test" | "replay" | "notice" | "callback";
        /**
         * DeliveryPage
         * @description A page of deliveries, newest first.
         */
        DeliveryPage: {
            deliveries: components["schemas"]["DeliveryShown"][];
            /** @description For the next page; null on the last. */
            next_cursor: string | null;
        };
        /**
         * DeliveryShown
         * @description The delivery of one event to this webhook. The fields of an attempt are those of the last one.
         */
        DeliveryShown: {
            /** @description Number of attempts. */
            attempt: number;
            /** @description Time of the last attempt; null: none yet. */
            attempted_at: string | null;
            attempts: components["schemas"]["AttemptShown"][];
            created_at: string;
            duration_ms: number | null;
            /** @description Reason of the failure or of the discard. */
            error_code: string | null;
            event: string;
            /** @description The `webhook-id` of every attempt and replay. */
            event_id: string;
            id: string;
            kind: components["schemas"]["DeliveryKind"];
            /** @description Time of the next attempt; null: none is due, or an earlier delivery is pending. */
            next_attempt_at: string | null;
            replay_id: string | null;
            response_status: number | null;
            status: components["schemas"]["DeliveryStatus"];
            /** @description Trace of the change that caused the event. */
            trace_id: string | null;
        };
        /**
         * DeliveryStatus
         * @description The stored status of a delivery.
         * @enum {string}
         */
        DeliveryStatus: "queued" | "delivering" | "succeeded" | "failed" | "exhausted" | "discarded";
        /**
         * DeviceCertification
         * @description The regulatory certification data that a device reports (Continua).
         */
        DeviceCertification: {
            /**
             * @description Version of the design guidelines.
             * @default null
             */
            guidelines_version?: string | null;
            /** @description Certified device profiles. */
            profiles: components["schemas"]["CertifiedProfile"][];
            /**
             * @description True if the device declares that it is no regulated medical device.
             * @default null
             */
            unregulated?: boolean | null;
        };
        /**
         * DeviceClass
         * @description The kind of a medical device.
         * @enum {string}
         */
        DeviceClass: "defib" | "ecg" | "oximeter" | "bp" | "glucose" | "etco2" | "thermometer" | "multiparameter";
        /**
         * DeviceClock
         * @description The clock of a device, as the device describes it.
         */
        DeviceClock: {
            /**
             * @description Accuracy; null if unknown.
             * @default null
             */
            accuracy_ms?: number | null;
            /** @description Capabilities and state in words (mds-time-cap-state). */
            capabilities: string[];
            /**
             * @description Resolution; null if unknown.
             * @default null
             */
            resolution_ms?: number | null;
            /**
             * @description Code of the protocol that synchronises the clock, partition:code.
             * @default null
             */
            synchronised_by?: string | null;
        };
        /**
         * DeviceDescription
         * @description Description of a device by itself. A value that the device has not reported is null.
         */
        DeviceDescription: {
            /**
             * @description Certification data.
             * @default null
             */
            certification?: components["schemas"]["DeviceCertification"] | null;
            /**
             * @description Clock.
             * @default null
             */
            clock?: components["schemas"]["DeviceClock"] | null;
            /**
             * @description Firmware revision.
             * @default null
             */
            firmware_revision?: string | null;
            /**
             * @description Code of the Global Medical Device Nomenclature.
             * @default null
             */
            gmdn?: string | null;
            /**
             * @description Hardware revision.
             * @default null
             */
            hardware_revision?: string | null;
            /**
             * @description Manufacturer.
             * @default null
             */
            manufacturer?: string | null;
            /**
             * @description Model.
             * @default null
             */
            model?: string | null;
            /**
             * @description Part number.
             * @default null
             */
            part_number?: string | null;
            /** @description Device profiles. */
            profiles: components["schemas"]["DeviceProfile"][];
            /**
             * @description Protocol revision.
             * @default null
             */
            protocol_revision?: string | null;
            /**
             * @description Serial number as reported; the enrolled one may differ.
             * @default null
             */
            serial_number?: string | null;
            /**
             * @description Software revision.
             * @default null
             */
            software_revision?: string | null;
            /** @description True if only the device's own claim identifies it (TCP, not accepted by an operator). */
            unverified_link: boolean;
        };
        /**
         * DeviceEnrolment
         * @description A device to enrol, or to enrol again.
         */
        DeviceEnrolment: {
            /** @description What the device measures. */
            device_class: components["schemas"]["DeviceClass"];
            /** @description Manufacturer. */
            manufacturer: string;
            /** @description As printed on the device. Unique within the organisation. */
            serial_number: string;
            /**
             * @description IEEE 11073 system id in hex. Attaches observations that vehicles sent from this device.
             * @default null
             */
            system_id?: string | null;
            /**
             * @description The vehicle of the device.
             * @default null
             */
            vehicle_id?: string | null;
        };
        /**
         * DevicePower
         * @description The power supply of a device, as last reported.
         */
        DevicePower: {
            /**
             * @description Battery level.
             * @default null
             */
            battery_percent?: number | null;
            /**
             * @description Remaining battery time.
             * @default null
             */
            battery_remaining_minutes?: number | null;
            /** @description Time of the report. */
            reported_at: string;
            /** @description Power-Status of IEEE 11073-20601 in words, such as `on mains`. */
            status?: string[];
        };
        /**
         * DeviceProfile
         * @description A device profile (specialization) that a device implements.
         */
        DeviceProfile: {
            /** @description MDC_DEV_SPEC_PROFILE_…, or partition:code if the code has no name. */
            name: string;
            /** @description Version of the specialization. */
            version: number;
        };
        /**
         * EncounterBegun
         * @description The new or the existing encounter.
         */
        EncounterBegun: {
            /** @description The encounter, enc_…. */
            id: string;
            /** @description Status of the encounter. */
            status: components["schemas"]["EncounterStatus"];
        };
        /**
         * EncounterFormat
         * @description The form of an encounter.
         * @enum {string}
         */
        EncounterFormat: "json" | "fhir";
        /**
         * EncounterObservation
         * @description An observation of an encounter.
         */
        EncounterObservation: {
            /** @description The device, dev_…. */
            device_id: string;
            /**
             * @description The device's clock as sent, never corrected.
             * @default null
             */
            device_time?: string | null;
            /**
             * @description Doubts about the value; empty: none.
             * @default []
             */
            flags?: string[];
            /**
             * @description Measured earlier and read from the device's memory.
             * @default false
             */
            from_memory?: boolean;
            /**
             * @description The object in the device; null for a posted observation.
             * @default null
             */
            handle?: number | null;
            /**
             * @description The id of a posted observation, obs_….
             * @default null
             */
            id?: string | null;
            /** @description The ISO/IEEE 11073-10101 code; `partition:code` without a name. */
            mdc_code: string;
            /** @description Time of the measurement, UTC, corrected. */
            observed_at: string;
            /**
             * @description How it arrived.
             * @enum {string}
             */
            origin: "vehicle" | "api";
            /**
             * @description The device's own number of the measured person.
             * @default null
             */
            person?: number | null;
            /**
             * @description The batch of a vehicle's observation.
             * @default null
             */
            provenance?: components["schemas"]["Provenance"] | null;
            /** @description Reception at the gateway by its clock; of a posted one, at the cloud. */
            received_at: string;
            /**
             * @description The device's own measurement status; empty: valid.
             * @default []
             */
            status?: string[];
            /**
             * @description Further codes, such as the body site.
             * @default []
             */
            supplemental_types?: string[];
            /**
             * @description Greatest error of `observed_at`; null: unknown.
             * @default null
             */
            uncertainty_ms?: number | null;
            /**
             * @description The UCUM unit; null: none, or unknown.
             * @default null
             */
            unit_code?: string | null;
            /**
             * @description A number; an object for a compound, by component; a code, or bits as a number; NaN, NRes, +INF or -INF; null where the device sent a text, which is withheld (flag `text_withheld`).
             * @default null
             */
            value?: unknown;
            /**
             * @description Whether the gateway's clock was right at reception; null: unknown.
             * @default null
             */
            wall_synchronised?: boolean | null;
        };
        /**
         * EncounterPartnerSummary
         * @description The encounter summary for partners: mission data only, no patient data.
         */
        EncounterPartnerSummary: {
            /** @description Care model of the mission. */
            care_model: components["schemas"]["CareModel"];
            /**
             * @description Creation time, UTC.
             * @default null
             */
            created_at?: string | null;
            /**
             * @description Number of crew members.
             * @default 0
             */
            crew_count?: number;
            /**
             * @description The evidence of the encounter, evd_…, whose provenance can be fetched.
             * @default null
             */
            evidence_id?: string | null;
            /** @description The encounter, enc_…. */
            id: string;
            /**
             * @description Number of observations, counted up to 10000, at most once a second. Waveforms are counted within two minutes.
             * @default 0
             */
            observation_count?: number;
            /** @description The organisation of the encounter. */
            organization_id: string;
            /** @description Status of the encounter. */
            status: components["schemas"]["EncounterStatus"];
            /**
             * @description The assigned vehicle.
             * @default null
             */
            vehicle_id?: string | null;
        };
        /**
         * EncounterStatus
         * @description Status of an encounter.
         * @enum {string}
         */
        EncounterStatus: "in_progress" | "completed" | "cancelled" | "transferred";
        /**
         * EncounterToBegin
         * @description An encounter to create. The organisation is that of the token.
         */
        EncounterToBegin: {
            /**
             * @description The dispatch system's id of the incident. One incident and vehicle have one encounter.
             * @default null
             */
            cad_incident_id?: string | null;
            /**
             * @description The call as the dispatch system describes it to the vehicle.
             * @default null
             */
            call?: components["schemas"]["CallData"] | null;
            /** @description Care model of the mission. */
            care_model: components["schemas"]["CareModel"];
            /**
             * @description The crew; each id is in the organisation's crew register.
             * @default []
             */
            crew_ids?: string[];
            /**
             * @description The assigned vehicle.
             * @default null
             */
            vehicle_id?: string | null;
        };
        /**
         * EnrolledDevice
         * @description A device of the caller's organisation.
         */
        EnrolledDevice: {
            /**
             * @description Last reported battery level; null before the first report.
             * @default null
             */
            battery_percent?: number | null;
            /**
             * @description Time since which the device describes itself as in `description`.
             * @default null
             */
            described_at?: string | null;
            /**
             * @description How the device describes itself; null until it does.
             * @default null
             */
            description?: components["schemas"]["DeviceDescription"] | null;
            /** @description What the device measures. */
            device_class: components["schemas"]["DeviceClass"];
            /** @description The device, dev_…. */
            id: string;
            /**
             * @description Time of the last report of the device; null before the first.
             * @default null
             */
            last_seen_at?: string | null;
            /**
             * @description Manufacturer.
             * @default null
             */
            manufacturer?: string | null;
            /**
             * @description Model as the device reports it; null until it is known.
             * @default null
             */
            model?: string | null;
            /**
             * @description Power supply; null before the first report.
             * @default null
             */
            power?: components["schemas"]["DevicePower"] | null;
            /** @description As printed on the device. */
            serial_number: string;
            /**
             * @description `active`, or `retired`: the device accepts no observations.
             * @enum {string}
             */
            status: "active" | "retired";
            /**
             * @description IEEE 11073 system id in hex; null until it is known.
             * @default null
             */
            system_id?: string | null;
            /**
             * @description The vehicle of the device.
             * @default null
             */
            vehicle_id?: string | null;
        };
        /**
         * Extensions
         * @description Extensions of a request. Others are ignored.
         */
        Extensions: {
            /** @default null */
            persistedQuery?: components["schemas"]["PersistedQuery"] | null;
        };
        /**
         * FederatedSourceShown
         * @description A source of another installation.
         */
        FederatedSourceShown: {
            /** @description The Communities of Interest channel. */
            channel: string;
            /** @description The name of the source. */
            name: string;
            /** @description The schemas that the source offers. */
            schemas: components["schemas"]["DataSchemaShown"][];
            /**
             * @description The clearance that a viewer of the source needs.
             * @enum {string}
             */
            secrecy_level: "standard" | "restricted" | "confidential" | "secret" | "top_secret";
            /** @description The id of the source. */
            source_id: string;
        };
        /**
         * FhirBundle
         * @description A FHIR R4 transaction bundle, whose resources FHIR describes.
         */
        FhirBundle: {
            /** @description Entries with fullUrl, resource and request (POST, ifNoneExist). */
            entry: {
                [key: string]: unknown;
            }[];
            /**
             * @description The next part, if the bundle has more than 5000 entries.
             * @default null
             */
            link?: components["schemas"]["BundleLink"][] | null;
            /**
             * @description Security label PSEUDED.
             * @default null
             */
            meta?: {
                [key: string]: unknown;
            } | null;
            /** @constant */
            resourceType: "Bundle";
            /** @constant */
            type: "transaction";
        };
        /**
         * Flag
         * @description A doubt about an accepted observation, for the reader of the observation.
         * @enum {string}
         */
        Flag: "mdc_code_unknown" | "device_class_unchecked" | "implausible_value";
        /**
         * Format
         * @description The form of a response with observations.
         * @enum {string}
         */
        Format: "json" | "ndjson";
        /**
         * Governance
         * @description All governance flags.
         */
        Governance: {
            /** @description Whether service tokens may be minted. Turning it off revokes the minted ones. */
            allow_service_tokens: boolean;
            /** @description Allowed hosts of redirect URIs; null: all registered ones. */
            allowed_redirect_hosts: string[] | null;
            /** @description Approved scopes that may be used; null: all of them. */
            allowed_scopes: string[] | null;
            /** @description Allowed hosts of webhooks; null: any public host. */
            allowed_webhook_hosts: string[] | null;
            /** @description Whether authorization requests need PKCE. */
            enforce_pkce: boolean;
            /** @description Maximum lifetime of a token; null: the default of its kind. */
            max_token_ttl_seconds: number | null;
        };
        /**
         * GovernancePatch
         * @description Flags to change (RFC 7396): omitted flags keep their value, null restores the default.
         */
        GovernancePatch: {
            /** @default null */
            allow_service_tokens?: boolean | null;
            /** @default null */
            allowed_redirect_hosts?: string[] | null;
            /** @default null */
            allowed_scopes?: ("argus:acqi:read" | "argus:devices:read" | "argus:devices:write" | "argus:discovery:read" | "argus:epcr:read" | "argus:epcr:write" | "argus:jobs:read" | "argus:jobs:write" | "argus:observability:read" | "argus:platform:admin" | "argus:platform:read" | "argus:profiles:read" | "argus:profiles:write" | "argus:provenance:read" | "argus:telephony:read" | "argus:telephony:write" | "webhooks:read" | "webhooks:write")[] | null;
            /** @default null */
            allowed_webhook_hosts?: string[] | null;
            /** @default null */
            enforce_pkce?: boolean | null;
            /** @default null */
            max_token_ttl_seconds?: number | null;
        };
        /**
         * GraphqlErrorEntry
         * @description An error of the request or of a field.
         */
        GraphqlErrorEntry: {
            /** @description `code` is stable; `trace_id` is the id to quote to support. */
            extensions: {
                [key: string]: unknown;
            };
            message: string;
            /**
             * @description The field of `data` that is null for this reason.
             * @default null
             */
            path?: (string | number)[] | null;
        };
        /**
         * GraphqlRequest
         * @description One operation. Send `query` or `documentId`.
         */
        GraphqlRequest: {
            /**
             * @description The id of an approved document, `sha256:` and 64 hexadecimal digits.
             * @default null
             */
            documentId?: string | null;
            /** @default null */
            extensions?: components["schemas"]["Extensions"] | null;
            /** @default null */
            operationName?: string | null;
            /**
             * @description An approved GraphQL document.
             * @default null
             */
            query?: string | null;
            /** @default null */
            variables?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * GraphqlResponse
         * @description The data of the operation and the errors of its fields; without `data`, the operation was not executed.
         */
        GraphqlResponse: {
            /** @default null */
            data?: {
                [key: string]: unknown;
            } | null;
            /** @default null */
            errors?: components["schemas"]["GraphqlErrorEntry"][] | null;
        };
        /**
         * InclusionProof
         * @description The proof that a record is in the tree (RFC 9162, section 2.1.3).
         */
        InclusionProof: {
            hashes: string[];
            /** @description Place of the record, from 0. */
            index: number;
            leaf_hash: string;
            record_id: string;
        };
        /**
         * JobErrorShown
         * @description The reason why a job failed.
         */
        JobErrorShown: {
            /** @description Stable code. */
            code: string;
            /** @description A sentence for people. */
            message: string;
            /** @description Whether a new job with the same payload may succeed. */
            retryable: boolean;
        };
        /**
         * JobListed
         * @description A job in a list.
         */
        JobListed: {
            created_at: string;
            id: string;
            kind: string;
            progress_pct: number;
            status: components["schemas"]["JobStatus"];
            trace_id: string;
        };
        /**
         * JobPage
         * @description A page of jobs, newest first.
         */
        JobPage: {
            jobs: components["schemas"]["JobListed"][];
            /** @description For the next page; null on the last. */
            next_cursor: string | null;
            /** @description Number of all jobs that match the filters. */
            total_count: number;
        };
        /**
         * JobQueued
         * @description A new job.
         */
        JobQueued: {
            created_at: string;
            /** @description The job. */
            id: string;
            kind: string;
            /** @constant */
            status: "queued";
            /** @description Trace of this request. */
            trace_id: string;
        };
        /**
         * JobResultPending
         * @description The progress of a job whose result does not exist yet.
         */
        JobResultPending: {
            progress_pct: number;
            status: components["schemas"]["JobStatus"];
        };
        /**
         * JobResultShown
         * @description The result of a job.
         */
        JobResultShown: {
            id: string;
            /** @description Opaque name of the result. */
            result_ref: string;
            /** @description Address of the result for some minutes. It suffices to read the result. */
            signed_url: string;
        };
        /**
         * JobShown
         * @description A job.
         */
        JobShown: {
            /** @description Time of the end; null while the job is queued or running. */
            completed_at: string | null;
            created_at: string;
            error: components["schemas"]["JobErrorShown"] | null;
            /**
             * @description The evidence of the file, evd_…, whose provenance can be fetched; null until an export or import has succeeded, and for other kinds.
             * @default null
             */
            evidence_id?: string | null;
            id: string;
            kind: string;
            /**
             * Format: int64
             * @description Never decreases; 100 when the job has succeeded.
             */
            progress_pct: number;
            status: components["schemas"]["JobStatus"];
            /** @description Trace of the request that started the job. */
            trace_id: string;
            updated_at: string;
        };
        /**
         * JobStatus
         * @description The status of a job.
         * @enum {string}
         */
        JobStatus: "queued" | "running" | "succeeded" | "failed" | "cancelled";
        /**
         * JobWanted
         * @description A job to start.
         */
        JobWanted: {
            /**
             * Format: uri
             * @description Gets a signed webhook when the job has ended: https, a public host, port 443, 8443 or any from 1024.
             * @default null
             */
            callback_url?: string | null;
            /**
             * @description Kind of the job.
             *
             *     - `graph.compute`: Analyse the graph of incidents, encounters, crews, vehicles and devices, or of profiles. Needs `argus:epcr:read`, `argus:devices:read` if `nodes` is `encounters`; `argus:profiles:read` if `nodes` is `profiles`.
             *     - `export.bulk`: Export encounters, observations or waveforms as one file. Needs `argus:epcr:read`.
             *     - `intelligence.enrich.bulk`: Compare profiles with the imported sanctions lists and labels of wallets. Needs `argus:profiles:write`.
             *     - `import.bulk`: Import devices, profiles, encounters or a sanctions list. Needs `argus:devices:write` if `data` is `devices`; `argus:profiles:write` if `data` is `profiles`; `argus:epcr:write` if `data` is `encounters`; `argus:profiles:write` if `data` is `sanctions`.
             * @enum {string}
             */
            kind: "graph.compute" | "export.bulk" | "intelligence.enrich.bulk" | "import.bulk";
            /** @description What to do, in the form of the kind. */
            payload: {
                [key: string]: unknown;
            };
            /**
             * @description The job reads no data above this level, and callers below it do not see the job.
             * @default standard
             * @enum {string}
             */
            secrecy_level?: "standard" | "restricted" | "confidential" | "secret" | "top_secret";
        };
        /**
         * ListedEncounter
         * @description An encounter in a list: mission data only, no patient data.
         */
        ListedEncounter: {
            /** @description Care model of the mission. */
            care_model: components["schemas"]["CareModel"];
            /**
             * @description Creation time, UTC.
             * @default null
             */
            created_at?: string | null;
            /** @description The encounter, enc_…. */
            id: string;
            /** @description The organisation of the encounter. */
            organization_id: string;
            /** @description Status of the encounter. */
            status: components["schemas"]["EncounterStatus"];
            /**
             * @description The assigned vehicle.
             * @default null
             */
            vehicle_id?: string | null;
        };
        /** @description Why no token was issued (RFC 6749, section 5.2). */
        OAuthError: {
            error: string;
            error_description?: string;
            /** Format: uri */
            error_uri?: string;
        };
        /**
         * ObservationInterval
         * @description The numerics of one device, code and unit in one interval. A component of a compound value is a series of its
         *     own.
         */
        ObservationInterval: {
            /** @description Number of summarised values. */
            count: number;
            /** @description The device, dev_…. */
            device_id: string;
            /** @description Beginning of the interval, a multiple of its length since 1970, UTC. */
            from: string;
            /**
             * @description The object in the device; null for a posted observation.
             * @default null
             */
            handle?: number | null;
            /**
             * @description The latest value.
             * @default null
             */
            last?: number | null;
            /**
             * @description Time of the latest value.
             * @default null
             */
            last_observed_at?: string | null;
            /** @description Number of values that are not summarised: special values, implausible ones, and those whose status is invalid, not available, calibration, test or demonstration data. */
            left_out: number;
            /**
             * @description The greatest value.
             * @default null
             */
            max?: number | null;
            /** @description The ISO/IEEE 11073-10101 code; `partition:code` without a name. */
            mdc_code: string;
            /**
             * @description The mean of the values.
             * @default null
             */
            mean?: number | null;
            /**
             * @description The least value; null without values.
             * @default null
             */
            min?: number | null;
            /**
             * @description The device's own number of the measured person.
             * @default null
             */
            person?: number | null;
            /**
             * @description Further codes, such as the body site.
             * @default []
             */
            supplemental_types?: string[];
            /**
             * @description The UCUM unit; null: none, or unknown.
             * @default null
             */
            unit_code?: string | null;
            /** @description End of the interval (excluded). */
            until: string;
        };
        /**
         * ObservationToPost
         * @description One measured value.
         */
        ObservationToPost: {
            /**
             * @description The encounter of the observation.
             * @default null
             */
            encounter_id?: string | null;
            /** @description Reference identifier of ISO/IEEE 11073-10101. */
            mdc_code: string;
            /**
             * Format: date-time
             * @description Time of the measurement (RFC 3339, with Z or an offset): at most 30 days ago and at most 5 minutes ahead. Default: now.
             * @default null
             */
            observed_at?: string | null;
            /** @description UCUM unit, case-sensitive. */
            unit_code: string;
            /** @description A finite number in the unit. */
            value: number;
        };
        /**
         * PersistedQuery
         * @description Apollo's form of the id of a document.
         */
        PersistedQuery: {
            sha256Hash: string;
        };
        /** @description Why a request failed (RFC 9457). */
        Problem: {
            /** @description Stable. Programs decide by this member only. */
            code: string;
            /** @description What is wrong and what to do. */
            detail?: string;
            /** @description The invalid values of the request, one by one. */
            errors?: {
                /** @description What is wrong with the value. */
                detail: string;
                /** @description A known word close to the given one. */
                did_you_mean?: string;
                /** @description Its name in the query or the form. */
                parameter?: string;
                /**
                 * Format: json-pointer
                 * @description Its place in the body (RFC 6901).
                 */
                pointer?: string;
            }[];
            instance?: string;
            /** Format: int32 */
            status: number;
            title: string;
            trace_id: string;
            /**
             * Format: uri
             * @description Address of a page about this kind of problem.
             */
            type: string;
        };
        /**
         * Provenance
         * @description The signed batch of a vehicle in which an observation arrived. These five fields identify the observation.
         */
        Provenance: {
            /** @description The life of the gateway's store. */
            epoch: string;
            /** @description The gateway in the vehicle. */
            gateway: string;
            /** @description The observation in its batch. */
            index: number;
            /** @description The numbered sequence of batches. */
            lane: string;
            /** @description The batch in its lane. */
            sequence: number;
        };
        /**
         * ProvenanceFault
         * @description A fault of a transcript.
         */
        ProvenanceFault: {
            /** @description Place of the record in the transcript, from 0. */
            index: number | null;
            /** @enum {string} */
            reason: "signature_invalid" | "signature_malformed" | "algorithm_unknown" | "algorithm_mismatch" | "key_unknown" | "key_withdrawn" | "signed_outside_key_period" | "parent_missing" | "record_out_of_order" | "parent_hash_mismatch" | "record_duplicate" | "content_hash_mismatch" | "record_not_in_ledger" | "ledger_mismatch" | "tenant_mismatch" | "evidence_mismatch" | "identity_mismatch" | "record_count_mismatch" | "merkle_root_mismatch" | "root_signature_invalid" | "root_signature_malformed" | "root_algorithm_unknown" | "root_key_unknown" | "root_key_withdrawn" | "graph_mismatch";
            /** @description The record that is not verified; null: the transcript as a whole. */
            record_id: string | null;
        };
        /**
         * ProvenanceKeySet
         * @description All keys of the platform that sign or signed records of provenance. None is ever removed.
         */
        ProvenanceKeySet: {
            /** @description Newest first. */
            keys: components["schemas"]["ProvenancePublicKey"][];
        };
        /**
         * ProvenancePublicKey
         * @description One public key that verifies records of provenance.
         */
        ProvenancePublicKey: {
            /**
             * @description Algorithm (FIPS 204).
             * @constant
             */
            alg: "ml-dsa-65";
            /** @description Key id, as in `signature_kid` and `root_signature_kid` of a transcript. */
            kid: string;
            /** @description Time from which it no longer signs, up to some seconds later. Null: it signs, or will sign. */
            not_after: string | null;
            /** @description Time from which the key signs. Null: it does not sign yet. */
            not_before: string | null;
            /** @description The 1952 bytes of the public key of FIPS 204, in base64 with padding. */
            public_key: string;
            /**
             * @description `withdrawn`: the private key may be stolen; a signature proves nothing unless a tree head from before `not_after` contains the record.
             * @enum {string}
             */
            status: "next" | "current" | "retired" | "withdrawn";
        };
        /**
         * ProvenanceRecord
         * @description One operation on the evidence.
         */
        ProvenanceRecord: {
            actor_id: string;
            /** @enum {string} */
            actor_kind: "user" | "service" | "system" | "job";
            /** @description SHA-256 of the content of the evidence after the operation. */
            content_hash: string;
            /**
             * @description Further facts on the operation, such as the vehicle's batches. Absent without any.
             * @default null
             */
            details?: {
                [key: string]: unknown;
            } | null;
            /** @description A ULID. */
            id: string;
            job_id: string | null;
            /** @enum {string} */
            operation: "evidence.create" | "evidence.read" | "evidence.update" | "evidence.redact" | "evidence.export" | "evidence.transfer" | "evidence.verify" | "evidence.delete";
            /** @description The leaf hash of the record before; null in the first. */
            parent_hash: string | null;
            /** @description The record before; null in the first. */
            parent_id: string | null;
            /** @description Hexadecimal. */
            signature: string;
            /** @enum {string} */
            signature_alg: "hmac-sha256" | "ml-dsa-65";
            /** @description Id of the key that made the signature. */
            signature_kid: string;
            /** Format: date-time */
            signed_at: string;
            trace_id: string | null;
        };
        /**
         * ProvenanceTranscript
         * @description The operations on a piece of evidence, in order, each signed and chained to the one before.
         */
        ProvenanceTranscript: {
            /**
             * @description Present with `consistent_with`.
             * @default null
             */
            consistency_proof?: components["schemas"]["ConsistencyProof"] | null;
            /**
             * @description Number of records of the evidence; present if the transcript has only the first ones.
             * @default null
             */
            current_record_count?: number | null;
            evidence_id: string;
            /** @constant */
            format: "json";
            /**
             * @description Present with `proof_of`.
             * @default null
             */
            inclusion_proof?: components["schemas"]["InclusionProof"] | null;
            merkle_root: string;
            record_count: number;
            records: components["schemas"]["ProvenanceRecord"][];
            /** @description Hexadecimal. */
            root_signature: string;
            /** @enum {string} */
            root_signature_alg: "hmac-sha256" | "ml-dsa-65";
            root_signature_kid: string;
            tenant_id: string;
            /** @description Version of the form of transcripts. */
            version: string;
        };
        /**
         * ProvenanceVerification
         * @description The result of a verification.
         */
        ProvenanceVerification: {
            broken_links: components["schemas"]["ProvenanceFault"][];
            checked_records: number;
            /**
             * @description Present if the transcript is valid and not the latest.
             * @default null
             */
            consistency_proof?: components["schemas"]["ConsistencyProof"] | null;
            /**
             * @description `checked`: the hash of the content after each operation was computed again. `not_checked`: the content is a file that was not read, and its hash was compared with the cloud's own record only.
             * @enum {string}
             */
            content: "checked" | "not_checked";
            /**
             * @description Why the content was not checked: the file is no longer stored, has more than 256 MiB, or the object store did not respond. Absent if it was checked.
             * @default null
             */
            content_reason?: components["schemas"]["ContentNotChecked"] | null;
            current_record_count: number;
            evidence_id: string;
            /** @description False: the evidence has further records, or the transcript is not valid. */
            is_latest: boolean;
            /** @description The root fits the records, its signature is valid, and each record is verified. */
            merkle_root_verified: boolean;
            valid: boolean;
        };
        /**
         * PublicKey
         * @description One public key of the set (RFC 7517).
         */
        PublicKey: {
            /**
             * @description The only algorithm of this key.
             * @constant
             */
            alg: "RS256";
            /** @description Exponent, base64url. */
            e: string;
            /** @description Key id, as in the header of the tokens that it signed. */
            kid: string;
            /**
             * @description Key type.
             * @constant
             */
            kty: "RSA";
            /** @description Modulus, base64url. */
            n: string;
            /**
             * @description Use: signatures.
             * @constant
             */
            use: "sig";
        };
        /**
         * PublicKeySet
         * @description The keys that verify access tokens: the current one, the next one, and retired ones with unexpired tokens.
         */
        PublicKeySet: {
            /** @description Newest first. */
            keys: components["schemas"]["PublicKey"][];
        };
        /**
         * QueuedTest
         * @description A queued test.
         */
        QueuedTest: {
            delivery_id: string;
            status: string;
        };
        /**
         * Rotated
         * @description The new secrets, which are shown only once.
         */
        Rotated: {
            callback_signing_secret: string;
            client_id: string;
            client_secret: string;
            /** @description null: the previous secret is revoked. */
            previous_secret_expires_at: string | null;
        };
        /**
         * RotationWanted
         * @description The end of the previous secret.
         */
        RotationWanted: {
            /**
             * Format: int64
             * @description Hours for which it remains valid.
             * @default 24
             */
            grace_hours?: number;
            /**
             * @description Revoke it now, for a leaked secret.
             * @default false
             */
            revoke_previous?: boolean;
        };
        /**
         * ScopeCatalogue
         * @description Every scope that can be granted to this tenant's apps.
         */
        ScopeCatalogue: {
            scopes: components["schemas"]["ScopeShown"][];
        };
        /**
         * ScopeShown
         * @description One scope.
         */
        ScopeShown: {
            /** @description For consent and approval screens. */
            description: string;
            /** @description As in a token. */
            name: string;
        };
        /**
         * SecretShown
         * @description Validity of a secret, without the secret.
         */
        SecretShown: {
            created_at: string;
            /** @description null: valid until the next rotation. */
            expires_at: string | null;
        };
        /**
         * ServiceToken
         * @description A service token, which is shown only once.
         */
        ServiceToken: {
            expires_at: string;
            token: string;
        };
        /**
         * ServiceTokenWanted
         * @description A service token to mint.
         */
        ServiceTokenWanted: {
            /**
             * @description Approved scopes of the app. Default: all of them.
             * @default null
             */
            scopes?: ("argus:acqi:read" | "argus:devices:read" | "argus:devices:write" | "argus:discovery:read" | "argus:epcr:read" | "argus:epcr:write" | "argus:jobs:read" | "argus:jobs:write" | "argus:observability:read" | "argus:platform:admin" | "argus:platform:read" | "argus:profiles:read" | "argus:profiles:write" | "argus:provenance:read" | "argus:telephony:read" | "argus:telephony:write" | "webhooks:read" | "webhooks:write")[] | null;
            /**
             * @description 60 to 7776000, and at most the limit of the app's governance. Default: one day.
             * @default null
             */
            ttl_seconds?: number | null;
        };
        /**
         * SpanShown
         * @description A span of a trace.
         */
        SpanShown: {
            /** @description Facts from a fixed list of names. They have no bodies, tokens, query strings or patient data. */
            attributes: {
                [key: string]: unknown;
            };
            end_time: string;
            /** @description `server`, `client`, `producer`, `consumer` or `internal`. */
            kind: string;
            name: string;
            /** @description The span that caused this one; null for the first span. The parent of a request that continued your trace is a span of yours, which is not in the list. */
            parent_span_id: string | null;
            span_id: string;
            start_time: string;
            /** @description `ok` or `error`. */
            status: string;
        };
        /**
         * TimelineElement
         * @description A statement about one element of the care record.
         */
        TimelineElement: {
            /**
             * @description It stands against the statement of another author.
             * @default false
             */
            contradicts?: boolean;
            /** @description The element of the catalogue. */
            key: string;
            /**
             * @description A pertinent negative.
             * @default null
             */
            negative?: string | null;
            /**
             * @description The reason for a missing value.
             * @default null
             */
            not_recorded?: string | null;
            /**
             * @description The value is the least one that may be true.
             * @default false
             */
            or_more?: boolean;
            /**
             * @description The value; null: none was stated.
             * @default null
             */
            value?: string | null;
        };
        /**
         * TimelineEntry
         * @description One item of the timeline of an encounter.
         */
        TimelineEntry: {
            /** @description Time, UTC. Of an event in the vehicle, by the gateway's clock. */
            at: string;
            /**
             * @description The device that it is about, dev_….
             * @default null
             */
            device_id?: string | null;
            /**
             * @description The content of the entry.
             * @default []
             */
            elements?: components["schemas"]["TimelineElement"][];
            /**
             * @description Pseudonym of the entry in the care record.
             * @default null
             */
            entry?: string | null;
            /**
             * @description Facts about an event in the vehicle.
             * @default {}
             */
            fields?: {
                [key: string]: string | number | boolean | null;
            };
            /** @description `encounter.created`, `device.assigned`, `device.released`, `procedure`, `medication`, or the name of an event in the vehicle, such as `device.connected` or `gap.recorded`. */
            type: string;
            /**
             * @description The entry of the care record is declared wrong.
             * @default false
             */
            void?: boolean;
        };
        /**
         * TokenForm
         * @description A token request.
         */
        TokenForm: {
            /**
             * @description The app; omitted with HTTP Basic.
             * @default null
             */
            client_id?: string | null;
            /**
             * @description The secret of the app; omitted with HTTP Basic.
             * @default null
             */
            client_secret?: string | null;
            /**
             * @description From the redirect. Valid for one minute and for one use.
             * @default null
             */
            code?: string | null;
            /**
             * @description The verifier of the code challenge (RFC 7636).
             * @default null
             */
            code_verifier?: string | null;
            /**
             * @description `client_credentials` for headless integrations, `authorization_code` to act for a person.
             * @default null
             */
            grant_type?: string | null;
            /**
             * @description The redirect_uri of the authorization request, if it had one.
             * @default null
             */
            redirect_uri?: string | null;
            /**
             * @description Approved scopes, separated by spaces. Default: all of them.
             * @default null
             */
            scope?: string | null;
        };
        /**
         * TraceShown
         * @description A trace: its spans in the order of their start.
         */
        TraceShown: {
            /** @description False if spans are missing: the trace has more than a response may have, or a part of the service did not deliver its spans in time. */
            complete: boolean;
            spans: components["schemas"]["SpanShown"][];
            trace_id: string;
        };
        /**
         * VerificationWanted
         * @description A transcript to verify.
         */
        VerificationWanted: {
            /** @description The response of the transcript operation, in its JSON or its JSON-LD form. */
            transcript: {
                [key: string]: unknown;
            };
        };
        /**
         * WaveformBlock
         * @description The samples of one channel that a device sent at once.
         */
        WaveformBlock: {
            /** @description The device, dev_…. */
            device_id: string;
            /**
             * @description Doubts about the waveform; empty: none.
             * @default []
             */
            flags?: string[];
            /**
             * @description Whether the block before it in its channel ends where this one begins; false: a gap is before it; null: it is the first of its channel in this page.
             * @default null
             */
            follows?: boolean | null;
            /**
             * @description The object in the device; null for a posted observation.
             * @default null
             */
            handle?: number | null;
            /** @description The ISO/IEEE 11073-10101 code; `partition:code` without a name. */
            mdc_code: string;
            /** @description Time of the first sample, UTC, corrected. */
            observed_at: string;
            /** @description See `slope`. */
            offset: number;
            /**
             * @description The device's own number of the measured person.
             * @default null
             */
            person?: number | null;
            /** @description Seconds from one sample to the next. */
            sample_period_s: number;
            /** @description The integers that the device sent. */
            samples: number[];
            /** @description Physical value = slope × sample + offset, in `unit_code`. */
            slope: number;
            /**
             * @description The device's own measurement status; empty: valid.
             * @default []
             */
            status?: string[];
            /**
             * @description Further codes, such as the body site.
             * @default []
             */
            supplemental_types?: string[];
            /**
             * @description Greatest error of `observed_at`; null: unknown.
             * @default null
             */
            uncertainty_ms?: number | null;
            /**
             * @description The UCUM unit; null: none, or unknown.
             * @default null
             */
            unit_code?: string | null;
        };
        /**
         * WaveformRange
         * @description The least and the greatest sample of one channel in each interval.
         */
        WaveformRange: {
            /** @description The device, dev_…. */
            device_id: string;
            /** @description Beginning of the first interval of this page, UTC. */
            from: string;
            /**
             * @description The object in the device; null for a posted observation.
             * @default null
             */
            handle?: number | null;
            /** @description Seconds of an interval. */
            interval_s: number;
            /** @description The greatest sample of each interval; null: a gap. */
            max: (number | null)[];
            /** @description The ISO/IEEE 11073-10101 code; `partition:code` without a name. */
            mdc_code: string;
            /** @description The least sample of each interval; null: a gap. */
            min: (number | null)[];
            /** @description See `slope`. */
            offset: number;
            /**
             * @description The device's own number of the measured person.
             * @default null
             */
            person?: number | null;
            /** @description Seconds from one sample to the next. */
            sample_period_s: number;
            /** @description Physical value = slope × sample + offset, in `unit_code`. */
            slope: number;
            /**
             * @description Further codes, such as the body site.
             * @default []
             */
            supplemental_types?: string[];
            /**
             * @description The UCUM unit; null: none, or unknown.
             * @default null
             */
            unit_code?: string | null;
        };
        /**
         * WebhookChange
         * @description Fields to change. Omitted fields are kept.
         */
        WebhookChange: {
            /**
             * @description Display name; null removes it.
             * @default null
             */
            description?: string | null;
            /** @description Names from the event catalogue. The app must be approved for each. */
            events?: ("incident.created" | "incident.updated" | "incident.closed" | "epcr.encounter.created" | "epcr.encounter.updated" | "epcr.encounter.finished" | "device.enrolled" | "device.retired" | "device.offline" | "epcr.handover.ready" | "gateway.connected" | "gateway.offline" | "job.succeeded" | "job.failed" | "job.cancelled" | "webhook.test" | "webhook.disabled")[];
            /** @description Signs deliveries: `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes, which is the key itself. The previous secret also signs for 24 hours. */
            secret?: string;
            /**
             * @description `disabled`: no events are sent until it is `active`.
             * @enum {string}
             */
            status?: "active" | "disabled";
            /** @description Target of the deliveries: https, a public host, port 443, 8443 or any from 1024. */
            url?: string;
        };
        /**
         * WebhookCreated
         * @description A new webhook.
         */
        WebhookCreated: {
            /** @description The app of the webhook. */
            client_id: string;
            created_at: string;
            description: string | null;
            disabled_at: string | null;
            /** @description `gone`: the receiver returned 410; `failing`: five days without a success; `not_allowed`: the app's governance no longer allows this host; `by_owner`: disabled by its owner. */
            disabled_reason: string | null;
            events: string[];
            /** @description Time of the first failure since the last success; null: no failure. */
            failing_since: string | null;
            /** @description The webhook, wh_…. */
            id: string;
            /** @description The organisation of its events; null: the whole tenant. */
            organization_id: string | null;
            /** @description End of the overlap in which the previous secret also signs; null: no overlap. */
            previous_secret_expires_at: string | null;
            /**
             * @description The generated signing secret, if none was sent. It is shown only once.
             * @default null
             */
            secret?: string | null;
            /** @enum {string} */
            status: "active" | "disabled";
            updated_at: string;
            url: string;
        };
        /**
         * WebhookPage
         * @description A page of webhooks.
         */
        WebhookPage: {
            /** @description For the next page; null on the last. */
            next_cursor: string | null;
            webhooks: components["schemas"]["WebhookShown"][];
        };
        /**
         * WebhookShown
         * @description A webhook.
         */
        WebhookShown: {
            /** @description The app of the webhook. */
            client_id: string;
            created_at: string;
            description: string | null;
            disabled_at: string | null;
            /** @description `gone`: the receiver returned 410; `failing`: five days without a success; `not_allowed`: the app's governance no longer allows this host; `by_owner`: disabled by its owner. */
            disabled_reason: string | null;
            events: string[];
            /** @description Time of the first failure since the last success; null: no failure. */
            failing_since: string | null;
            /** @description The webhook, wh_…. */
            id: string;
            /** @description The organisation of its events; null: the whole tenant. */
            organization_id: string | null;
            /** @description End of the overlap in which the previous secret also signs; null: no overlap. */
            previous_secret_expires_at: string | null;
            /** @enum {string} */
            status: "active" | "disabled";
            updated_at: string;
            url: string;
        };
        /**
         * WebhookWanted
         * @description A webhook to create.
         */
        WebhookWanted: {
            /**
             * @description Display name.
             * @default null
             */
            description?: string | null;
            /** @description Names from the event catalogue. The app must be approved for each. */
            events: ("incident.created" | "incident.updated" | "incident.closed" | "epcr.encounter.created" | "epcr.encounter.updated" | "epcr.encounter.finished" | "device.enrolled" | "device.retired" | "device.offline" | "epcr.handover.ready" | "gateway.connected" | "gateway.offline" | "job.succeeded" | "job.failed" | "job.cancelled" | "webhook.test" | "webhook.disabled")[];
            /**
             * @description Signs deliveries: `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes, which is the key itself. Default: a generated secret, which is in the response once.
             * @default null
             */
            secret?: string | null;
            /**
             * @description `disabled`: only tests are sent.
             * @default active
             * @enum {string}
             */
            status?: "active" | "disabled";
            /**
             * Format: uri
             * @description Target of the deliveries: https, a public host, port 443, 8443 or any from 1024.
             */
            url: string;
        };
    };
    responses: {
        /** @description The request is malformed. `errors` names the invalid values. */
        Refused400: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The access token is missing or invalid. */
        Refused401: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The access token does not allow this. */
        Refused403: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Conflicts with the current state. */
        Refused409: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is too large. */
        Refused413: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The media type of the body is not supported. */
        Refused415: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The request is well-formed, but a value is not valid here. */
        Refused422: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Too many requests. Wait for the seconds in Retry-After. */
        Refused429: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description An error in the service. It was recorded: quote the trace id to support. */
        Refused500: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Temporarily unavailable. Retry after Retry-After. */
        Refused503: {
            headers: {
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After"];
                "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: {
        /** @description A key of your own, for instance a UUID: a retry within 24 hours returns the first response. The response carries the key. The same key with another person, app, path or body returns 422. */
        "Idempotency-Key": string;
        /** @description The ETag of the version that you read. Returns 412 and changes nothing if it has changed since. */
        "If-Match": string;
        /** @description The ETag of your copy. Returns 304 if it is current. */
        "If-None-Match": string;
        /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
        traceparent: string;
        /** @description The tenant of the access token. Another tenant returns 403 `tenant_mismatch`. */
        "X-Tenant-ID": string;
    };
    requestBodies: never;
    headers: {
        /** @description The version of this representation, for If-None-Match and If-Match. */
        ETag: string;
        /** @description The key of the request, without quotes; only when one was sent. */
        "Idempotency-Key": string;
        /** @description `true` when this is the response to an earlier request with the same key. */
        "Idempotency-Replayed": "true";
        /** @description The next page, with `rel="next"` (RFC 8288). */
        Link: string;
        /** @description Address of the new resource. */
        Location: string;
        /** @description The remaining requests `r` and the seconds `t` until they are complete again, such as `"standard";r=5999;t=1`. Absent when a request was refused before it was counted. */
        RateLimit: string;
        /** @description The limit: `q` requests in `w` seconds, such as `"standard";q=6000;w=60`. */
        "RateLimit-Policy": string;
        /** @description Seconds to wait. */
        "Retry-After": number;
        /** @description The authentication scheme and the reason of the error. */
        "WWW-Authenticate": string;
        /** @description The server's span in the trace. */
        "X-Argus-Span-ID": string;
        /** @description The trace of this request. */
        "X-Argus-Trace-ID": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getApiCatalog: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/linkset+json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readJwks: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The public signing keys. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PublicKeySet"];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getOpenApiJson: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getOpenApiYaml: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/yaml": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getProvenanceKeys: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                algorithm: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The public keys. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProvenanceKeySet"];
                };
            };
            400: components["responses"]["Refused400"];
            /** @description The algorithm has no public key. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getDataSchema: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/schema+json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            /** @description No such schema, or one above the clearance of the caller. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listDevices: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Rows of a page, at most 200. */
                limit?: number;
                /** @description Only devices of this vehicle. */
                vehicle_id?: string;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of devices, ordered by id. The Link header leads to the next page. */
            200: {
                headers: {
                    Link: components["headers"]["Link"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnrolledDevice"][];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postObservation: {
        parameters: {
            query?: never;
            header?: {
                /** @description A key of your own, for instance a UUID: a retry within 24 hours returns the first response. The response carries the key. The same key with another person, app, path or body returns 422. */
                "Idempotency-Key"?: components["parameters"]["Idempotency-Key"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                deviceId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ObservationToPost"];
            };
        };
        responses: {
            /** @description The response to an earlier request with the same Idempotency-Key. */
            200: {
                headers: {
                    "Idempotency-Key": components["headers"]["Idempotency-Key"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedObservation"];
                };
            };
            /** @description The observation is stored. */
            201: {
                headers: {
                    "Idempotency-Key": components["headers"]["Idempotency-Key"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedObservation"];
                };
            };
            /** @description The body is invalid. A value is a finite number. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Device not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The device is retired. */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            /** @description The code, unit, time or encounter is invalid. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    enrolDevice: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeviceEnrolment"];
            };
        };
        responses: {
            /** @description The device was already enrolled. It is active and keeps its id. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnrolledDevice"];
                };
            };
            /** @description The device is enrolled. */
            201: {
                headers: {
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnrolledDevice"];
                };
            };
            /** @description The body is invalid, or the device class is unknown. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Another enrolled device of this organisation has this system id. */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            /** @description The vehicle is not in this organisation, or a text is malformed. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEncounters: {
        parameters: {
            query?: {
                /** @description Filter by the dispatch system's incident id. */
                cad_incident_id?: string;
                /** @description From the previous page. */
                cursor?: string;
                /** @description Rows of a page, at most 200. */
                limit?: number;
                /** @description Created at this time or later. */
                since?: string;
                /** @description Filter by status. */
                status?: components["schemas"]["EncounterStatus"];
                /** @description Filter by vehicle. */
                vehicle_id?: string;
            };
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of encounters, earliest created first. The Link header leads to the next page. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    Link: components["headers"]["Link"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListedEncounter"][];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    beginEncounter: {
        parameters: {
            query?: never;
            header?: {
                /** @description A key of your own, for instance a UUID: a retry within 24 hours returns the first response. The response carries the key. The same key with another person, app, path or body returns 422. */
                "Idempotency-Key"?: components["parameters"]["Idempotency-Key"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EncounterToBegin"];
            };
        };
        responses: {
            /** @description The existing encounter of the same incident and vehicle. */
            200: {
                headers: {
                    "Idempotency-Key": components["headers"]["Idempotency-Key"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EncounterBegun"];
                };
            };
            /** @description The new encounter. Location has its address. */
            201: {
                headers: {
                    "Idempotency-Key": components["headers"]["Idempotency-Key"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EncounterBegun"];
                };
            };
            /** @description The body is invalid. The organisation is that of the token and not part of the body. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            409: components["responses"]["Refused409"];
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            /** @description The vehicle or a crew member is not in this organisation. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readEncounter: {
        parameters: {
            query?: {
                /** @description `json`: the summary. `fhir`: the FHIR R4 bundle. Default: as Accept prefers, else `json`. */
                format?: components["schemas"]["EncounterFormat"];
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The summary. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/fhir+json": Record<string, never>;
                    "application/json": components["schemas"]["EncounterPartnerSummary"];
                };
            };
            /** @description Unknown format. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Encounter not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description In FHIR: the care record is too large to be read at once. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            500: components["responses"]["Refused500"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readEncounterBundle: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The transaction bundle, or a part of it. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/fhir+json": components["schemas"]["FhirBundle"];
                };
            };
            /** @description The query is invalid, or `cursor` is not from a link of this bundle. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Encounter not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The care record has too many field changes to be read at once. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            500: components["responses"]["Refused500"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEncounterObservations: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Filter by device, dev_…. */
                device_id?: string;
                /** @description `ndjson`: all rows as one stream, one JSON object a line. Default: by `Accept`. */
                format?: components["schemas"]["Format"];
                /** @description Summarise the numerics of each interval of so many seconds. */
                interval_s?: number;
                /** @description Rows of a page, at most 1000. */
                limit?: number;
                /** @description Filter by ISO/IEEE 11073-10101 codes, separated by commas. */
                mdc_code?: string;
                /** @description From this time on. */
                since?: string;
                /** @description Before this time. */
                until?: string;
            };
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of observations in the order of time, or of summaries by interval. The Link header leads to the next page, also where this one is short or empty. As `application/x-ndjson`: all of them. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    Link: components["headers"]["Link"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": (components["schemas"]["EncounterObservation"] | components["schemas"]["ObservationInterval"])[];
                    "application/x-ndjson": string;
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Encounter not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEncounterTimeline: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Rows of a page, at most 200. */
                limit?: number;
                /** @description From this time on. */
                since?: string;
                /** @description Before this time. */
                until?: string;
            };
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the timeline. The Link header leads to the next page. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    Link: components["headers"]["Link"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TimelineEntry"][];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Encounter not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The care record has too many field changes to be read at once. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEncounterWaveforms: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Filter by device, dev_…. */
                device_id?: string;
                /** @description Samples of a page, at most 200000. It has no effect with `points`. */
                limit?: number;
                /** @description Filter by ISO/IEEE 11073-10101 codes, separated by commas. */
                mdc_code?: string;
                /** @description The least and greatest sample in at most so many intervals, instead of the samples. */
                points?: number;
                /** @description From this time on. */
                since?: string;
                /** @description Before this time. */
                until?: string;
            };
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                encounterId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of blocks of samples in the order of time, or the least and greatest samples of each channel by interval. The Link header leads to the next page. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    Link: components["headers"]["Link"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": (components["schemas"]["WaveformBlock"] | components["schemas"]["WaveformRange"])[];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Encounter not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    executeGraphql: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
                /** @description The tenant of the access token. Another tenant returns 403 `tenant_mismatch`. */
                "X-Tenant-ID"?: components["parameters"]["X-Tenant-ID"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GraphqlRequest"];
            };
        };
        responses: {
            /** @description The operation was executed, and `errors` lists the fields that failed. With `application/json`, also: the app may not send it. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                };
            };
            /** @description The request, the document or a variable is invalid. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing or invalid. */
            401: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token lacks a scope of a field or, for clients that accept the GraphQL media type, the app may not send this operation. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type of the body is not supported. */
            415: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A variable is invalid, for clients that accept the GraphQL media type. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Too many requests. Wait for the seconds in Retry-After. */
            429: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The operation took longer than 10 seconds. */
            503: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/graphql-response+json": components["schemas"]["GraphqlResponse"];
                    "application/json": components["schemas"]["GraphqlResponse"];
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    readVersionedJwks: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The public signing keys. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PublicKeySet"];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listDataSchemas: {
        parameters: {
            query?: {
                /** @description Also list sources of other installations, reached through approved channels. */
                include_federated?: boolean;
                /** @description Only schemas up to this level. Default, and most: the clearance of the caller. */
                secrecy_max?: "standard" | "restricted" | "confidential" | "secret" | "top_secret";
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The schemas. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataSchemaList"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEvidenceProvenance: {
        parameters: {
            query?: {
                /** @description The signatures to show. `ml-dsa-65` can be verified offline with the published key. */
                algorithm?: "hmac-sha256" | "ml-dsa-65";
                /** @description Number of records of an older transcript: adds the proof that this transcript begins with it. */
                consistent_with?: number;
                /** @description With `format=jsonld`, `strict` leaves the definitions of terms out of `@context`, which is then the address alone. */
                context?: "inline" | "strict";
                /** @description `jsonld` is a PROV-O document. */
                format?: "json" | "jsonld";
                /** @description Id of a record: adds the proof that the Merkle root includes it. */
                proof_of?: string;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                evidence_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The transcript. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProvenanceTranscript"];
                    "application/ld+json": {
                        /** @description The address of PROV-O and the definitions of the terms; with `context=strict`, the address alone. */
                        "@context": unknown;
                        /** @description The first node has the transcript. */
                        "@graph": Record<string, never>[];
                    };
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description There is no such evidence, or its secrecy level is above the caller's. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            500: components["responses"]["Refused500"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verifyEvidenceProvenance: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                evidence_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VerificationWanted"];
            };
        };
        responses: {
            /** @description The result. A transcript that was changed has `valid: false` and its faults. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProvenanceVerification"];
                };
            };
            /** @description The body is not a transcript of at most 10,000 records. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description There is no such evidence, or its secrecy level is above the caller's. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 8 MiB. Request a long transcript with `algorithm=hmac-sha256`, which is a tenth of the size, or check it with `argus-verify`. */
            413: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            415: components["responses"]["Refused415"];
            429: components["responses"]["Refused429"];
            500: components["responses"]["Refused500"];
            /** @description Too many verifications are in progress. */
            503: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listJobs: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Filter by kinds, separated by commas. */
                kind?: string;
                /** @description Rows of a page, at most 200. */
                limit?: number;
                /** @description Filter by statuses, separated by commas. */
                status?: string;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of jobs, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobPage"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    enqueueJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description A key of your own, for instance a UUID: a retry within 24 hours returns the first response. The response carries the key. The same key with another person, app, path or body returns 422. */
                "Idempotency-Key"?: components["parameters"]["Idempotency-Key"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JobWanted"];
            };
        };
        responses: {
            /** @description The response to an earlier request with the same Idempotency-Key. */
            200: {
                headers: {
                    "Idempotency-Key": components["headers"]["Idempotency-Key"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobQueued"];
                };
            };
            /** @description The queued job. Location has its address. */
            201: {
                headers: {
                    "Idempotency-Key": components["headers"]["Idempotency-Key"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobQueued"];
                };
            };
            /** @description The kind is unknown, or the payload has not the form of the kind. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            /** @description The secrecy level is above the caller's clearance, the app's governance does not allow the host of the call-back, or the token lacks a scope that a job of this kind and payload needs. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The app's jobs have named too many addresses for call-backs, or a request with the same Idempotency-Key is in progress. */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            /** @description Call-backs to this address are not allowed. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The tenant has too many queued jobs, or the rate limit is reached. */
            429: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    inspectJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobShown"];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Job not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job was cancelled before. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobShown"];
                };
            };
            /** @description The job is cancelled. */
            204: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Job not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The job has succeeded or failed (`job_not_cancellable`, with `job_status`). */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    fetchJobResult: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The result. `signed_url` is valid for five minutes. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobResultShown"] | components["schemas"]["JobResultPending"];
                };
            };
            /** @description The job is queued or running: `status` and `progress_pct`. */
            202: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobResultShown"] | components["schemas"]["JobResultPending"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            /** @description The token lacks a scope that starting the job needs. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Job not found, or a job without a result. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The job failed (`job_failed`, with `error`) or was cancelled (`job_cancelled`). */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The result has expired; `expired_at` is the time. */
            410: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    authorize: {
        parameters: {
            query: {
                /** @description The app. */
                client_id: string;
                /** @description BASE64URL of the SHA-256 of the verifier. */
                code_challenge?: string;
                /** @description `S256`. */
                code_challenge_method?: "S256";
                /** @description A redirect URI of the app. Must match exactly; optional if only one is registered. */
                redirect_uri?: string;
                /** @description `code`. */
                response_type: string;
                /** @description Approved scopes, separated by spaces. Default: all of them. */
                scope?: string;
                /** @description Opaque value, returned unchanged. At most 1 KiB. */
                state?: string;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The consent page. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description Redirect to the app's redirect URI with a code or an OAuth error. */
            302: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description Redirect to the sign-in page. */
            303: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description A page: the app or its redirect URI is unknown. There is no redirect. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description Too many requests. Wait for the seconds in Retry-After. */
            429: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description Temporarily unavailable. Retry after Retry-After. */
            503: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
        };
    };
    issueToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["TokenForm"];
            };
        };
        responses: {
            /** @description An access token. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccessTokenResponse"];
                };
            };
            /** @description The request is malformed, or the client may not use this grant or scope. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
            /** @description The client is unknown or its secret is wrong. */
            401: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
            /** @description The body is too large. */
            413: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
            /** @description The body is not a form. */
            415: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
            /** @description Too many requests, or too many wrong secrets, from this address. */
            429: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
            /** @description Temporarily unavailable. Retry after Retry-After. */
            503: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OAuthError"];
                };
            };
        };
    };
    getTrace: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                trace_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The spans of the trace. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TraceShown"];
                };
            };
            /** @description The trace id is not 32 lower-case hexadecimal digits, or all are 0. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Trace not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            /** @description The stored traces cannot be read at the moment. The trace was recorded. `query_hint` is `use_your_backend`: look it up in your own tracing backend, if it has the trace. */
            503: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listApps: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Rows of a page, at most 200. */
                limit?: number;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the tenant's apps, ordered by id. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppPage"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createApp: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AppWanted"];
            };
        };
        responses: {
            /** @description The app with its secrets, which are shown only once. */
            201: {
                headers: {
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppCreated"];
                };
            };
            /** @description The body is invalid, or a grant, scope or redirect URI is unknown or not allowed. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            /** @description The requested secrecy level is above the clearance of the caller. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Organisation not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            422: components["responses"]["Refused422"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    inspectApp: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The app and its governance. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppShown"];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description App not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateAppGovernance: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the version that you read. Returns 412 and changes nothing if it has changed since. */
                "If-Match"?: components["parameters"]["If-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GovernancePatch"];
            };
        };
        responses: {
            /** @description All flags after the change. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppGovernance"];
                };
            };
            /** @description A flag is unknown or has an invalid value. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description App not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The app has changed since the version in If-Match. */
            412: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    rotateAppSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RotationWanted"];
            };
        };
        responses: {
            /** @description The new secrets, which are shown only once. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Rotated"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description App not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A public client has no secret. */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mintServiceToken: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                client_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ServiceTokenWanted"];
            };
        };
        responses: {
            /** @description The token, which is shown only once. */
            201: {
                headers: {
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceToken"];
                };
            };
            /** @description A scope is not approved for the app, or the lifetime exceeds the app's governance. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            /** @description The app's governance does not allow service tokens. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description App not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listScopes: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every scope that can be granted to apps of this tenant. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScopeCatalogue"];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listWebhooks: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Rows of a page, at most 200. */
                limit?: number;
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of webhooks, oldest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookPage"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookWanted"];
            };
        };
        responses: {
            /** @description The webhook, with its secret if none was sent. The secret is shown only once. */
            201: {
                headers: {
                    Location: components["headers"]["Location"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookCreated"];
                };
            };
            /** @description The body is invalid, an event is unknown, or the secret is too short. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            /** @description The app is not approved for an event (`event_not_approved` lists them in `events`), or its governance does not allow this host. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The app has the maximum number of webhooks. */
            409: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            /** @description Deliveries to this address are not allowed. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    inspectWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of your copy. Returns 304 if it is current. */
                "If-None-Match"?: components["parameters"]["If-None-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook, without its secret. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookShown"];
                };
            };
            /** @description Not modified. */
            304: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Webhook not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    updateWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the version that you read. Returns 412 and changes nothing if it has changed since. */
                "If-Match"?: components["parameters"]["If-Match"];
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookChange"];
            };
        };
        responses: {
            /** @description The webhook after the change. */
            200: {
                headers: {
                    ETag: components["headers"]["ETag"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookShown"];
                };
            };
            /** @description The body is invalid, an event is unknown, or the secret is too short. */
            400: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            401: components["responses"]["Refused401"];
            /** @description The app is not approved for an event (`event_not_approved` lists them in `events`), or its governance does not allow this host. */
            403: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Webhook not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The webhook has changed since the version in If-Match. */
            412: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            413: components["responses"]["Refused413"];
            415: components["responses"]["Refused415"];
            /** @description Deliveries to this address are not allowed. */
            422: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook is deleted and its pending deliveries are discarded. */
            204: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Webhook not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listWebhookDeliveries: {
        parameters: {
            query?: {
                /** @description From the previous page. */
                cursor?: string;
                /** @description Filter by event. */
                event?: string;
                /** @description Filter by `webhook-id`. */
                event_id?: string;
                /** @description Filter by kind. */
                kind?: components["schemas"]["DeliveryKind"];
                /** @description Rows of a page, at most 200. */
                limit?: number;
                /** @description Filter by status. */
                status?: components["schemas"]["DeliveryStatus"];
            };
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries with their attempts, newest first. */
            200: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryPage"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Webhook not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            429: components["responses"]["Refused429"];
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    testWebhook: {
        parameters: {
            query?: never;
            header?: {
                /** @description W3C Trace Context: the server continues your trace. A malformed value is ignored. */
                traceparent?: components["parameters"]["traceparent"];
            };
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The test is queued. Its status is in the deliveries. */
            202: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueuedTest"];
                };
            };
            400: components["responses"]["Refused400"];
            401: components["responses"]["Refused401"];
            403: components["responses"]["Refused403"];
            /** @description Webhook not found. */
            404: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Tests of this webhook are pending, or the rate limit is reached. */
            429: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Retry-After": components["headers"]["Retry-After"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            503: components["responses"]["Refused503"];
            /** @description Any other error. */
            default: {
                headers: {
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "X-Argus-Span-ID": components["headers"]["X-Argus-Span-ID"];
                    "X-Argus-Trace-ID": components["headers"]["X-Argus-Trace-ID"];
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
