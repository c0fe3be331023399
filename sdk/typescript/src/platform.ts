/** Apps, scopes and webhook subscriptions, on the auth host; traces and descriptions of the API and its data. */
import { segment } from "./addresses.js";
import type { Argus } from "./client.js";
import type { QueryOf, Schemas, Sending } from "./operations.js";
import { jsonOf } from "./transport.js";

/** The scopes that an app may have. */
export class Scopes {
  constructor(private readonly argus: Argus) {}

  /** Return the scope catalogue of the tenant. */
  list(sending: Sending = {}) {
    return this.argus.request("GET", "/v1/platform/scopes", sending);
  }
}

/** The apps of the tenant. */
export class Apps {
  constructor(private readonly argus: Argus) {}

  /** Return the apps. */
  list(query: QueryOf<"GET", "/v1/platform/apps"> = {}, sending: Sending = {}) {
    return this.argus.list("/v1/platform/apps", { ...sending, query });
  }

  /** Register an app. The response has its secrets, once. */
  create(body: Schemas["AppWanted"], sending: Sending = {}) {
    return this.argus.request("POST", "/v1/platform/apps", { ...sending, body });
  }

  /** Return one app. */
  read(client_id: string, sending: Sending = {}) {
    return this.argus.request("GET", "/v1/platform/apps/{client_id}", { ...sending, path: { client_id } });
  }

  /** Change rules of an app; absent members stay, null sets the default. */
  updateGovernance(client_id: string, body: Schemas["GovernancePatch"], sending: Sending = {}) {
    return this.argus.request("PATCH", "/v1/platform/apps/{client_id}/governance", { ...sending, path: { client_id }, body });
  }

  /** Issue a token for automation. */
  mintServiceToken(client_id: string, body: Schemas["ServiceTokenWanted"], sending: Sending = {}) {
    return this.argus.request("POST", "/v1/platform/apps/{client_id}/service-token", { ...sending, path: { client_id }, body });
  }

  /** Issue a new secret, which is in the response, once. */
  rotateSecret(client_id: string, body: Schemas["RotationWanted"] = {}, sending: Sending = {}) {
    return this.argus.request("POST", "/v1/platform/apps/{client_id}/rotate-secret", { ...sending, path: { client_id }, body });
  }
}

/** The webhook subscriptions of the app. `argus-sdk/webhooks` verifies what they deliver. */
export class Webhooks {
  constructor(private readonly argus: Argus) {}

  /** Return the subscriptions. */
  list(query: QueryOf<"GET", "/v1/webhooks"> = {}, sending: Sending = {}) {
    return this.argus.list("/v1/webhooks", { ...sending, query });
  }

  /** Subscribe. Without a `secret`, the response has a generated one, once. */
  create(body: Schemas["WebhookWanted"], sending: Sending = {}) {
    return this.argus.request("POST", "/v1/webhooks", { ...sending, body });
  }

  /** Return one subscription. */
  read(webhook_id: string, sending: Sending = {}) {
    return this.argus.request("GET", "/v1/webhooks/{webhook_id}", { ...sending, path: { webhook_id } });
  }

  /** Change the given members and keep the others. A new `secret` rotates: both sign for 24 hours. */
  update(webhook_id: string, body: Schemas["WebhookChange"], sending: Sending = {}) {
    return this.argus.request("PUT", "/v1/webhooks/{webhook_id}", { ...sending, path: { webhook_id }, body });
  }

  /** Unsubscribe. Pending deliveries are discarded. */
  async delete(webhook_id: string, sending: Sending = {}): Promise<void> {
    await this.argus.request("DELETE", "/v1/webhooks/{webhook_id}", { ...sending, path: { webhook_id } });
  }

  /** Return the deliveries of the last 30 days, newest first. */
  listDeliveries(webhook_id: string, query: QueryOf<"GET", "/v1/webhooks/{webhook_id}/deliveries"> = {}, sending: Sending = {}) {
    return this.argus.list("/v1/webhooks/{webhook_id}/deliveries", { ...sending, path: { webhook_id }, query });
  }

  /** Queue a delivery of `webhook.test`. */
  sendTest(webhook_id: string, sending: Sending = {}) {
    return this.argus.request("POST", "/v1/webhooks/{webhook_id}/test", { ...sending, path: { webhook_id } });
  }
}

/** Traces: the effects of a request. */
export class Observability {
  constructor(private readonly argus: Argus) {}

  /** Return the trace of a request; its id is in each response and each error. */
  trace(trace_id: string, sending: Sending = {}) {
    return this.argus.request("GET", "/v1/observability/traces/{trace_id}", { ...sending, path: { trace_id } });
  }
}

/** Machine-readable descriptions of the API and its data. */
export class Discovery {
  constructor(private readonly argus: Argus) {}

  /** Return the list of data schemas. */
  dataSchemas(query: QueryOf<"GET", "/v1/discovery/data-schemas"> = {}, sending: Sending = {}) {
    return this.argus.request("GET", "/v1/discovery/data-schemas", { ...sending, query });
  }

  /** Return one JSON Schema. */
  dataSchema(id: string, sending: Sending = {}): Promise<Record<string, unknown>> {
    return this.document(`/.well-known/schemas/${segment(id)}.json`, sending);
  }

  /** Return the OpenAPI document. */
  openapi(sending: Sending = {}): Promise<Record<string, unknown>> {
    return this.document("/.well-known/openapi.json", sending);
  }

  /** Return the catalogue of APIs (RFC 9727). */
  catalog(sending: Sending = {}): Promise<Record<string, unknown>> {
    const headers = { ...sending.headers, Accept: "application/linkset+json" };
    return this.document("/.well-known/api-catalog", { ...sending, headers });
  }

  private async document(path: string, sending: Sending): Promise<Record<string, unknown>> {
    return jsonOf(await this.argus.exchange("GET", path, sending)) as Record<string, unknown>;
  }
}
