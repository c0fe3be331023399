// Shortcuts of the form: several entries with one tap, usual doses and procedures, the next time of the mission, and the
// age that follows from the date of birth. Every entry is shown in words before it is entered, and can be undone.
import { button, element } from "./report_parts.js";
import { nowText } from "./report_store.js";
import { texts } from "./texts.js";

const text = await texts("report");

const STEPS = ["en_route", "on_scene", "at_patient", "left_scene", "at_destination", "transfer_of_care", "in_service"];
const YEARS = "2516009", MONTHS = "2516007", DAYS = "2516001";
const DAY_MS = 86_400_000;

// The answers of a group that are not stated yet, as [key, content]; those of a new entry are all open.
export function openAnswers(form, group) {
  const suggested = new Set(form.model.shortcuts.suggested);
  const values = Object.entries(group.values).map(([key, value]) => [key, { value: (suggested.has(key) && form.suggested(key)[0]) || value }]);
  const negatives = Object.entries(group.negatives).map(([key, negative]) => [key, { negative }]);
  return [...values, ...negatives].filter(([key]) => group.group || !form.store.shown(key, null).length);
}

function answerWords(form, [key, { value, negative }]) {
  return negative ? text(`reasons.${negative}`) : form.choice(key, value);
}

// One button for each group. `offered(group)` decides which ones the page has now.
export class GroupButtons {
  constructor(form, groups) {
    this.form = form;
    this.node = element("div", "answers groups");
    this.buttons = groups.map((group) => {
      const made = button("", () => this.take(group), "answer group");
      made.append(element("strong", "", text(`groups.${group.name}`)), element("span"));
      made.dataset.group = group.name;
      this.node.append(made);
      return { group, made };
    });
  }

  take(group) {
    const { form } = this, open = openAnswers(form, group);
    if (!open.length) return;
    if (group.group) {
      form.sections.get(group.section).begin(Object.fromEntries(open.map(([key, { value }]) => [key, value])));
      return;
    }
    const undo = open.map(([key, content]) => form.store.set(key, null, content)).filter(Boolean);
    form.undo(null, () => undo.map((act) => act()).every((each) => each !== false), text(`groups.${group.name}`));
  }

  update(offered = () => true) {
    for (const { group, made } of this.buttons) {
      const open = openAnswers(this.form, group);
      made.hidden = !offered(group) || this.form.store.readOnly || open.length < 2;
      const words = [...new Set(open.map((each) => answerWords(this.form, each)))].join(" · ");
      if (made.lastChild.textContent !== words) made.lastChild.textContent = words;
    }
    this.node.hidden = this.buttons.every(({ made }) => made.hidden);
  }
}

// Usual treatment, on the pages of medications and of procedures: one tap enters a dose or an act with the present time.
export class UsualTreatment {
  constructor(form) {
    this.form = form;
    const { doses, acts } = form.model.shortcuts, language = document.documentElement.lang;
    this.node = element("div", "usual");
    this.doses = element("div", "answers");
    this.acts = element("div", "answers");
    this.doses.append(...doses.map(({ drug, dose, unit, route }) => {
      const words = `${form.choice("medications.drug", drug)} ${Number(dose).toLocaleString(language)} ${form.choice("medications.dose_unit", unit)} · ${form.choice("medications.route", route)}`;
      return button(words, () => this.enter("medications", { drug, dose, dose_unit: unit, route }), "answer critical");
    }));
    this.acts.append(...acts.map((code) => button(form.choice("procedures.procedure", code), () => this.enter("procedures", { procedure: code }), "answer")));
    this.node.append(this.doses, this.acts);
  }

