// One field of the form: its title, its answer, and the answers of two authors side by side.
// Short lists are buttons, long ones have a search; numbers have a pad and steps; times have "now". Everything is saved
// when it is entered, and can be undone.
import { button, clock, element } from "./report_parts.js";
import { agoButtons, stateAge, suggestionButtons } from "./report_shortcuts.js";
import { nowText, timeText } from "./report_store.js";
import { texts } from "./texts.js";

const text = await texts("report");

let fieldCount = 0; // a field may be shown on two pages of the form, so an id is made of its number

const BIRTH_DATE = "patient.birth_date";
const LINE_LENGTH_MAX = 255; // a longer text has paragraphs
const TYPING_MS = 400; // a text is saved so long after the first unsaved key: what is typed is on the disk within a second

export class Field {
  // `site`: element and code of the place that the entry of a finding has, null for none; `name`: its title then.
  constructor(form, key, entry, site = null, name = "") {
    this.form = form; // store, model, undo, pad
    this.site = site;
    this.key = key;
    this.entry = entry;
    this.model = form.model.elements[key];
    this.node = element("section", `field${this.model.critical ? " critical" : ""}`);
    this.node.dataset.key = key;
    if (entry) this.node.dataset.entry = entry;
    const head = element("div", "field-head");
    this.name = name || (site ? `${form.title(key)}: ${form.choice(...site)}` : form.title(key));
    this.title = element("h3", "", this.name);
    this.title.id = `field-title-${fieldCount += 1}`;
    this.mark = element("span", "mark");
    this.more = button("⋯", () => this.openReasons(), "quiet more");
    this.more.setAttribute("aria-label", text("field.more", { field: form.title(key) }));
    this.more.hidden = !(this.model.instead.length || this.model.reasons.length || this.model.with_value.length);
    head.append(this.title, this.mark, this.more);
    this.body = element("div", "field-body");
    this.reasons = element("div", "answers reasons");
    this.reasons.hidden = true;
    this.conflict = element("div", "conflict");
    this.conflict.setAttribute("role", "group");
    this.node.append(head, this.body, this.reasons, this.conflict);
    this.build();
    this.update();
  }

  get store() { return this.form.store; }
  get shown() { return this.store.shown(this.key, this.entry); }
  get value() { return this.store.value(this.key, this.entry); }

  state(content) {
    this.form.undo(this.key, this.store.set(this.key, this.entry, content));
    if (this.site && !this.store.shown(this.site[0], this.entry).length) this.store.set(this.site[0], this.entry, { value: this.site[1] });
  }

  clear() { this.form.undo(this.key, this.store.set(this.key, this.entry, null, { action: "remove" })); }

  build() {}
  draw() {}

  update() {
    this.node.classList.toggle("read-only", this.store.readOnly);
    for (const control of this.node.querySelectorAll("button, input, textarea")) control.disabled = this.store.readOnly;
    const marked = this.shown.find((each) => each.negative || each.not_recorded);
    this.mark.textContent = marked ? text(`reasons.${marked.negative ?? marked.not_recorded}`) : "";
    this.draw();
    this.drawConflict();
  }

  // "Refused", "not recorded" and the pertinent negatives of the element, as answers of their own.
  openReasons() {
    this.reasons.hidden = !this.reasons.hidden;
    if (this.reasons.hidden) return;
    const answers = [];
    const quick = this.quick ?? [];
    for (const negative of this.model.instead) if (!quick.includes(negative)) answers.push(this.reason(negative, { negative }));
    if (this.value !== null) for (const negative of this.model.with_value) answers.push(this.reason(negative, { value: this.value, negative }));
    for (const reason of this.model.reasons) answers.push(this.reason(reason, { not_recorded: reason }));
    if (this.shown.length) answers.push(button(text("field.clear"), () => { this.clear(); this.reasons.hidden = true; }, "quiet"));
    this.reasons.replaceChildren(...answers);
  }

  reason(name, content) {
    return button(text(`reasons.${name}`), () => { this.state(content); this.reasons.hidden = true; }, "answer");
  }

