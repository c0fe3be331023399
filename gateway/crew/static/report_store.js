// The report as this tablet knows it: what the gateway has stored, and the changes that it has not acknowledged yet.
// A change is shown at once, kept on the disk of the tablet (queue.js) and sent; it is sent again until the gateway has
// acknowledged or refused it. Its id is chosen here, so that sending it again changes nothing.
import { nextBatch, post } from "./change_requests.js";

const RETRY_MS = 2000;
const REPLACES_MAX = 8; // statements that one change names
const SILENT_MS = 40_000; // the gateway sends a sign of life every fifteen seconds
const CONNECT_MS = 10_000; // a connection without a response by then is given up and made again

function randomDigits(bytes) { // randomUUID needs TLS
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function newId() { return randomDigits(16); }

// The id of an entry begins with its time in milliseconds (as RFC 9562 §5.7): the gateway sorts the entries of a group by
// id, and the times in a report have whole seconds. So entries of one second keep the order in which they were entered.
export function newEntryId() { return Date.now().toString(16).padStart(12, "0") + randomDigits(10); }

export function nameOf(key, entry) { return `${key}|${entry ?? ""}`; }

function sameContent(one, other) {
  return ["value", "negative", "not_recorded"].every((part) => (one[part] ?? null) === (other[part] ?? null));
}

function withOffset(date) {
  const minutes = -date.getTimezoneOffset(), sign = minutes < 0 ? "-" : "+", two = (number) => String(Math.abs(number)).padStart(2, "0");
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 19);
  return `${local}${sign}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
}

export function nowText(minutes = 0) { return withOffset(new Date(Date.now() + minutes * 60_000)); }
export function timeText(milliseconds) { return withOffset(new Date(milliseconds)); }

export class ReportStore {
  constructor(encounter, author, elements, queue) {
    this.encounter = encounter;
    this.author = author;
    this.elements = elements;
    this.queue = queue;
    this.fields = new Map();
    this.draft = null;
    this.sequence = 0;
    this.pending = [];
    this.stored = []; // acknowledged, and not yet in what the stream has brought
    this.refused = [];
    this.sending = false;
    this.reached = true;
    this.heardAt = performance.now();
    this.recalled = false; // whether the entries that an earlier page kept are known
    this.listeners = new Set();
    this.addendum = null; // reason of the addendum that is written now
    this.needsReason = false;
    this.blocked = null; // why the gateway takes no change of this report: what was entered here stays on the tablet
    this.signedOut = () => location.assign("/sign-in");
  }

  // Take up what an earlier page of this report kept on the tablet, and send it. Repeated until the gateway has given the
  // key, without which the entries cannot be read.
  async recall() {
    const kept = await this.queue.own().catch(() => []); // a disk that cannot be read
    this.recalled = this.queue.key !== null || !this.queue.isUsable;
    if (!this.recalled) setTimeout(() => this.recall(), RETRY_MS);
    const known = new Set(this.pending.map((each) => each.id));
    this.pending.unshift(...kept.filter((each) => each.encounter === this.encounter && !known.has(each.change.id)).map((each) => each.change));
    this.tell();
    this.send();
  }

  listen(listener) { this.listeners.add(listener); }
  tell() { for (const listener of this.listeners) listener(); }

  // ---- what the gateway has stored

  open() {
    this.stream?.close();
    this.openedAt = performance.now();
    const stream = this.stream = new EventSource(`/drafts/${this.encounter}/stream`);
    const on = (name, act) => stream.addEventListener(name, (message) => {
      if (stream !== this.stream) return;
      this.heardAt = performance.now();
      this.reached = true;
      act(JSON.parse(message.data));
      this.tell();
    });
    on("draft", (draft) => { this.fields.clear(); this.take(draft); });
    on("changes", (draft) => this.take(draft));
    on("quiet", () => {});
    stream.addEventListener("error", () => {
      this.reached = false;
      this.tell();
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (stream === this.stream) this.open(); }, RETRY_MS);
    });
  }

  // Called once a second: a connection may be cut, or a request lost, without a word, and a browser then waits without end.
  renew() {
    if (!this.stream) return;
    const quietMs = performance.now() - Math.max(this.openedAt, this.heardAt);
    if (quietMs > (this.stream.readyState === EventSource.CONNECTING ? CONNECT_MS : SILENT_MS)) this.open();
  }

  close() {
    this.stream?.close();
    this.stream = null;
    this.fields.clear();
  }

  take(draft) {
    for (const field of draft.fields) this.fields.set(nameOf(field.key, field.entry), field);
    for (const gone of draft.emptied ?? []) this.fields.delete(nameOf(gone.key, gone.entry));
    this.draft = draft;
    this.sequence = draft.sequence;
    this.stored = this.stored.filter((each) => each.sequence > draft.sequence);
  }

  // What the gateway had stored, as far as this page knows it; `restore` takes it on a page that is loaded without contact.
  snapshot() { return { draft: { ...this.draft, fields: [...this.fields.values()] }, stored: this.stored }; }

  restore({ draft, stored }) {
    this.take(draft);
    this.stored = stored;
    this.reached = false;
  }

  get sealed() { return this.draft?.sealed ?? false; }
  get closed() { return this.draft?.closed ?? false; } // the vehicle has only a part of it
  get readOnly() { return this.closed || this.blocked !== null || (this.sealed && this.addendum === null) || (this.queue.isFull && !this.reached); }

  // What a field shows: statements of the gateway's record with this tablet's changes over them.
  shown(key, entry) {
    const many = this.elements[key]?.many ?? false;
    let shown = this.fields.get(nameOf(key, entry))?.shown ?? [];
    for (const { change } of [...this.stored, ...this.pending.map((change) => ({ change }))]) {
      if (change.key !== key || (change.entry ?? "") !== (entry ?? "")) continue;
      const removes = change.action === "remove";
      if (many) shown = shown.filter((each) => each.value !== (change.value ?? null) && !change.replaces?.includes(each.id) && (removes || (each.value !== null) === (change.value != null)));
      else shown = [];
      if (!removes) shown = [...shown, { id: change.id, value: null, negative: null, not_recorded: null, author: this.author, ...change }];
    }
    return shown;
  }

  value(key, entry) { return this.shown(key, entry).at(-1)?.value ?? null; }

  conflict(key, entry) {
    if (this.stored.concat(this.pending).some((each) => (each.change ?? each).key === key && ((each.change ?? each).entry ?? "") === (entry ?? ""))) return null;
    return this.draft?.conflicts.find((each) => each.key === key && each.entry === (entry ?? "")) ?? null;
  }

  // Whether no other author has stated anything in an entry.
  isOwn(group, entry) {
    const fields = [...this.fields.values()].filter((each) => each.entry === entry && each.key.startsWith(`${group}.`));
    return fields.every((field) => [...field.shown, ...field.contradicting].every((each) => each.author === this.author));
  }

  isVoid(group, entry) { return this.voidOf(group, entry) !== null; }

  voidOf(group, entry) {
    const own = [...this.stored.map((each) => each.change), ...this.pending].find((each) => each.action === "void" && each.key === group && each.entry === entry);
    return own ?? this.draft?.void.find((each) => each.group === group && each.entry === entry) ?? null;
  }

  // Entries of a repeated group with their time, the latest first; of those in one second, the one that was entered last.
  entries(group) {
    const found = new Set();
    for (const field of this.fields.values()) if (field.entry && field.key.startsWith(`${group}.`)) found.add(field.entry);
    for (const each of [...this.stored.map((one) => one.change), ...this.pending]) if (each.entry && each.key.startsWith(`${group}.`)) found.add(each.entry);
    return [...found].reverse().filter((entry) => !this.isVoid(group, entry))
      .map((entry) => ({ entry, time: Date.parse(this.value(`${group}.time`, entry) ?? "") || 0 }))
      .sort((one, other) => other.time - one.time);
  }

  // ---- what this tablet changes

  // The statements about a field that this tablet knows: what is shown, what contradicts it, and what is not acknowledged.
  statements(key, entry) {
    const field = this.fields.get(nameOf(key, entry));
    const known = [...(field?.shown ?? []), ...(field?.contradicting ?? []), ...this.shown(key, entry)];
    return [...new Map(known.map((each) => [each.id, each])).values()];
  }

  // State the content of a field: {value}, {negative}, {not_recorded}, or for a removal null. Returns a function that
  // undoes it (`takeBack`), or null where nothing changed. `seen`: ids of the statements that the author saw, where the
  // field showed an older state than the present one; what others stated since then stays beside the new statement.
  // `over`: id of the statement that was edited, among those of an element with many values.
  set(key, entry, content, { action = "set", seen = null, over = null } = {}) {
    const many = this.elements[key]?.many ?? false, before = this.shown(key, entry);
    const contradicted = (this.fields.get(nameOf(key, entry))?.contradicting ?? []).length > 0;
    const value = content?.value ?? null;
    if (action === "set" && content !== null && !contradicted && before.some((each) => sameContent(each, content)) && (many || before.length === 1)) return null;
    if (action === "remove" && before.length === 0) return null;
    // What is not acknowledged yet is seen too: a removal that names nothing would withdraw what no one has seen on this tablet.
    const replaced = this.statements(key, entry)
      .filter((each) => seen === null || seen.has(each.id) || each.author === this.author)
      .filter((each) => !many || each.value === value || each.id === over || (content?.value == null) !== (each.value == null));
    if (action === "remove" && replaced.length === 0) return null;
    const change = this.change(key, entry, action, action === "set" ? content : many && value !== null ? { value } : {}, replaced);
    this.removeRest(change, many, replaced);
    this.add(change);
    return () => this.takeBack(change, many ? before.filter((each) => replaced.some((one) => one.id === each.id)) : before.slice(-1));
  }

  change(key, entry, action, content, replaced) {
    return { id: newId(), key, device_time: nowText(), action, ...(entry ? { entry } : {}), ...content, replaces: replaced.slice(0, REPLACES_MAX).map((each) => each.id) };
  }

  // A change names a limited number of statements: further changes withdraw the rest of them before it.
  removeRest({ key, entry, value }, many, replaced) {
    for (let at = REPLACES_MAX; at < replaced.length; at += REPLACES_MAX) {
      this.add(this.change(key, entry, "remove", many && value != null ? { value } : {}, replaced.slice(at)));
    }
  }

  // Undo one change: withdraw it, and state again what it replaced. Only the change itself is replaced, so that nothing
  // that others have stated since then is withdrawn. Returns false where the field shows something else by now.
  takeBack(change, replaced) {
    const { key, entry } = change, shown = this.shown(key, entry), many = this.elements[key]?.many ?? false;
    const removes = change.action === "remove", stands = shown.some((each) => each.id === change.id);
    if (removes ? !many && shown.length > 0 : !stands) return false;
    const own = removes ? [] : [change];
    if (!removes && (many || !replaced.length)) this.add(this.change(key, entry, "remove", many && change.value != null ? { value: change.value } : {}, own));
    for (const each of replaced) this.add(this.change(key, entry, "set", contentOf(each), many ? [] : own));
    return true;
  }

  add(change) {
    // What the gateway did not accept has been entered again, or something else in its place.
    this.refused = this.refused.filter((each) => nameOf(each.change.key, each.change.entry) !== nameOf(change.key, change.entry));
    this.pending.push(change);
    this.queue.add(this.encounter, change).then(() => this.tell());
    this.tell();
    this.send();
  }

  declareVoid(group, entry, reason) {
    this.add({ id: newId(), key: group, entry, action: "void", value: reason, device_time: nowText() });
  }

  choose(conflict, statement) {
    const change = this.change(conflict.key, conflict.entry, "set", contentOf(statement), conflict.statements);
    this.removeRest(change, this.elements[conflict.key]?.many ?? false, conflict.statements);
    this.add(change);
  }

  letBothStand(conflict) {
    const ids = conflict.statements.map((each) => each.id).join(" ");
    this.add({ id: newId(), key: "record.both_stand", entry: newId(), value: ids, device_time: nowText() });
  }

  async send() {
    if (this.sending || !this.pending.length || this.needsReason || this.blocked !== null) return;
    this.sending = true;
    clearTimeout(this.timer);
    this.beginAddendum();
    const batch = nextBatch(this.pending);
    try {
      const reply = await this.post("changes", { changes: batch });
      this.reached = true;
      const body = await reply.json().catch(() => ({}));
      if (reply.ok) {
        this.forget(batch);
        if (body.sequence > this.sequence) this.stored = [...this.stored, ...batch.map((change) => ({ change, sequence: body.sequence }))];
      } else if (reply.status === 401) {
        this.signedOut();
        return;
      } else if (reply.status >= 500 || !Array.isArray(body.refused)) {
        this.reached = false; // without a reason of the gateway's, such as a body that the radio cut: it is sent again
      } else if (body.refused?.[0]?.code === "sealed" && reply.status !== 403) { // 403: this member may sign nothing
        this.needsReason = true; // signed on another tablet meanwhile: what was entered here becomes an addendum
      } else {
        await this.drop(batch, body.refused);
      }
    } catch {
      this.reached = false;
    } finally {
      this.sending = false;
    }
    if (this.pending.length) this.queue.retry();
    this.tell();
    if (this.pending.length) this.timer = setTimeout(() => this.send(), this.reached ? 0 : RETRY_MS);
  }

  // Wait until everything that was entered is acknowledged, for `limitMs` at most. Resolves to whether it is.
  saved(limitMs) {
    if (!this.pending.length) return Promise.resolve(true);
    return new Promise((resolve) => {
      const look = () => { if (!this.pending.length) end(true); };
      const end = (isSaved) => { this.listeners.delete(look); clearTimeout(timer); resolve(isSaved); };
      const timer = setTimeout(() => end(false), limitMs);
      this.listeners.add(look);
    });
  }

  // What the gateway has acknowledged or refused is neither sent again nor kept.
  forget(changes) {
    const gone = new Set(changes);
    this.pending = this.pending.filter((each) => !gone.has(each));
    this.queue.remove(changes);
  }

  // After the seal every request is an addendum, whose first change is the reason. It keeps its id when it is sent again.
  beginAddendum() {
    const isFirst = this.pending[0].key === "record.addendum";
    if (!this.sealed || this.addendum === null || isFirst) return;
    this.pending.unshift({ id: newId(), key: "record.addendum", entry: newId(), value: this.addendum, device_time: nowText() });
  }

  giveReason(reason) {
    this.addendum = reason;
    this.needsReason = false;
    this.tell();
    this.send();
  }

  // A refused request: its faulty changes are dropped and shown, the others are sent again. Without a faulty change the
  // gateway refused the report as a whole, and nothing is dropped; the page states it when the entries are on the disk.
  async drop(batch, refused) {
    const faulty = refused.map((each) => batch[each.index]).filter(Boolean), code = refused[0]?.code ?? "refused";
    if (faulty.length) {
      this.forget(faulty);
      this.refused = faulty.map((change) => ({ change, code }));
      return;
    }
    await this.queue.retry();
    this.blocked = code;
  }

  // The last attempt before a lock, one request after the other. The browser sends the first although the page ends.
  async flush() {
    while (this.pending.length && !this.needsReason && this.blocked === null) {
      this.beginAddendum();
      const batch = nextBatch(this.pending), reply = await this.post("changes", { changes: batch }, { keepalive: true });
      if (!reply.ok) return;
      this.forget(batch);
    }
  }

  post(path, body, options = {}) { return post(this.encounter, path, this.author, body, options); }

  // The state of what was entered here. With contact: "saving", "saved", and "connecting" until the report and the entries
  // of earlier pages are known. Without: "no_contact" where nothing is pending, "saving" until it is on the tablet's disk,
  // then "waiting", "filling" and "full" where its space ends, "unkept" where only this page has it.
  get state() {
    const isPending = this.pending.length > 0, { queue } = this;
    if (this.reached && performance.now() - this.heardAt <= SILENT_MS) {
      return isPending ? "saving" : this.draft !== null && this.recalled ? "saved" : "connecting";
    }
    if (queue.isFull) return "full";
    if (!isPending) return "no_contact";
    return !queue.keeps ? "unkept" : !queue.isWritten ? "saving" : queue.isNearlyFull ? "filling" : "waiting";
  }
}

export function contentOf(statement) {
  const content = {};
  for (const part of ["value", "negative", "not_recorded"]) if (statement[part] != null) content[part] = statement[part];
  return content;
}
