// The pages of the form: single fields, lists of entries (vitals, medications, procedures), the arrest page with its
// timers, the timeline, gaps, and the signature.
import { button, clock, element, makeField } from "./report_fields.js";
import { newId, nowText } from "./report_store.js";
import { texts } from "./texts.js";

const text = await texts("report");

const ADRENALINE = "3992", ADRENALINE_S = [180, 300], RHYTHM_S = 120; // ERC 2021: every 3 to 5 min; every 2 min
const SHOCK = "426220008", COMPRESSIONS = "89666000";

class Section {
  constructor(form, model) {
    this.form = form;
    this.model = model;
    this.node = element("section", "page");
    this.node.append(element("h2", "", text(`sections.${model.name}`)));
  }

  get store() { return this.form.store; }
  update() {}
  focus(key, entry) {
    const field = [...this.node.querySelectorAll(".field")].find((each) => each.dataset.key === key && (each.dataset.entry ?? "") === (entry ?? ""));
    if (!field) return;
    field.scrollIntoView({ block: "center" });
    field.querySelector("button:not([disabled]), input, textarea")?.focus();
  }
}

export class FieldsSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.fields = model.keys.map((key) => makeField(form, key, null));
    this.node.append(...this.fields.map((field) => field.node));
  }

  update() { for (const field of this.fields) field.update(); }
  save() { for (const field of this.fields) field.save?.(); }
}

// Entries of a repeated group, the latest first; the one that was opened last shows its fields.
export class EntriesSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.cards = new Map();
    this.opened = null;
    this.add = button(text(`add.${model.name}`), () => this.begin(), "add");
    this.list = element("div", "entries");
    this.totals = element("ul", "totals");
    this.node.append(this.add, this.totals, this.list);
  }

  begin(content = {}) {
    const entry = newId();
    const undo = this.store.set(`${this.model.group}.time`, entry, { value: nowText() });
    for (const [key, value] of Object.entries(content)) this.store.set(key, entry, { value });
    this.form.undo(null, undo && (() => this.takeBack(entry)), text(`sections.${this.model.name}`));
    this.opened = entry;
    this.update();
    return entry;
  }

  takeBack(entry) {
    if (!this.store.isOwn(this.model.group, entry)) return false;
    this.store.declareVoid(this.model.group, entry, text("entry.undone"));
    return true;
  }

  update() {
    this.add.disabled = this.store.readOnly;
    const entries = this.store.entries(this.model.group).filter(({ entry }) => this.isMine(entry));
    const present = new Set(entries.map(({ entry }) => entry));
    for (const [entry, card] of this.cards) if (!present.has(entry)) { card.node.remove(); this.cards.delete(entry); }
    const nodes = entries.map(({ entry }) => {
      if (!this.cards.has(entry)) this.cards.set(entry, new EntryCard(this, entry));
      const card = this.cards.get(entry);
      card.update(entry === this.opened);
      return card.node;
    });
    nodes.forEach((node, at) => { if (this.list.children[at] !== node) this.list.insertBefore(node, this.list.children[at] ?? null); });
    if (this.model.name === "medications") this.drawTotals();
  }

  save() { for (const card of this.cards.values()) for (const field of card.fields ?? []) field.save?.(); }

  // Sets of vital signs and assessments are entries of one group; each page shows those with a field of its own.
  isMine(entry) {
    return entry === this.opened || this.model.keys.some((key) => !key.endsWith(".time") && this.store.shown(key, entry).length);
  }

  drawTotals() {
    const lines = (this.store.draft?.totals ?? []).map((total) => element("li", "", text("medications.total", {
      drug: this.form.choice("medications.drug", total.drug), amount: total.amount, unit: total.unit ? this.form.choice("medications.dose_unit", total.unit) : "", count: total.doses,
    })));
    for (const pair of this.store.draft?.same_doses ?? []) {
      const line = element("li", "asked", text("medications.same_dose", { drug: this.form.choice("medications.drug", this.store.value("medications.drug", pair.first)) }));
      line.append(button(text("medications.one_dose"), () => this.store.declareVoid("medications", pair.second, text("medications.entered_twice")), "answer"));
      lines.push(line);
    }
    this.totals.replaceChildren(...lines);
  }

  focus(key, entry) {
    const wanted = entry || this.store.entries(this.model.group)[0]?.entry;
    this.opened = wanted ?? this.begin();
    this.update();
    super.focus(key, this.opened);
  }
}

