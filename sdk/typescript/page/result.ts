/** The result of a check in words: headline, explanation, faults, facts. */
import { contentHash, isSecretAlgorithm, type BrokenLink, type Verdict } from "../src/evidence/index.js";
import { type Fact, filled, type Outcome, type Refusal, type Texts } from "./texts.js";

/** A document that the page was given. `name` is that of its file; null: it was pasted. */
export interface Given {
  readonly name: string | null;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

export interface Result {
  readonly kind: "verdict";
  readonly verdict: Verdict;
  readonly outcome: Outcome;
  readonly transcript: Given;
  readonly keys: Given | null;
  readonly expected: { readonly evidence: string; readonly tenant: string };
}

export type State =
  | { readonly kind: "empty" }
  | { readonly kind: "working"; readonly done: number; readonly all: number }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly name: string | null; readonly reason: string }
  | Result;

const FAULTS_MAX = 100;
const SHOWN_MAX = 120;
const KEY_REASONS = new Set(["key_unknown", "root_key_unknown"]);
const STYLES: Readonly<Record<Outcome, string>> = {
  intact: "good", broken: "bad", keysIncomplete: "bad", noKeys: "warn", secretKeys: "warn", withdrawn: "warn",
};
const SIGNS: Readonly<Record<string, string>> = { good: "✓", bad: "✗", warn: "?" };

/** Return how the page calls the result. `hasKeys`: keys were given. */
export function outcomeOf({ outcome, algorithm, broken_links: links }: Verdict, hasKeys: boolean): Outcome {
  const unknown = links.every((link) => KEY_REASONS.has(link.reason));
  if (outcome === "broken") return unknown ? "keysIncomplete" : "broken";
  if (outcome === "intact") return "intact";
  if (!unknown) return "withdrawn";
  return isSecretAlgorithm(algorithm) || hasKeys ? "secretKeys" : "noKeys";
}

/** Return the line below a file input. */
export function fileText(given: Given | null, texts: Texts): string {
  return given === null ? texts.noFile : filled(texts.chosen, { name: nameOf(given, texts) });
}

/** Return the parts of the sentence that says why a document is refused. The reason is in English on both pages. */
export function refusalParts({ refusal, name, reason }: State & { kind: "refused" }, texts: Texts): (string | HTMLElement)[] {
  const technical = element("span", [reason]);
  technical.lang = "en";
  const [before, after] = texts.refusals[refusal].split("{reason}").map((part) => filled(part, { name: shown(name ?? "") }));
  return after === undefined ? [before as string] : [before as string, technical, after];
}

/** Return the elements of a result. */
export function resultElements(result: Result, texts: Texts): HTMLElement[] {
  const { verdict, outcome } = result;
  const style = STYLES[outcome];
  const [headline, explanation] = texts.outcomes[outcome];
  const links = verdict.broken_links;
  const isIntact = outcome === "intact";
  const lines = [explanation];
  if (isIntact) lines.push(texts.notShown);
  if (!isIntact && result.keys !== null && links.some((link) => KEY_REASONS.has(link.reason)) && outcome !== "secretKeys") {
    lines.push(texts.keyAdvice);
  }
  const box = element("div", [element("h3", [`${SIGNS[style]} ${headline}`]), ...lines.map((line) => element("p", [line]))]);
  box.className = `verdict ${style}`;
  const namesFaults = !isIntact && outcome !== "noKeys" && outcome !== "secretKeys";
  return [box, ...(namesFaults ? faultElements(links, texts) : []), facts(result, texts)];
}

function faultElements(links: readonly BrokenLink[], texts: Texts): HTMLElement[] {
  const items = links.slice(0, FAULTS_MAX).map((link) => {
    const place =
      link.index === null ? texts.whole : filled(texts.record, { number: link.index + 1, id: shown(link.record_id ?? "") });
    return element("li", [element("strong", [place]), texts.reasons[link.reason], element("code", [link.reason])]);
  });
  if (links.length > FAULTS_MAX) items.push(element("li", [filled(texts.more, { count: links.length - FAULTS_MAX })]));
  const list = element("ul", items);
  list.className = "faults";
  const [one, many] = texts.faults;
  return [element("h4", [links.length === 1 ? one : filled(many, { count: links.length })]), list];
}

function facts({ verdict, outcome, transcript, keys, expected }: Result, texts: Texts): HTMLElement {
  const broken = new Set(verdict.broken_links.filter((link) => link.index !== null).map((link) => link.index)).size;
  const count = verdict.checked_records;
  const isChecked = outcome !== "noKeys" && outcome !== "secretKeys";
  const rows: [Fact, (string | HTMLElement)[]][] = [
    ["file", file(transcript, texts)],
    ...(keys === null ? [] : [["keysFile", file(keys, texts)] as [Fact, (string | HTMLElement)[]]]),
    ["evidence", [identity(verdict.evidence_id, expected.evidence, texts)]],
    ["tenant", [identity(verdict.tenant_id, expected.tenant, texts)]],
    ["records", [isChecked && broken > 0 ? filled(texts.recordsWithFaults, { count, broken }) : String(count)]],
    ["algorithm", [shown(verdict.algorithm)]],
    ["root", [shown(verdict.merkle_root)]],
    ["content", [texts.contentNot]],
  ];
  if (verdict.signed !== null) {
    const { from, to } = verdict.signed;
    rows.splice(-3, 0, ["signed", [filled(texts.signedTimes, { from: shown(from), to: shown(to) })]]);
  }
  return element("dl", rows.flatMap(([name, parts]) => [element("dt", [texts.facts[name]]), element("dd", parts)]));
}

function file(given: Given, texts: Texts): (string | HTMLElement)[] {
  return [nameOf(given, texts), element("code", [given.sha256])];
}

function nameOf({ name }: Given, texts: Texts): string {
  return name === null ? texts.pasted : shown(name);
}

function identity(id: string, expected: string, texts: Texts): string {
  return expected === "" || expected === id
    ? filled(expected === "" ? texts.asStated : "{id}", { id: shown(id) })
    : filled(texts.asExpected, { id: shown(id), expected: shown(expected) });
}

/** Return the hash of a document, by which a reader ties the result to the file. */
export function hashOf(bytes: Uint8Array): string {
  return contentHash(bytes);
}

/** Return text of a file for the page: at most 120 characters, and none that is not seen or that turns the direction. */
function shown(text: string): string {
  const plain = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
  return plain.length <= SHOWN_MAX ? plain : `${plain.slice(0, SHOWN_MAX - 1)}…`;
}

function element(name: string, parts: readonly (string | HTMLElement)[]): HTMLElement {
  const made = document.createElement(name);
  made.append(...parts);
  return made;
}