  drawConflict() {
    const conflict = this.store.conflict(this.key, this.entry);
    this.conflict.hidden = conflict === null;
    const sign = conflict ? conflict.statements.map((each) => each.id).join() : "";
    if (this.conflictSign === sign) return;
    this.conflictSign = sign;
    if (!conflict) { this.conflict.replaceChildren(); return; }
    this.conflict.setAttribute("aria-label", text("conflict.title"));
    const choices = conflict.statements.map((statement) => {
      const words = text("conflict.entry", { answer: this.form.words(this.key, statement), author: this.form.author(statement.author), time: clock(statement.at) });
      return button(words, () => this.store.choose(conflict, statement), "answer");
    });
    choices.push(button(text("conflict.both"), () => this.store.letBothStand(conflict), "quiet"));
    this.conflict.replaceChildren(element("strong", "", text("conflict.title")), ...choices);
  }
}

class ChoiceField extends Field {
  build() {
    this.answers = new Map();
    this.isLong = this.model.choices.length > this.form.model.buttons_max;
    this.list = element("div", "answers");
    this.list.setAttribute("role", "group");
    this.list.setAttribute("aria-labelledby", this.title.id);
    for (const code of this.model.choices) {
      const answer = button(this.form.choice(this.key, code), () => this.toggle(code), "answer");
      this.answers.set(code, answer);
      this.list.append(answer);
    }
    this.negatives = new Map();
    for (const negative of this.quick) {
      const answer = button(text(`reasons.${negative}`), () => this.toggleNegative(negative), "answer");
      this.negatives.set(negative, answer);
      this.list.append(answer);
    }
    if (this.isLong) {
      this.search = element("input", "search");
      this.search.type = "search";
      this.search.autocomplete = "off";
      this.search.setAttribute("aria-label", text("field.search", { field: this.form.title(this.key) }));
      this.search.placeholder = text("field.search_hint");
      this.search.addEventListener("input", () => this.draw());
      this.body.append(this.search);
    }
    this.body.append(this.list);
  }

  get quick() { return this.model.quick; }

  toggleNegative(negative) {
    const stated = this.shown.find((each) => each.negative === negative);
    if (stated) this.clear(); else this.state({ negative });
  }

  toggle(code) {
    const chosen = this.shown.some((each) => each.value === code);
    if (this.model.many && chosen) this.form.undo(this.key, this.store.set(this.key, this.entry, { value: code }, { action: "remove" }));
    else if (chosen) this.clear();
    else this.state({ value: code });
    if (this.search) { this.search.value = ""; this.draw(); }
  }

  draw() {
    const chosen = new Set(this.shown.map((each) => each.value));
    for (const [negative, answer] of this.negatives) answer.setAttribute("aria-pressed", String(this.shown.some((each) => each.negative === negative)));
    const sought = this.search?.value.trim().toLocaleLowerCase() ?? "";
    let offered = 0;
    for (const [code, answer] of this.answers) {
      const isChosen = chosen.has(code);
      answer.setAttribute("aria-pressed", String(isChosen));
      const matches = sought ? `${answer.textContent} ${code}`.toLocaleLowerCase().includes(sought) : offered < this.form.model.buttons_max;
      answer.hidden = this.isLong && !isChosen && !matches;
      if (!answer.hidden && !isChosen) offered += 1;
    }
    for (const each of this.shown) {
      if (each.value === null || this.answers.has(each.value)) continue;
      const other = button(this.form.choice(this.key, each.value), () => this.toggle(each.value), "answer");
      other.setAttribute("aria-pressed", "true");
      this.answers.set(each.value, other);
      this.list.prepend(other);
    }
  }
}

class NumberField extends Field {
  build() {
    const row = element("div", "number");
    this.less = button("−", () => this.step(-1), "step");
    this.open = button("", () => this.form.pad.open(this), "value-button");
    this.greater = button("+", () => this.step(1), "step");
    this.less.setAttribute("aria-label", text("field.less", { field: this.form.title(this.key) }));
    this.greater.setAttribute("aria-label", text("field.greater", { field: this.form.title(this.key) }));
    row.append(this.less, this.open, this.greater);
    this.body.append(row);
  }

  get unit() { return this.form.unit(this.model.unit); }
  get start() { return this.value ?? this.form.last(this.key, this.entry)?.value ?? null; }

  step(direction) {
    const start = this.start;
    if (start === null || Number.isNaN(Number(start))) { this.form.pad.open(this); return; }
    const next = Math.min(this.model.most, Math.max(this.model.least, Number(start) + direction * this.model.step));
    this.state({ value: this.spell(next) });
  }

