/** Pages of a list: an array with a `Link` to the next one (RFC 8288), or an object with the list and `next_cursor`. */
import { AddressRefused, ResponseUnusable } from "./errors.js";

/** Pages of one list. A service that always names a further page must not keep a program for ever. */
export const PAGES_MAX = 100_000;

/** Return the items of a page. Throws `ResponseUnusable` if it is no list. */
export function itemsOf(page: unknown): readonly unknown[] {
  if (Array.isArray(page)) return page;
  const lists = Object.values(page !== null && typeof page === "object" ? page : {}).filter((one) => Array.isArray(one));
  const [items] = lists;
  if (lists.length !== 1 || items === undefined) {
    throw new ResponseUnusable({ code: "response_malformed", detail: "The response is no list." });
  }
  return items as unknown[];
}

/** Return the cursor of the next page, null on the last one. Throws `ResponseUnusable` if it is no text. */
export function cursorOf(page: unknown): string | null {
  const cursor = page !== null && typeof page === "object" && "next_cursor" in page ? page.next_cursor : null;
  if (cursor === null || typeof cursor === "string") return cursor;
  throw new ResponseUnusable({ code: "response_malformed", detail: "The cursor of the next page is no text." });
}

/** Add the address or cursor of the next page to those that came before. Throws `ResponseUnusable` if it is one of them, since
 * the list would have no end, or if there are too many. */
export function addPage(seen: Set<string>, next: string): void {
  if (seen.has(next)) {
    throw new ResponseUnusable({ code: "response_malformed", detail: "The next page of the list is a page that came before." });
  }
  if (seen.size >= PAGES_MAX) {
    throw new ResponseUnusable({ code: "response_too_large", detail: `The list has more than ${PAGES_MAX} pages.` });
  }
  seen.add(next);
}

/** Return the address of the next page by the header `Link`, null without one. `url` is that of this page; a link to another
 * host would lead the token there, and is refused. */
export function nextLink(headers: Headers, url: URL): URL | null {
  const found = /<([^>]*)>[^,]*;\s*rel="?next"?/.exec(headers.get("Link") ?? "");
  if (found === null) return null;
  const next = new URL(found[1] as string, url);
  if (next.origin !== url.origin) {
    throw new AddressRefused({ code: "foreign_link", detail: "The link to the next page leads to another host." });
  }
  return next;
}
