// Sends what the member entered on this tablet without contact, whichever page is open, and states what is still kept
// here. The page of a report sends its own entries itself. Entries of other members stay until they sign in.
import { nextBatch, openReport, post } from "./change_requests.js";
import { texts } from "./texts.js";

const RETRY_MS = 5000;
const text = await texts("queue");

export class QueueSender {
  // `member`: id, undefined where none has signed in. `except`: the encounter that the page itself sends.
  constructor(queue, member, except) {
    this.queue = queue;
    this.member = member;
    this.except = except;
    this.undecided = new Set(); // encounters whose entries the gateway does not take as they are: their pages show why
    this.node = document.getElementById("waiting");
    addEventListener("crew-lock", () => {
      this.member = undefined;
      if (except !== undefined) return; // the page of a report writes first, and then drops the key
      this.queue.lock();
      this.work();
    });
    addEventListener("online", () => this.work());
  }

  async work() {
    clearTimeout(this.timer);
    if (this.working) return;
    this.working = true;
    try {
      await this.send();
    } catch { /* no contact: tried again below */ }
    const remain = await this.draw().catch(() => true);
    this.working = false;
    if (remain) this.timer = setTimeout(() => this.work(), RETRY_MS);
  }

  async send() {
    if (this.member === undefined || (await this.queue.counts()).size === 0) return;
    const byEncounter = new Map();
    for (const { encounter, change } of await this.queue.own()) {
      if (encounter !== this.except && !this.undecided.has(encounter)) byEncounter.set(encounter, [...(byEncounter.get(encounter) ?? []), change]);
    }
    for (const [encounter, changes] of byEncounter) await this.sendOf(encounter, changes);
  }

  async sendOf(encounter, changes) {
    let remaining = changes;
    while (remaining.length && this.member !== undefined) {
      const batch = nextBatch(remaining);
      let reply = await post(encounter, "changes", this.member, { changes: batch });
      // The gateway has a new store since then, because the former one was damaged.
      if (reply.status === 404 && await openReport(encounter)) reply = await post(encounter, "changes", this.member, { changes: batch });
      if (!reply.ok) {
        const { refused } = await reply.json().catch(() => ({}));
        if (reply.status < 500 && Array.isArray(refused)) this.undecided.add(encounter); // signed meanwhile, or faulty
        return; // without a reason of the gateway's it is sent again
      }
      await this.queue.remove(batch);
      remaining = remaining.slice(batch.length);
    }
  }

  // State what is kept. Returns whether anything is.
  async draw() {
    const counts = await this.queue.counts(), words = [];
    const own = this.queue.owner === null ? 0 : counts.get(this.queue.owner) ?? 0;
    if (own && this.except === undefined) words.push(text("own", { count: own }));
    const others = [...counts].filter(([owner]) => owner !== this.queue.owner || this.queue.owner === null);
    const names = others.length ? await this.names() : null;
    for (const [owner, count] of others) {
      const name = names?.[owner];
      words.push(name ? text("of_member", { count, name }) : text(names === null ? "kept" : "unknown", { count }));
    }
    this.show(words.join(" "));
    return counts.size > 0;
  }

  // The names of the members by owner; null without contact.
  async names() {
    try {
      const reply = await fetch(`/queue/${this.queue.salt}/owners`);
      return reply.ok ? await reply.json() : null;
    } catch { return null; }
  }

  // Not rewritten while it stays the same: a screen reader would read it again.
  show(words) {
    const [undecided] = this.undecided, sign = words + (undecided ?? "");
    if (sign === this.shown) return;
    this.shown = sign;
    this.node.hidden = words === "";
    this.node.textContent = words;
    if (undecided === undefined || words === "") return;
    const link = document.createElement("a");
    link.href = `/reports/${undecided}`;
    link.textContent = text("decide");
    this.node.append(" ", link);
  }
}
