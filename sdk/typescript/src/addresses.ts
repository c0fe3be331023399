/** Addresses of requests: those of the hosts, and what the OpenAPI document states of a path. */
import { AddressRefused } from "./errors.js";
import { AUTH_PATHS, KEYED_PATHS } from "./generated/paths.js";

/** Return an address to which a token or a request for a file may be sent. Throws `AddressRefused` for one without TLS, except
 * on this machine, and for text that is no address. */
export function secureUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new AddressRefused({ code: "malformed_address", detail: "The address is not a URL." });
  }
  const isHere = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere)) {
    throw new AddressRefused({ code: "insecure_address", detail: `${url.host || "The address"} is not https, so nothing is sent to it.` });
  }
  return url;
}

/** Return the address of a path on a host, below the path of the host's own address. */
export function onHost(host: URL, path: string): URL {
  if (!path.startsWith("/")) throw new AddressRefused({ code: "malformed_address", detail: "A path begins with a slash." });
  return new URL(host.origin + host.pathname.replace(/\/+$/, "") + path);
}

/** Return text as one segment of a path. Throws `AddressRefused` for one that would lead to another path. */
export function segment(text: string): string {
  if (text === "" || text === "." || text === "..") {
    throw new AddressRefused({ code: "unusable_id", detail: "An id that is empty, `.` or `..` would lead to another path." });
  }
  return encodeURIComponent(text);
}

/** Return whether a path is on the auth host. All others are on the api host. */
export function isOnAuthHost(path: string): boolean {
  return isAnyOf(path, AUTH_PATHS);
}

/** Return whether a POST to a path takes an `Idempotency-Key`. */
export function takesKey(path: string): boolean {
  return isAnyOf(path, KEYED_PATHS);
}

function isAnyOf(path: string, templates: readonly string[]): boolean {
  const given = path.split("?", 1)[0]?.split("/") ?? [];
  return templates.some((template) => {
    const parts = template.split("/");
    return parts.length === given.length && parts.every((part, index) => part.startsWith("{") || part === given[index]);
  });
}