  enter(name, values) {
    const content = Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}.${key}`, value]));
    this.form.sections.get(name).begin(content);
  }

  update() {
    this.node.hidden = this.form.store.readOnly;
    this.doses.hidden = isChild(this.form);
  }
}

// Whether the patient is known to be a child, for whom the doses of adults are wrong.
export function isChild(form) {
  const age = Number(form.store.value("patient.age", null) ?? NaN), unit = form.store.value("patient.age_unit", null);
  return !Number.isNaN(age) && ((unit !== null && unit !== YEARS) || age < form.model.shortcuts.adult_from_years);
}

// The age at the present day: years, below one year months, below one month days; null for no date of a living person.
export function ageOf(birthDate, now = Date.now()) {
  const born = Date.parse(`${birthDate}T00:00:00`);
  if (Number.isNaN(born) || born > now) return null;
  const from = new Date(born), to = new Date(now);
  const months = (to.getFullYear() - from.getFullYear()) * 12 + to.getMonth() - from.getMonth() - (to.getDate() < from.getDate() ? 1 : 0);
  if (months >= 12) return months < 121 * 12 ? { age: String(Math.floor(months / 12)), unit: YEARS } : null;
  if (months >= 1) return { age: String(months), unit: MONTHS };
  return { age: String(Math.max(1, Math.floor((now - born) / DAY_MS))), unit: DAYS };
}

// State the age that follows from the date of birth, unless the crew has stated another one.
export function stateAge(form, birthDate) {
  const found = ageOf(birthDate), { store } = form;
  if (!found) return;
  const stated = store.shown("patient.age", null);
  if (stated.length && stated.at(-1).value !== form.derivedAge) return;
  form.derivedAge = found.age;
  store.set("patient.age", null, { value: found.age });
  store.set("patient.age_unit", null, { value: found.unit });
}

// The bar at the lower edge, with five fixed places within reach of the thumbs: the next time of the mission and the
// treatment at the left, the 12-lead, the devices' measurements and the hand-over at the right.
export class QuickBar {
  constructor(form, node, { encounter, handOver }) { // `handOver`: undefined where the member may not hand over
    this.form = form;
    this.time = button("", () => this.markTime(), "critical");
    this.devices = this.link("#proposals", text("bar.devices"));
    this.badge = this.devices.appendChild(element("span", "badge"));
    const left = element("div", "bar-end"), right = element("div", "bar-end");
    left.append(this.time, this.link("#medications", text("bar.treatment")));
    right.append(this.link("/#twelve", text("bar.twelve")), this.devices);
    if (handOver !== undefined) right.append(this.link(`/handover/${encounter}`, text("bar.handover")));
    node.append(left, right);
  }

  link(href, words) {
    const made = element("a", "critical", words);
    made.href = href;
    return made;
  }

  // The step after the last one that is stated: a step that was left out is entered on the page of times.
  get next() {
    const stated = STEPS.map((step) => this.form.store.shown(`times.${step}`, null).length > 0);
    return STEPS[stated.lastIndexOf(true) + 1] ?? null;
  }

  markTime() {
    const step = this.next;
    if (step) this.form.undo(`times.${step}`, this.form.store.set(`times.${step}`, null, { value: nowText() }));
  }

  update() {
    const step = this.next, { store } = this.form;
    const words = step ? text("bar.time", { step: this.form.title(`times.${step}`) }) : text("bar.times_done");
    if (this.time.textContent !== words) this.time.textContent = words;
    this.time.disabled = step === null || store.readOnly || store.draft === null;
    const open = this.form.proposals.open().length;
    this.badge.textContent = open ? String(open) : "";
  }
}

// What a patient states as "about an hour ago": a time in the past, entered as approximate.
export function agoButtons(field) {
  return field.model.ago_min.map((minutes) => {
    const words = minutes < 60 ? text("field.minutes_ago", { count: minutes }) : text("field.hours_ago", { count: minutes / 60 });
    const made = button(words, () => field.state({ value: nowText(-minutes), negative: "approximate" }), "answer");
    made.setAttribute("aria-label", `${field.form.title(field.key)}: ${words}`);
    return made;
  });
}

// Values that this vehicle's other reports have for a text, one tap each.
export function suggestionButtons(field) {
  return field.form.suggested(field.key).map((value) => button(value, () => field.state({ value }), "answer"));
}

