/** Pages of a list: an array with a `Link` to the next one (RFC 8288), or an object with the list and `next_cursor`. */
import { ArgusError } from "./errors.js";

/** Return the items of a page. Throws `ArgusError` if it is no list. */
export function itemsOf(page: unknown): readonly unknown[] {
  if (Array.isArray(page)) return page;
  const lists = Object.values(page !== null && typeof page === "object" ? page : {}).filter((one) => Array.isArray(one));
  const [items] = lists;
  if (lists.length !== 1 || items === undefined) {
    throw new ArgusError({ code: "response_malformed", detail: "The response is no list." });
  }
  return items as unknown[];
}

/** Return the cursor of the next page, null on the last one. */
export function cursorOf(page: unknown): string | null {
  const cursor = page !== null && typeof page === "object" && "next_cursor" in page ? page.next_cursor : null;
  return typeof cursor === "string" ? cursor : null;
}

/** Return the path and query of the next page by the header `Link`, null without one. `url` is that of the list; a link
 * to another host would lead the token there, and is refused. */
export function nextLink(headers: Headers, url: URL): string | null {
  const found = /<([^>]*)>[^,]*;\s*rel="?next"?/.exec(headers.get("Link") ?? "");
  if (found === null) return null;
  const next = new URL(found[1] as string, url);
  if (next.origin !== url.origin) {
    throw new ArgusError({ code: "foreign_link", detail: "The link to the next page leads to another host." });
  }
  return next.pathname + next.search;
}