class EntryCard {
  constructor(section, entry) {
    this.section = section;
    this.entry = entry;
    this.node = element("article", "entry-card");
    this.head = button("", () => { section.opened = section.opened === entry ? null : entry; section.update(); }, "entry-head");
    this.details = element("div", "entry-fields");
    this.node.append(this.head, this.details);
  }

  update(isOpen) {
    const { form, store, model } = this.section;
    this.head.textContent = form.summary(model, this.entry);
    this.head.setAttribute("aria-expanded", String(isOpen));
    this.details.hidden = !isOpen;
    if (!isOpen) return;
    if (!this.fields) {
      this.fields = model.keys.map((key) => makeField(form, key, this.entry));
      this.voided = button(text("entry.void"), () => this.declareVoid(), "quiet");
      this.details.append(...this.fields.map((field) => field.node), this.voided);
    }
    this.voided.disabled = store.readOnly;
    for (const field of this.fields) field.update();
  }

  declareVoid() {
    this.section.store.declareVoid(this.section.model.group, this.entry, text("entry.mistake"));
  }
}

// One page for a resuscitation: each act is one tap, with its time; timers count from the last one.
export class ArrestSection extends FieldsSection {
  constructor(form, model) {
    super(form, model);
    this.timers = element("div", "timers");
    this.adrenaline = this.timer("arrest.adrenaline", () => this.give());
    this.rhythm = this.timer("arrest.rhythm", () => this.checkRhythm());
    this.shock = this.timer("arrest.shock", () => this.perform(SHOCK));
    this.compressions = this.timer("arrest.compressions", () => this.perform(COMPRESSIONS));
    this.rhythms = element("div", "answers");
    for (const code of ["9901067", "9901071", "9901035", "9901003", "9901047"]) {
      this.rhythms.append(button(form.choice("vitals.rhythm", code), () => this.checkRhythm(code), "answer critical"));
    }
    this.node.insertBefore(this.timers, this.fields[0].node);
    this.node.insertBefore(this.rhythms, this.fields[0].node);
    setInterval(() => { if (!this.node.hidden) this.drawTimers(); }, 1000);
  }

  timer(name, act) {
    const made = button("", act, "timer");
    made.append(element("strong", "", text(`${name}.act`)), element("span", "since"));
    made.name = name;
    this.timers.append(made);
    return made;
  }

  give() {
    this.form.sections.get("medications").begin({
      "medications.drug": ADRENALINE, "medications.dose": "1", "medications.dose_unit": "3706021", "medications.route": "9927023",
    });
  }

  perform(code) { this.form.sections.get("procedures").begin({ "procedures.procedure": code }); }

  checkRhythm(code) { this.form.sections.get("vitals").begin(code ? { "vitals.rhythm": code } : {}); }

  update() { super.update(); this.drawTimers(); }

  last(group, key, code) {
    return this.store.entries(group).find(({ entry }) => (code ? this.store.value(key, entry) === code : this.store.shown(key, entry).length));
  }

  drawTimers() {
    for (const each of this.timers.children) each.disabled = this.store.readOnly;
    this.drawTimer(this.adrenaline, this.last("medications", "medications.drug", ADRENALINE), ADRENALINE_S[0], ADRENALINE_S[1]);
    this.drawTimer(this.rhythm, this.last("vitals", "vitals.rhythm"), RHYTHM_S, RHYTHM_S + 15);
    this.drawTimer(this.shock, this.last("procedures", "procedures.procedure", SHOCK));
    this.drawTimer(this.compressions, this.last("procedures", "procedures.procedure", COMPRESSIONS));
  }

