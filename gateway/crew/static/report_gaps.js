// The page of gaps: each missing entry as a sentence that opens its field, with the field itself below, so that most
// gaps are closed with one tap. A closed gap stays in its place until the page is opened again, so that no button
// moves during a tap. Below the list is the signature when nothing is missing.
import { makeField } from "./report_fields.js";
import { button, element } from "./report_parts.js";
import { Section } from "./report_sections.js";
import { GroupButtons } from "./report_shortcuts.js";
import { texts } from "./texts.js";

const text = await texts("report");
const OF_DEVICES = ["no_vitals", "one_set_of_vitals", "no_vitals_after_medication"]; // what their measurements may close

export class GapsSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.accept = button("", () => form.proposals.acceptAll(), "go");
    this.groups = new GroupButtons(form, form.model.shortcuts.groups);
    this.list = element("ol", "gaps");
    this.none = element("p", "nothing", text("gaps.none"));
    this.sign = button(text("sign.act"), () => form.sections.get("sign").act(), "go critical");
    this.node.append(this.accept, this.groups.node, this.list, this.none, this.sign);
    this.cards = new Map();
  }

  get gaps() { return this.store.draft?.gaps ?? []; }

  arrange() {
    const open = new Set(this.gaps.map(signOf));
    for (const [sign, card] of this.cards) if (!open.has(sign)) { card.node.remove(); this.cards.delete(sign); }
    this.isArranged = false;
  }

  update() {
    if (!this.store.draft) return;
    const { gaps } = this, keys = new Set(gaps.map((each) => each.key)), open = new Set(gaps.map(signOf));
    this.drawAccept(gaps);
    this.groups.update((group) => [...Object.keys(group.values), ...Object.keys(group.negatives)].some((key) => keys.has(key)));
    for (const gap of gaps) this.cards.get(signOf(gap)) ?? this.add(gap);
    if (!this.isArranged) this.list.append(...gaps.map((gap) => this.cards.get(signOf(gap)).node));
    this.isArranged = true;
    for (const [sign, card] of this.cards) card.update(!open.has(sign));
    this.none.hidden = gaps.length > 0;
    this.sign.hidden = gaps.length > 0 || this.form.proposals.isOver;
    this.sign.disabled = this.form.sections.get("sign").isSigning;
  }

  drawAccept(gaps) {
    const count = this.form.proposals.acceptable().length;
    this.accept.hidden = !count || this.form.proposals.isOver || !gaps.some((each) => OF_DEVICES.includes(each.code));
    this.accept.textContent = text("proposals.accept_all", { count });
  }

  add(gap) {
    const card = new GapCard(this, gap);
    this.cards.set(signOf(gap), card);
    this.list.append(card.node);
  }

  save() { for (const card of this.cards.values()) card.field?.save?.(); }
}

class GapCard {
  constructor(section, gap) {
    this.section = section;
    this.gap = gap;
    this.field = null;
    this.node = element("li", "gap");
    this.line = button("", () => section.form.go(gap.key, gap.entry), "line");
    this.node.append(this.line);
  }

  // The entry of the field: that of the gap, or the latest one of its group, which may come while the page is open.
  // A new entry has a page of its own.
  get entry() {
    const { gap, section } = this, { group } = section.form.model.elements[gap.key];
    if (gap.entry || !group) return gap.entry || null;
    return gap.key.endsWith(".time") ? null : section.store.entries(group)[0]?.entry ?? null;
  }

  addField() {
    const { gap, section } = this, model = section.form.model.elements[gap.key];
    if (!model || gap.code === "two_statements") return;
    const { entry } = this;
    if (model.group && !entry) return;
    this.field = makeField(section.form, gap.key, entry);
    this.node.append(this.field.node);
  }

  update(isClosed) {
    const words = this.section.form.gap(this.gap);
    if (this.line.textContent !== words) this.line.textContent = words;
    this.node.classList.toggle("closed", isClosed);
    if (!this.field) this.addField();
    this.field?.update();
  }
}

function signOf({ code, key, entry }) { return `${code}|${key}|${entry}`; }
