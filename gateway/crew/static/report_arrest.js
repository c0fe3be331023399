// The page of a resuscitation, with its timers.
import { button, element } from "./report_parts.js";
import { FieldsSection } from "./report_sections.js";
import { texts } from "./texts.js";

const text = await texts("report");

const ADRENALINE = "3992", ADRENALINE_S = [180, 300], RHYTHM_S = 120; // ERC 2021: every 3 to 5 min; every 2 min
const SHOCK = "426220008", COMPRESSIONS = "89666000";

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