  drawTimer(node, last, dueS = Infinity, overdueS = Infinity) {
    const since = node.querySelector(".since");
    if (!last?.time) { since.textContent = text("arrest.none"); node.dataset.due = ""; return; }
    const seconds = Math.max(0, Math.floor((Date.now() - last.time) / 1000));
    const words = { minutes: Math.floor(seconds / 60), seconds: String(seconds % 60).padStart(2, "0") };
    const due = seconds >= overdueS ? "overdue" : seconds >= dueS ? "due" : "";
    since.textContent = text(`arrest.since${due ? `_${due}` : ""}`, words);
    node.dataset.due = due;
  }
}

// What the devices measured and did, to be accepted: one tap each, or all vital signs at once.
export class ProposalsSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.all = button("", () => this.accept(this.vitals().map((each) => each.id)), "go");
    this.list = element("div", "entries");
    this.empty = element("p", "nothing", text("proposals.none"));
    this.devices = element("div", "holding");
    this.devicesState = element("p", "", "");
    this.takeNow = button(text("devices.now"), () => this.takeDevices("now"), "go");
    this.takeSinceOpening = button(text("devices.opening"), () => this.takeDevices("opening"), "answer");
    this.devices.append(this.devicesState, this.takeNow, this.takeSinceOpening);
    this.node.append(this.devices, this.all, this.empty, this.list);
    this.found = [];
    this.holding = null; // "here", "elsewhere" or "free": which report the devices measure for
    this.taken = new Set();
  }

  vitals() { return this.open().filter((each) => each.kind === "vitals"); }
  open() { return this.found.filter((each) => !this.taken.has(each.id)); }

  async load() {
    try {
      const reply = await fetch(`/drafts/${this.store.encounter}/proposals`);
      if (reply.ok) ({ proposals: this.found, devices: this.holding } = await reply.json());
    } catch { /* the next attempt finds out; the state of the connection is shown at the top */ }
    this.form.tell();
  }

  async takeDevices(since) {
    try {
      const reply = await this.store.post("devices", { since });
      if (!reply.ok) throw new Error();
    } catch { this.form.say(text("devices.not_taken")); }
    this.load();
  }

  async accept(ids) {
    for (const id of ids) this.taken.add(id);
    this.update();
    for (let at = 0; at < ids.length; at += 16) {
      try {
        const reply = await this.store.post("proposals", { accept: ids.slice(at, at + 16), device_time: nowText() });
        if (!reply.ok) throw new Error();
      } catch {
        for (const id of ids.slice(at)) this.taken.delete(id);
        this.form.say(text("proposals.not_accepted"));
        break;
      }
    }
    this.load();
  }

  update() {
    const open = this.open(), vitals = this.vitals();
    this.devices.hidden = this.holding === null || this.store.sealed || this.store.closed;
    this.devicesState.textContent = this.holding === null ? "" : text(`devices.${this.holding}`);
    this.takeNow.hidden = this.takeSinceOpening.hidden = this.holding === "here";
    this.empty.hidden = open.length > 0;
    this.all.hidden = vitals.length < 2 || this.store.sealed || this.store.closed;
    this.all.textContent = text("proposals.accept_all", { count: vitals.length });
    const sign = open.map((each) => each.id).join() + this.store.sealed + this.store.closed;
    if (sign === this.sign) return;
    this.sign = sign;
    this.list.replaceChildren(...open.map((proposal) => this.card(proposal)));
  }

  card(proposal) {
    const card = element("article", "entry-card proposal");
    const uncertain = proposal.uncertainty_ms === null ? text("proposals.time_unknown") : text("proposals.uncertainty", { seconds: (proposal.uncertainty_ms / 1000).toLocaleString(document.documentElement.lang) });
    const words = element("div", "proposal-words");
    words.append(
      element("strong", "", `${clock(proposal.at)} ${text(`proposals.kinds.${proposal.kind}`)}`),
      element("span", "", proposal.values.filter((each) => !/\.(time|serial_number|.*_method)$/.test(each.key)).map((each) => this.valueWords(each)).join(" · ")),
      element("small", "", [proposal.devices.join(", "), uncertain, proposal.device_time && text("proposals.device_time", { time: proposal.device_time })].filter(Boolean).join(" · ")),
    );
    const take = button(text("proposals.accept"), () => this.accept([proposal.id]), "go");
    take.hidden = this.store.sealed || this.store.closed;
    card.append(words, take);
    return card;
  }

  valueWords({ key, value, marks }) {
    const words = this.form.answer(key, value);
    return marks.length ? `${words} (${marks.map((mark) => this.form.textOr(`marks.${mark}`, mark.replaceAll(/[-_]/g, " "))).join(", ")})` : words;
  }
}

