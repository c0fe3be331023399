// The page of one report: its sections, the state of saving, undo, and where a gap leads to.
import { handKeyOver } from "./key_hand_over.js";
import { keptReport } from "./kept_report.js";
import { NumberPad } from "./report_pad.js";
import { Queue } from "./queue.js";
import { QueueSender } from "./queue_sender.js";
import { button, clock, element } from "./report_parts.js";
import { ArrestSection } from "./report_arrest.js";
import { TraumaSection } from "./report_body.js";
import { GapsSection } from "./report_gaps.js";
import { ProposalsSection } from "./report_proposals.js";
import { EntriesSection, FieldsSection, TimelineSection } from "./report_sections.js";
import { QuickBar } from "./report_shortcuts.js";
import { SignSection } from "./report_sign.js";
import { ReportCopy } from "./report_copy.js";
import { ReportStore } from "./report_store.js";
import { followMission } from "./missions.js";
import { texts } from "./texts.js";

const text = await texts("report");
const UNDO_MS = 10_000;
const PROPOSALS_MS = 10_000; // how often the devices' measurements are looked for
const STATE_MS = 1000;
const FORM_MS = 10_000; // a request without a response by then is lost, and is sent again
const NEEDS_TITLE = /^(9923\d+|\d)$/; // yes, no and the points of a score say nothing without the name of their field
const MISSION_MS = 2000;

class Form {
  constructor(choices, model, store) {
    this.choices = choices;
    this.model = model;
    this.store = store;
    this.suggestions = {};
    this.pad = new NumberPad();
    this.sections = new Map();
    this.nav = document.getElementById("sections");
    this.page = document.getElementById("page");
    this.toast = document.getElementById("undo");
    const pages = { arrest: ArrestSection, trauma: TraumaSection };
    for (const each of model.sections) this.add(new (pages[each.name] ?? (each.group ? EntriesSection : FieldsSection))(this, each));
    this.proposals = new ProposalsSection(this, { name: "proposals", keys: [] });
    this.gaps = new GapsSection(this, { name: "gaps", keys: [] });
    this.add(this.gaps, true); // with its number in sight, where not all sections fit the screen
    this.add(this.proposals, true);
    this.add(new TimelineSection(this, { name: "timeline", keys: [] }), true);
    this.add(new SignSection(this, { name: "sign", keys: [] }));
    this.bar = new QuickBar(this, document.getElementById("bar"), document.body.dataset);
    addEventListener("hashchange", () => this.show(location.hash.slice(1)));
    this.show(location.hash.slice(1));
    store.listen(() => this.tell());
  }

  add(section, first = false) {
    this.sections.set(section.model.name, section);
    const link = section.link = element("a", "section-link", text(`sections.${section.model.name}`));
    link.href = `#${section.model.name}`;
    section.badge = link.appendChild(element("span", "badge"));
    if (first) this.nav.prepend(link); else this.nav.append(link);
    section.node.hidden = true;
    this.page.append(section.node);
  }

  show(name) {
    const shown = this.sections.get(name) ?? this.proposals;
    for (const section of this.sections.values()) {
      section.node.hidden = section !== shown;
      if (section === shown) section.link.setAttribute("aria-current", "page"); else section.link.removeAttribute("aria-current");
    }
    if (this.shown !== shown) scrollTo(0, 0);
    shown.link.scrollIntoView({ block: "nearest", inline: "center" }); // not all of them fit the screen
    this.shown = shown;
    if (shown === this.proposals || shown === this.gaps) this.proposals.load();
    shown.arrange();
    this.tell();
  }

  tell() {
    if (!this.shown) return;
    this.shown.update();
    this.count(this.proposals, this.proposals.open().length);
    this.count(this.gaps, this.store.draft?.gaps.length ?? 0);
    this.bar.update();
    this.drawState();
  }

  // A number makes the row of sections on a phone longer, which must not push the present section off the screen.
  count(section, number) {
    const words = number ? String(number) : "", { nav, shown: { link } } = this;
    if (section.badge.textContent === words) return;
    section.badge.textContent = words;
    nav.scrollLeft = link.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
  }

