// Generated from the OpenAPI document by tools/generate.mjs. Do not edit.
/** Paths that are on the auth host. All others are on the api host. */
export const AUTH_PATHS: readonly string[] = [
  "/.well-known/jwks.json",
  "/v1/auth/jwks.json",
  "/v1/oauth/authorize",
  "/v1/oauth/token",
  "/v1/platform/apps",
  "/v1/platform/apps/{client_id}",
  "/v1/platform/apps/{client_id}/governance",
  "/v1/platform/apps/{client_id}/rotate-secret",
  "/v1/platform/apps/{client_id}/service-token",
  "/v1/platform/scopes",
  "/v1/webhooks",
  "/v1/webhooks/{webhook_id}",
  "/v1/webhooks/{webhook_id}/deliveries",
  "/v1/webhooks/{webhook_id}/test"
];
/** Paths whose POST takes an `Idempotency-Key`. */
export const KEYED_PATHS: readonly string[] = [
  "/api/v1/devices/{deviceId}/observations",
  "/api/v1/epcr/encounters",
  "/v1/jobs"
];
