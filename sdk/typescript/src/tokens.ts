/** Access tokens by client credentials (RFC 6749 section 4.4): requested once, kept until shortly before they expire. */
import { onHost } from "./addresses.js";
import { ResponseUnusable } from "./errors.js";
import { jsonOf, readReply, type Transport } from "./transport.js";

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Scopes, separated by spaces; absent: all that the app is approved for. */
  readonly scope?: string;
}

interface Granted {
  readonly access_token?: unknown;
  readonly expires_in?: unknown;
}

/** A token is replaced so many seconds before it expires, so that no request is on its way with an expired one; a short
 * one at half of its life. */
const MARGIN_S = 60;

export class TokenSource {
  readonly #credentials: ClientCredentials;
  readonly #transport: Transport;
  readonly #url: URL;
  #token: { text: string; untilS: number } | null = null;
  #requested: Promise<string> | null = null;

  constructor(credentials: ClientCredentials, transport: Transport, authUrl: URL) {
    this.#credentials = credentials;
    this.#transport = transport;
    this.#url = onHost(authUrl, "/v1/oauth/token");
  }

  /** Return a valid token. Requests that need one at the same time share one. */
  get(): Promise<string> {
    if (this.#token !== null && this.#transport.clock.monotonicS() < this.#token.untilS) {
      return Promise.resolve(this.#token.text);
    }
    this.#requested ??= this.#request().finally(() => {
      this.#requested = null;
    });
    return this.#requested;
  }

  /** Forget a token that a host refused. */
  discard(refused: string): void {
    if (this.#token?.text === refused) this.#token = null;
  }

  async #request(): Promise<string> {
    const { clientId, clientSecret, scope } = this.#credentials;
    const sentAtS = this.#transport.clock.monotonicS();
    const form = new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) });
    const request = {
      method: "POST",
      url: this.#url,
      headers: new Headers({
        Authorization: `Basic ${base64(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`)}`,
        "Content-Type": "application/x-www-form-urlencoded",
        Accept: "application/json",
      }),
      body: form.toString(),
      isRepeatable: true, // a second token does no harm
    };
    const reply = await this.#transport.send(request, readReply);
    const { access_token: text, expires_in: lifetimeS } = (jsonOf(reply) ?? {}) as Granted;
    if (typeof text !== "string" || typeof lifetimeS !== "number") {
      throw new ResponseUnusable({ code: "token_response_malformed", detail: "The auth host returned no token." });
    }
    this.#token = { text, untilS: sentAtS + Math.max(lifetimeS - MARGIN_S, lifetimeS / 2) };
    return text;
  }
}

/** RFC 6749 2.3.1: identifier and secret are form-encoded before they are joined. */
function formEncoded(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
