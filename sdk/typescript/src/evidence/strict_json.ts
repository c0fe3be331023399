/**
 * Parser of JSON that a verifier can trust: a member that an object has twice is refused, since two readers would see
 * two documents, and an integer beyond ±(2^53 - 1) becomes a `bigint`, which has no canonical form and is refused there.
 *
 * `JSON.parse` keeps the last of two members and rounds such integers without a notice.
 */

export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
export type JsonObject = { [name: string]: JsonValue };

/** The text cannot be used. The message is a sentence to follow a colon, with its subject, and has no value of the text. */
export class NotUsable extends Error {
  override readonly name = "NotUsable";
}

/** Levels of objects and lists inside each other. A deeper text could exhaust the stack. */
const DEPTH_MAX = 500;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const PLAIN_TEXT = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = {
  '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t",
};

/** Parse JSON in UTF-8. Throws `NotUsable`. Objects have no prototype, so no name of a member has a meaning. */
export function parseStrictJson(source: Uint8Array | string): JsonValue {
  return new Parser(decoded(source)).document();
}

/** Return JSON text in UTF-8 as text, without a byte order mark. Throws `NotUsable`. */
export function decoded(source: Uint8Array | string): string {
  try {
    return typeof source === "string" ? source : new TextDecoder("utf-8", { fatal: true }).decode(source);
  } catch {
    throw new NotUsable("it is not text in UTF-8");
  }
}

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): JsonValue {
    const value = this.value(0);
    this.skip(SPACE);
    if (this.at !== this.text.length) throw this.malformed();
    return value;
  }

  private value(depth: number): JsonValue {
    if (depth > DEPTH_MAX) throw new NotUsable("its objects or lists are inside each other too deeply");
    this.skip(SPACE);
    switch (this.text[this.at]) {
      case "{": return this.object(depth);
      case "[": return this.list(depth);
      case '"': return this.string();
      case "t": return this.word("true", true);
      case "f": return this.word("false", false);
      case "n": return this.word("null", null);
      default: return this.number();
    }
  }

  private object(depth: number): JsonObject {
    const members = Object.create(null) as JsonObject;
    this.at += 1;
    if (this.has("}")) return members;
    do {
      this.skip(SPACE);
      if (this.text[this.at] !== '"') throw this.malformed();
      const name = this.string();
      if (!this.has(":")) throw this.malformed();
      if (name in members) throw new NotUsable("one of its objects has a member twice");
      members[name] = this.value(depth + 1);
    } while (this.has(","));
    if (!this.has("}")) throw this.malformed();
    return members;
  }

  private list(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.at += 1;
    if (this.has("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.has(","));
    if (!this.has("]")) throw this.malformed();
    return items;
  }

  private string(): string {
    this.at += 1;
    let text = this.skip(PLAIN_TEXT);
    while (this.text[this.at] === "\\") {
      text += this.escape();
      text += this.skip(PLAIN_TEXT);
    }
    if (this.text[this.at] !== '"') throw this.malformed();
    this.at += 1;
    return text;
  }

  private escape(): string {
    const kind = this.text[this.at + 1] ?? "";
    if (kind === "u") {
      const digits = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.malformed();
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const found = ESCAPES[kind];
    if (found === undefined) throw this.malformed();
    this.at += 2;
    return found;
  }

  private number(): number | bigint {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (found === null) throw this.malformed();
    this.at = NUMBER.lastIndex;
    const value = Number(found[0]);
    const isInteger = found[1] === undefined && found[2] === undefined;
    return isInteger && !Number.isSafeInteger(value) ? BigInt(found[0]) : value;
  }

  private word<T extends JsonValue>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.malformed();
    this.at += word.length;
    return value;
  }

  /** Skip white space and this character. Return whether it was there. */
  private has(character: string): boolean {
    this.skip(SPACE);
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private skip(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  private malformed(): NotUsable {
    return new NotUsable(`it is not JSON (unexpected ${this.at < this.text.length ? "character" : "end"} at ${this.at})`);
  }
}
