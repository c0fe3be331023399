// FAST, the stroke test of three questions: face, arms, speech. The findings are entered as such, and the result follows
// from them: positive with one of them, negative where all three are normal.
import { button, element } from "./report_parts.js";
import { texts } from "./texts.js";

const text = await texts("report");
const NEUROLOGICAL = "exam.neurological", FAST = "3330013", POSITIVE = "3329005", NEGATIVE = "3329001";
const NONE = "finding_not_present";
const ROWS = [
  { name: "face", findings: ["3520039", "3520041"] },
  { name: "arms", findings: ["3520051", "3520053"] },
  { name: "speech", findings: ["3520029", "3520003"] },
];

export class FastTest {
  constructor(form, entry) {
    this.form = form;
    this.entry = entry;
    this.node = element("section", "field fast");
    this.node.setAttribute("aria-label", text("fast.title"));
    this.node.append(element("h3", "", text("fast.title")));
    this.answers = new Map();
    for (const row of ROWS) {
      const group = element("div", "answers");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", text(`fast.${row.name}`));
      group.append(element("span", "fast-name", text(`fast.${row.name}`)));
      this.offer(group, row, text("fast.normal"), null);
      for (const code of row.findings) this.offer(group, row, form.choice(NEUROLOGICAL, code), code);
      this.node.append(group);
    }
    this.result = element("p", "fast-result");
    this.result.setAttribute("role", "status");
    this.node.append(this.result);
    this.update();
  }

  offer(group, row, words, code) {
    const answer = button(words, () => this.take(row, code), "answer");
    this.answers.set(`${row.name} ${code ?? ""}`, answer);
    group.append(answer);
  }

  shown(code) { return this.form.store.shown(NEUROLOGICAL, this.entry).filter((each) => each.value === code).at(-1) ?? null; }
  isFound(code) { return this.shown(code)?.negative === null; }
  isNormal(row) { return row.findings.every((code) => this.shown(code)?.negative === NONE); }

  // A finding of one side makes the other one "not present"; both may be stated on the page's usual way.
  take(row, found) {
    const { store } = this.form, undo = [];
    for (const code of row.findings) {
      if (this.shown(code)) undo.push(store.set(NEUROLOGICAL, this.entry, { value: code }, { action: "remove" }));
      undo.push(store.set(NEUROLOGICAL, this.entry, code === found ? { value: code } : { value: code, negative: NONE }));
    }
    const result = this.isPositive() ? POSITIVE : ROWS.every((each) => this.isNormal(each)) ? NEGATIVE : null;
    if (result) {
      undo.push(store.set("vitals.stroke_scale", this.entry, { value: FAST }));
      undo.push(store.set("vitals.stroke_result", this.entry, { value: result }));
    }
    this.form.undo(NEUROLOGICAL, () => undo.filter(Boolean).reverse().map((act) => act()).every((each) => each !== false));
  }

  isPositive() { return ROWS.some((row) => row.findings.some((code) => this.isFound(code))); }

  update() {
    const { store } = this.form;
    for (const row of ROWS) {
      this.answers.get(`${row.name} `).setAttribute("aria-pressed", String(this.isNormal(row)));
      for (const code of row.findings) this.answers.get(`${row.name} ${code}`).setAttribute("aria-pressed", String(this.isFound(code)));
    }
    for (const answer of this.answers.values()) answer.disabled = store.readOnly;
    const words = this.isPositive() ? text("fast.positive") : ROWS.every((each) => this.isNormal(each)) ? text("fast.negative") : "";
    if (this.result.textContent !== words) this.result.textContent = words;
  }
}
