/**
 * The verification page: reads a transcript and keys from files, checks them, and shows the result in plain words.
 *
 * All that it shows follows from the state, so a change of the language shows the same in other words. Text of a file is
 * inserted as text, never as HTML.
 */
import { EvidenceUnusable, readPublishedKeys, TRANSCRIPT_BYTES_MAX, verifyProvenanceLocal } from "../src/evidence/index.js";
import { fileText, type Given, hashOf, outcomeOf, refusalParts, resultElements, type State } from "./result.js";
import { filled, type Language, type Refusal, TEXTS } from "./texts.js";

declare const VERSION: string;

const KEYS_BYTES_MAX = 2 ** 20;

let language: Language = navigator.language.toLowerCase().startsWith("pl") ? "pl" : "en";
let transcript: Given | null = null;
let keys: Given | null = null;
let state: State = { kind: "empty" };
/** Number of the newest check. An older one ends when it sees another number. */
let newest = 0;

/** Files that are read one after the other, so that a large one does not replace one that was chosen after it. */
let reading: Promise<void> = Promise.resolve();

class Superseded extends Error {}

function enqueue(action: () => Promise<void>): void {
  reading = reading.then(action, action);
}

function find<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function show(): void {
  const texts = TEXTS[language];
  document.documentElement.lang = language;
  document.title = `${texts.title} – Argus`;
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = texts[element.dataset.text as "title"];
  }
  for (const one of ["en", "pl"] as const) find(one).setAttribute("aria-pressed", String(one === language));
  find("transcript-file").textContent = fileText(transcript, texts);
  find("keys-file").textContent = fileText(keys, texts);
  find("about").textContent = filled(texts.about, { version: VERSION });
  const isWorking = state.kind === "working";
  const progress = find<HTMLProgressElement>("progress");
  progress.hidden = !isWorking;
  progress.value = state.kind === "working" && state.all > 0 ? state.done / state.all : 0;
  const status = find("status");
  // The result has the headline too, so the eye needs it once; a screen reader hears it from here.
  status.className = state.kind === "verdict" ? "unseen" : state.kind === "refused" ? "bad" : "";
  status.replaceChildren(
    ...(state.kind === "empty" ? [texts.nothingYet]
      : state.kind === "working" ? [filled(texts.working, { done: state.done, all: state.all })]
      : state.kind === "refused" ? refusalParts(state, texts)
      : [texts.outcomes[state.outcome][0]]),
  );
  find("result").replaceChildren(...(state.kind === "verdict" ? resultElements(state, texts) : []));
}

async function check(): Promise<void> {
  const number = (newest += 1);
  if (transcript === null) return show();
  const given = { transcript, keys };
  const expected = { evidence: valueOf("expected-evidence"), tenant: valueOf("expected-tenant") };
  state = { kind: "working", done: 0, all: 0 };
  show();
  await new Promise((resolve) => setTimeout(resolve)); // shows that it works before a large file is read
  try {
    const verdict = await verifyProvenanceLocal(given.transcript.bytes, given.keys?.bytes ?? null, {
      ...(expected.evidence && { evidenceId: expected.evidence }),
      ...(expected.tenant && { tenantId: expected.tenant }),
      onProgress: (done, all) => {
        if (number !== newest) throw new Superseded();
        state = { kind: "working", done, all };
        show();
      },
    });
    if (number !== newest) return;
    state = { kind: "verdict", verdict, outcome: outcomeOf(verdict, given.keys !== null), ...given, expected };
  } catch (error) {
    if (error instanceof Superseded || number !== newest) return;
    if (!(error instanceof EvidenceUnusable)) throw error;
    state = { kind: "refused", refusal: "noTranscript", name: given.transcript.name, reason: error.reason };
  }
  show();
}

function valueOf(id: string): string {
  return find<HTMLInputElement>(id).value.trim();
}

/** Take a file: keys if it has the form of published keys, else the transcript. `as` is the input that it was given to. */
async function take(file: File, as: "transcript" | "keys" | null): Promise<void> {
  const assumed = as ?? "transcript";
  if (file.size > (as === "keys" ? KEYS_BYTES_MAX : TRANSCRIPT_BYTES_MAX)) return refuse(assumed, file.name, "tooLarge");
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    return refuse(assumed, file.name, "unreadable");
  }
  const kind = as ?? (file.size <= KEYS_BYTES_MAX && faultOfKeys(bytes) === null ? "keys" : "transcript");
  const fault = kind === "keys" ? faultOfKeys(bytes) : null;
  if (fault !== null) return refuse(kind, file.name, "noKeys", fault);
  accept(kind, file.name, bytes);
}

function accept(kind: "transcript" | "keys", name: string | null, bytes: Uint8Array): void {
  const given = { name, bytes, sha256: hashOf(bytes) };
  if (kind === "keys") keys = given;
  else transcript = given;
  state = { kind: "empty" };
  void check();
}

/** Refuse a file, and forget the former one of its kind: a result of that would be taken for one of this file. */
function refuse(kind: "transcript" | "keys", name: string | null, refusal: Refusal, reason = ""): void {
  newest += 1;
  if (kind === "keys") keys = null;
  else transcript = null;
  state = { kind: "refused", refusal, name, reason };
  show();
}

function faultOfKeys(bytes: Uint8Array): string | null {
  try {
    readPublishedKeys(bytes);
    return null;
  } catch (error) {
    if (!(error instanceof EvidenceUnusable)) throw error;
    return error.reason;
  }
}

for (const kind of ["transcript", "keys"] as const) {
  const input = find<HTMLInputElement>(kind);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file !== undefined) enqueue(() => take(file, kind));
  });
}
for (const one of ["en", "pl"] as const) {
  find(one).addEventListener("click", () => {
    language = one;
    show();
  });
}
for (const id of ["expected-evidence", "expected-tenant"]) find(id).addEventListener("change", () => void check());
find("pasted").addEventListener("change", () => {
  const text = find<HTMLTextAreaElement>("pasted").value;
  const bytes = new TextEncoder().encode(text);
  if (text.trim() === "") return;
  enqueue(async () => {
    if (bytes.length > KEYS_BYTES_MAX) return refuse("keys", null, "pastedTooLarge");
    const fault = faultOfKeys(bytes);
    if (fault !== null) refuse("keys", null, "pastedNoKeys", fault);
    else accept("keys", null, bytes);
  });
});

const drop = find("drop");
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.hidden = false;
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) drop.hidden = true;
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.hidden = true;
  for (const file of event.dataTransfer?.files ?? []) enqueue(() => take(file, null));
});
show();