  spell(number) { return String(Number(number.toFixed(this.model.places))); }

  draw() {
    const value = this.value;
    this.open.textContent = value === null ? text("field.enter") : `${value}${this.unit ? ` ${this.unit}` : ""}`;
    this.open.classList.toggle("empty", value === null);
    this.open.setAttribute("aria-label", `${this.form.title(this.key)}: ${this.open.textContent}`);
  }
}

class TimeField extends Field {
  build() {
    const row = element("div", "number");
    this.shownTime = element("output", "time");
    this.now = button(text("field.now"), () => this.state({ value: nowText() }), "answer");
    this.less = button(text("field.minute_less"), () => this.step(-1), "step");
    this.greater = button(text("field.minute_more"), () => this.step(1), "step");
    for (const each of [this.now, this.less, this.greater]) each.setAttribute("aria-label", `${this.form.title(this.key)}: ${each.textContent}`);
    row.append(this.now, this.less, this.shownTime, this.greater);
    this.body.append(row);
    this.ago = element("div", "answers");
    this.ago.append(...agoButtons(this));
    if (this.model.ago_min.length) this.body.append(this.ago);
  }

  step(minutes) {
    const at = Date.parse(this.value ?? "");
    if (!Number.isNaN(at)) this.state({ value: timeText(at + minutes * 60_000) });
  }

  draw() {
    const value = this.value;
    this.shownTime.textContent = value === null ? "" : clock(value);
    this.less.hidden = this.greater.hidden = value === null;
    this.ago.hidden = value !== null;
  }
}

class TextField extends Field {
  build() {
    const long = (this.model.length_max ?? 0) > 200;
    this.input = element(long ? "textarea" : "input", "text");
    if (this.model.kind === "date") this.input.type = "date";
    if (long) this.input.rows = this.model.length_max > 1000 ? 10 : 2;
    if (this.model.length_max) this.input.maxLength = this.model.length_max;
    this.input.autocomplete = "off";
    this.input.setAttribute("aria-labelledby", this.title.id);
    this.input.addEventListener("input", () => { this.typed = true; this.timer ??= setTimeout(() => this.save(), TYPING_MS); });
    this.input.addEventListener("change", () => this.save());
    // A line ends with Enter; a tablet's keyboard shows the key as "next", and the form decides what comes next.
    if ((this.model.length_max ?? 0) <= LINE_LENGTH_MAX) {
      this.input.enterKeyHint = "next";
      this.input.addEventListener("keydown", (press) => {
        if (press.key !== "Enter" || press.isComposing) return;
        press.preventDefault();
        this.save();
        this.form.focusNext(this.input);
      });
    }
    this.suggestions = element("div", "answers suggestions");
    this.body.append(this.suggestions, this.input);
  }

  // Only what was typed here is stated: the text of a page that is not shown may be older than the report.
  save() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.typed) return;
    this.typed = false;
    const typed = this.input.value, { seen } = this;
    if (typed === (this.value ?? "")) return;
    if (!typed.trim()) {
      this.store.set(this.key, this.entry, this.model.many ? { value: this.value } : null, { action: "remove", seen });
      return;
    }
    this.store.set(this.key, this.entry, { value: typed }, { seen, over: this.shown.at(-1)?.id });
    if (this.key === BIRTH_DATE) stateAge(this.form, typed);
  }

  draw() {
    this.drawSuggestions();
    if (this.typed || (document.activeElement === this.input && this.input.value !== "")) return; // never change typed text
    this.seen = new Set(this.store.statements(this.key, this.entry).map((each) => each.id));
    const value = this.value ?? "";
    if (this.input.value !== value) this.input.value = value;
  }

  drawSuggestions() {
    const sign = this.value === null && !this.store.readOnly ? this.form.suggested(this.key).join("\n") : "";
    if (this.suggestionSign === sign) return;
    this.suggestionSign = sign;
    this.suggestions.replaceChildren(...(sign ? suggestionButtons(this) : []));
  }
}

export function makeField(form, key, entry, site = null, name = "") {
  const model = form.model.elements[key];
  if (model.choices) return new ChoiceField(form, key, entry, site, name);
  if (model.kind === "number") return new NumberField(form, key, entry);
  if (model.kind === "time") return new TimeField(form, key, entry);
  return new TextField(form, key, entry);
}