  drawState() {
    const node = document.getElementById("saved"), { store } = this;
    const words = store.blocked !== null ? text("saved.blocked", { count: store.pending.length })
      : store.needsReason ? text("saved.needs_reason")
      : store.refused.length ? text("saved.refused", { field: this.title(store.refused[0].change.key) })
        : text(`saved.${store.state}`, { count: store.pending.length });
    const tone = store.blocked !== null || store.refused.length || store.needsReason ? "bad" : { saved: "good", saving: "", connecting: "", no_contact: "warn", waiting: "warn" }[store.state] ?? "bad";
    if (node.textContent !== words) node.textContent = words;
    node.className = `chip ${tone}`.trim();
    document.getElementById("sealed").hidden = !store.sealed;
    document.getElementById("closed").hidden = !store.closed;
  }

  // ---- shortcuts

  groupsOf(section) { return this.model.shortcuts.groups.filter((each) => each.section === section); }
  suggested(key) { return this.suggestions[key] ?? []; }

  async loadSuggestions() {
    try {
      const reply = await fetch(`/drafts/${this.store.encounter}/suggestions`);
      if (reply.ok) this.suggestions = (await reply.json()).suggestions;
    } catch { /* the form works without them */ }
    this.tell();
  }

  // The next line of text on this page that is empty, where a hand need not leave the keyboard.
  focusNext(input) {
    const inputs = [...this.shown.node.querySelectorAll("input.text, textarea.text")].filter((each) => !each.disabled);
    inputs.slice(inputs.indexOf(input) + 1).find((each) => each.value === "")?.focus();
  }

  // ---- words

  author(id) { return this.model.members[id] ?? this.textOr(`authors.${id}`, id); }
  title(key) { return this.textOr(`fields.${key}`, this.textOr(`sections.${key}`, key)); } // a void entry has the name of its group
  textOr(key, otherwise) { const found = text(key); return found === key ? otherwise : found; }
  unit(ucum) { return ucum ? this.textOr(`units.${ucum}`, ucum) : ""; }
  choice(key, code) { const found = this.choices(String(code)); return found === code ? this.textOr(`scores.${key}.${code}`, code) : found; }

  answer(key, value) {
    const model = this.model.elements[key];
    if (!model) return `${this.title(key)} ${this.choice(key, value)}`;
    const words = model.choices ? this.choice(key, value) : value;
    return `${this.title(key)} ${words}${model.unit ? ` ${this.unit(model.unit)}` : ""}`;
  }

  words(key, statement) {
    const reason = statement.negative ?? statement.not_recorded;
    const value = statement.value === null ? null : this.model.elements[key]?.choices ? this.choice(key, statement.value) : statement.value;
    if (value === null && !reason) return text("conflict.removed");
    return [value, reason && text(`reasons.${reason}`)].filter(Boolean).join(", ");
  }

  gap({ code, key, entry }) {
    const time = entry ? this.store.value(`${key.split(".")[0]}.time`, entry) : null;
    return text(`gaps.${code}`, { field: this.title(key), time: time ? clock(time) : "" }).trim();
  }

  summary(model, entry, withTime = true) {
    const time = this.store.value(`${model.group}.time`, entry);
    const parts = model.keys.filter((key) => !key.endsWith(".time")).flatMap((key) => this.places(key, entry).flatMap((place) => this.store.shown(key, place.entry).map((each) => ({ key, each }))))
      .map(({ key, each }) => (this.model.elements[key].choices && !NEEDS_TITLE.test(each.value ?? "") ? this.words(key, each) : `${this.title(key)} ${this.words(key, each)}`));
    const at = time && withTime ? `${clock(time)} ` : "";
    return `${at}${parts.join(" · ") || text("entry.empty")}`;
  }

  // The last value of the same element in another entry, for the number pad.
  last(key, entry) {
    const group = key.split(".")[0];
    const found = entry ? this.store.entries(group).find((each) => each.entry !== entry && this.store.value(key, each.entry) !== null) : null;
    return found ? { value: this.store.value(key, found.entry), time: found.time } : null;
  }

  // Where an element of an entry is: in the entry itself, or in one entry for each of its sides.
  places(key, entry) {
    const sites = entry ? this.model.elements[key]?.sites ?? [] : [];
    return sites.length ? sites.map((site) => ({ entry: `${entry}/s${site[1]}`, site })) : [{ entry, site: null }];
  }

  keysOf(group) { return [...new Set(this.model.sections.filter((each) => each.group === group).flatMap((each) => each.keys))]; }

