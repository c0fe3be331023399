// The pages of the form: single fields, lists of entries (vitals, medications, procedures), and the timeline.
import { makeField } from "./report_fields.js";
import { button, clock, element } from "./report_parts.js";
import { SignaturePad } from "./report_signature.js";
import { FastTest } from "./report_stroke.js";
import { GroupButtons, UsualTreatment } from "./report_shortcuts.js";
import { newEntryId, nowText } from "./report_store.js";
import { texts } from "./texts.js";

const text = await texts("report");

const TREATMENT = ["medications", "procedures"];

export class Section {
  constructor(form, model) {
    this.form = form;
    this.model = model;
    this.node = element("section", "page");
    this.node.append(element("h2", "", text(`sections.${model.name}`)));
  }

  get store() { return this.form.store; }
  update() {}
  arrange() {} // the page is shown: it may be arranged again
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
    this.groups = new GroupButtons(form, form.groupsOf(model.name));
    this.node.append(this.groups.node, ...this.fields.map((field) => field.node));
  }

  update() {
    this.groups.update();
    for (const field of this.fields) field.update();
  }

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
    this.groups = new GroupButtons(form, form.groupsOf(model.name));
    this.usual = TREATMENT.includes(model.name) ? new UsualTreatment(form) : null;
    if (this.usual) this.node.append(this.usual.node);
    this.node.append(this.groups.node, this.add, this.totals, this.list);
  }

  begin(content = {}) {
    const entry = newEntryId();
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
    this.groups.update();
    this.usual?.update();
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
    const isStated = (key) => this.form.places(key, entry).some((place) => this.store.shown(key, place.entry).length);
    return entry === this.opened || this.model.keys.some((key) => !key.endsWith(".time") && isStated(key));
  }

  // Unchanged lines stay in place, so that neither a tap nor the focus is lost.
  drawTotals() {
    const sign = JSON.stringify([this.store.draft?.totals, this.store.draft?.same_doses]);
    if (sign === this.sign) return;
    this.sign = sign;
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
      this.fields = [];
      for (const key of model.keys) this.build(key);
      this.voided = button(text("entry.void"), () => this.declareVoid(), "quiet");
      this.details.append(this.voided);
    }
    this.voided.disabled = store.readOnly;
    for (const field of this.fields) field.update();
  }

  build(key) {
    const { form } = this.section, heading = this.section.model.name === "assessment" ? form.model.headings[key] : null;
    if (heading) this.details.append(element("h3", "heading", text(`headings.${heading}`)));
    if (heading === "stroke") {
      const fast = new FastTest(form, this.entry);
      this.fields.push(fast);
      this.details.append(fast.node);
      return;
    }
    if (key === "signatures.status") {
      const pad = new SignaturePad(form, this.entry);
      this.fields.push(pad);
      this.details.append(pad.node);
    }
    for (const place of form.places(key, this.entry)) {
      const field = makeField(form, key, place.entry, place.site);
      this.fields.push(field);
      this.details.append(field.node);
    }
  }

  // An assessment has fields of the examination too, in an entry of the same id.
  declareVoid() {
    const { form, store, model } = this.section;
    store.declareVoid(model.group, this.entry, text("entry.mistake"));
    const others = model.keys.filter((key) => form.model.elements[key].group !== model.group);
    if (others.some((key) => form.places(key, this.entry).some((place) => store.shown(key, place.entry).length))) store.declareVoid("exam", this.entry, text("entry.mistake"));
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
    const sign = JSON.stringify(events.map(({ value, words, field }) => [value, words, field.key, field.entry]));
    if (sign === this.sign) return; // as above
    this.sign = sign;
    this.list ??= this.node.appendChild(element("ol", "timeline"));
    this.list.replaceChildren(...events.map(({ value, words, field }) => {
      const line = element("li");
      line.append(button(`${clock(value)}  ${words}`, () => this.form.go(field.key, field.entry), "line"));
      return line;
    }));
  }
}