export class TimelineSection extends Section {
  update() {
    const events = [];
    for (const field of this.store.fields.values()) {
      const value = field.shown.at(-1)?.value;
      if (!value || this.form.model.elements[field.key]?.kind !== "time") continue;
      const group = field.key.split(".")[0];
      if (field.entry && this.store.isVoid(group, field.entry)) continue;
      const section = this.form.sectionOf(field.key);
      const words = field.entry ? this.form.summary({ ...section.model, keys: this.form.keysOf(group) }, field.entry, false) : this.form.title(field.key);
      events.push({ at: Date.parse(value), value, words, field });
    }
    events.sort((one, other) => one.at - other.at);
    this.list ??= this.node.appendChild(element("ol", "timeline"));
    this.list.replaceChildren(...events.map(({ value, words, field }) => {
      const line = element("li");
      line.append(button(`${clock(value)}  ${words}`, () => this.form.go(field.key, field.entry), "line"));
      return line;
    }));
  }
}

export class GapsSection extends Section {
  update() {
    this.list ??= this.node.appendChild(element("ol", "gaps"));
    const gaps = this.store.draft?.gaps ?? [];
    const sign = JSON.stringify(gaps);
    if (sign === this.sign) return;
    this.sign = sign;
    const lines = gaps.map((gap) => {
      const line = element("li");
      line.append(button(this.form.gap(gap), () => this.form.go(gap.key, gap.entry), "line"));
      return line;
    });
    this.list.replaceChildren(...lines);
    this.none ??= this.node.appendChild(element("p", "nothing", text("gaps.none")));
    this.none.hidden = gaps.length > 0;
  }
}

export class SignSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.state = element("p");
    this.conflicts = element("div", "entries");
    this.sign = button(text("sign.act"), () => this.act(), "go critical");
    this.reason = element("input", "text");
    this.reason.maxLength = 255;
    this.reason.setAttribute("aria-label", text("sign.reason"));
    this.reason.placeholder = text("sign.reason");
    this.begin = button(text("sign.addendum"), () => { if (this.reason.value.trim()) this.store.giveReason(this.reason.value.trim()); }, "go");
    this.addendum = element("div", "number");
    this.addendum.append(this.reason, this.begin);
    this.node.append(this.state, this.conflicts, this.sign, this.addendum);
  }

  async act() {
    this.sign.disabled = true;
    try {
      const reply = await this.store.post("signature", { device_time: nowText() });
      if (!reply.ok) {
        const code = (await reply.json().catch(() => ({}))).refused?.[0]?.code;
        this.form.say(this.form.textOr(`sign.refused.${code}`, text("sign.refused.failed")));
      }
    } catch { this.form.say(text("sign.refused.store_full")); }
    this.form.tell();
  }

  update() {
    const { store } = this, conflicts = store.draft?.conflicts ?? [], gaps = store.draft?.gaps.length ?? 0;
    const unsaved = store.pending.length > 0;
    this.state.textContent = store.closed ? text("sign.closed")
      : store.sealed ? text(store.addendum ? "sign.writing_addendum" : "sign.sealed") : text("sign.open", { count: gaps });
    this.sign.hidden = store.sealed || store.closed;
    this.sign.disabled = conflicts.length > 0 || unsaved;
    this.addendum.hidden = store.closed || (!(store.sealed && store.addendum === null) && !store.needsReason);
    const sign = conflicts.map((each) => each.statements.map((one) => one.id)).join();
    if (sign === this.sign_) return;
    this.sign_ = sign;
    this.conflicts.replaceChildren(...conflicts.map((each) => {
      const card = element("article", "entry-card");
      card.append(element("h3", "", this.form.title(each.key)), button(text("sign.decide"), () => this.form.go(each.key, each.entry), "answer"));
      return card;
    }));
  }
}