  sectionOf(key) {
    return [...this.sections.values()].find((each) => each.model.keys.includes(key)) ?? this.gaps;
  }

  // ---- moving and undoing

  go(key, entry) {
    const section = this.sectionOf(key);
    if (section === this.gaps) { this.say(text("gaps.elsewhere")); return; }
    location.hash = section.model.name;
    this.show(section.model.name);
    section.focus(key, entry);
  }

  // Offer to undo what was just done. `name`: what it was done to; `act` returns false where it was changed since then.
  undo(key, act, name = this.title(key)) {
    if (!act) return;
    this.toast.replaceChildren(element("span", "", key ? text("undo.changed", { field: this.title(key) }) : text("undo.added")), button(text("undo.act"), () => {
      this.toast.hidden = true;
      if (act() === false) this.say(text("undo.overtaken", { field: name }));
    }, "answer"));
    this.toast.hidden = false;
    clearTimeout(this.undoTimer);
    this.undoTimer = setTimeout(() => { this.toast.hidden = true; }, UNDO_MS);
    this.tell();
  }

  say(words) {
    this.toast.replaceChildren(element("span", "", words));
    this.toast.hidden = false;
    clearTimeout(this.undoTimer);
    this.undoTimer = setTimeout(() => { this.toast.hidden = true; }, UNDO_MS);
  }
}

// Where the contact ends while the page is loaded, it is completed when the contact is back.
async function loadForm() {
  for (;;) {
    try {
      const reply = await fetch("/report-form", { signal: AbortSignal.timeout(FORM_MS) });
      if (reply.ok) return await reply.json();
      if (reply.status === 401) location.assign("/sign-in");
    } catch { document.getElementById("saved").textContent = text("saved.no_contact"); }
    await new Promise((resolve) => { setTimeout(resolve, STATE_MS); });
  }
}

const kept = keptReport(), page = { ...document.body.dataset }, { encounter, member: author } = page;
const [choices, model, queue] = await Promise.all([texts("choices"), kept?.copy.model ?? loadForm(), kept?.queue ?? Queue.open()]);
const stopHandOver = handKeyOver(queue);
const store = new ReportStore(encounter, author, model.elements, queue), copy = new ReportCopy(queue, encounter);
if (kept !== null) store.restore(kept.copy);
await store.recall(); // first, so that the page does not state that everything is saved
const form = new Form(choices, model, store);
store.listen(keepCopy);
store.open();
new QueueSender(queue, author, encounter).work();
form.loadSuggestions();
setInterval(() => { store.renew(); form.drawState(); }, STATE_MS);
const mission = document.getElementById("mission"), following = followMission(mission, encounter, MISSION_MS);
setInterval(() => { if (!document.hidden) form.proposals.load(); }, PROPOSALS_MS);
addEventListener("online", () => { store.open(); store.send(); });

// The tablet has the newest state of the report, until it is signed.
let copied = {};
function keepCopy() {
  if (store.sealed || store.closed) { copy.remove(); return; }
  if (store.draft === null || (copied.draft === store.draft && copied.stored === store.stored)) return;
  copied = { draft: store.draft, stored: store.stored };
  copy.write({ page, title: document.title, model, ...store.snapshot() });
}

// Texts that are being typed become changes, and all of them are on the tablet's disk when the promise resolves.
function keepAll() {
  for (const section of form.sections.values()) section.save?.();
  return queue.work;
}

// The session ended meanwhile, or another member has signed in: the entries are sent after the next sign-in.
store.signedOut = () => {
  stopHandOver();
  Promise.allSettled([keepAll(), copy.remove()]).then(() => location.assign("/sign-in"));
};
// What is not acknowledged yet is sent before a lock; what the page shows is dropped with it, and so is the queue's key.
addEventListener("crew-lock", ({ detail }) => {
  stopHandOver();
  const keeping = keepAll(), sent = store.pending.length ? store.flush() : null;
  detail.keeping.push(keeping, copy.remove());
  detail.sending.push(Promise.allSettled([keeping, sent]).then(() => queue.work).then(() => queue.lock()));
  store.close();
  clearInterval(following);
  mission.replaceChildren();
  document.getElementById("page").replaceChildren();
});
addEventListener("beforeunload", (leaving) => { if (store.pending.length && !(queue.keeps && queue.isWritten)) leaving.preventDefault(); });
