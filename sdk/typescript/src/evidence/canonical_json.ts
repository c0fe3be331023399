/**
 * Canonical JSON: the one sequence of bytes for a JSON value, over which hashes and signatures are made (RFC 8785).
 *
 * JavaScript sorts text by UTF-16 code units and writes numbers and escapes as RFC 8785 does, so little is left to do:
 * the order of members, and the refusal of values that have no canonical form.
 */
import { type JsonValue, NotUsable } from "./strict_json.js";

/** Levels of objects and lists inside each other. Those of a transcript have up to five. */
export const DEPTH_MAX = 32;
const HALF_A_PAIR = /\p{Surrogate}/u;
const encoder = new TextEncoder();

/** Return `value` in its canonical form as UTF-8. Throws `NotUsable` for a value without one, or a deeper one. */
export function canonicalJson(value: JsonValue): Uint8Array {
  checkDepth(value);
  return encoder.encode(write(value));
}

/** Throw `NotUsable` if `value` has more than `DEPTH_MAX` levels of objects and lists. */
export function checkDepth(value: JsonValue): void {
  let level: JsonValue[] = [value];
  for (let depth = 0; depth <= DEPTH_MAX; depth += 1) {
    level = level.flatMap((outer) => containersIn(outer));
    if (level.length === 0) return;
  }
  throw new NotUsable(`the value is deeper than ${DEPTH_MAX} levels`);
}

/** Return whether every half of a surrogate pair in `text` has its other half, so that the text has a form in UTF-8. */
export function isUnicode(text: string): boolean {
  return !HALF_A_PAIR.test(text);
}

/** Return whether two JSON values are the same. */
export function isSame(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (!isContainer(one) || !isContainer(other)) return one === other;
  if (Array.isArray(one) || Array.isArray(other)) {
    return (
      Array.isArray(one) && Array.isArray(other) && one.length === other.length &&
      one.every((item, index) => isSame(item, other[index]))
    );
  }
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSame(one[name], other[name]))
  );
}

function isContainer(value: JsonValue | undefined): value is Exclude<JsonValue, null | boolean | number | bigint | string> {
  return value !== null && typeof value === "object";
}

function containersIn(value: JsonValue): JsonValue[] {
  return isContainer(value) ? Object.values(value).filter(isContainer) : [];
}

function write(value: JsonValue): string {
  switch (typeof value) {
    case "string":
      if (!isUnicode(value)) throw new NotUsable("the value has no canonical form: half a surrogate pair");
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw new NotUsable("the value has no canonical form: a number is not finite");
      return JSON.stringify(value);
    case "bigint":
      throw new NotUsable("the value has no canonical form: an integer is beyond ±(2^53 - 1)");
    case "boolean":
      return String(value);
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${write(name)}:${write(value[name] as JsonValue)}`).join(",")}}`;
}
