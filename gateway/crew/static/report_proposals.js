// The page of what the devices measured and did, to be accepted: one tap each, or all at once. What is set aside stays in
// the report's log, and can be offered again.
import { button, clock, element } from "./report_parts.js";
import { Section } from "./report_sections.js";
import { nowText } from "./report_store.js";
import { texts } from "./texts.js";

const text = await texts("report");
const DISMISSED = "record.dismissed";
const REQUEST_MAX = 16; // proposals of one request
const UNSHOWN = /\.(time|serial_number|.*_method)$/;

export class ProposalsSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.all = button("", () => this.acceptAll(), "go");
    this.list = element("div", "entries");
    this.empty = element("p", "nothing", text("proposals.none"));
    this.aside = element("details", "aside");
    this.asideTitle = element("summary");
    this.asideList = element("div", "entries");
    this.aside.append(this.asideTitle, this.asideList);
    this.devices = element("div", "holding");
    this.devicesState = element("p", "", "");
    this.takeNow = button(text("devices.now"), () => this.takeDevices("now"), "go");
    this.takeSinceOpening = button(text("devices.opening"), () => this.takeDevices("opening"), "answer");
    this.devices.append(this.devicesState, this.takeNow, this.takeSinceOpening);
    this.node.append(this.devices, this.all, this.empty, this.list, this.aside);
    this.found = [];
    this.holding = null; // "here", "elsewhere" or "free": which report the devices measure for
    this.taken = new Set();
  }

  get isOver() { return this.store.sealed || this.store.closed; }
  isDismissed({ id }) { return this.store.value(DISMISSED, id) === "dismissed"; }
  pending() { return this.found.filter((each) => !this.taken.has(each.id)); }
  open() { return this.pending().filter((each) => !this.isDismissed(each)); }
  acceptable() { return this.open().filter((each) => each.kind !== "alarm"); } // an alarm is accepted by itself
  acceptAll() { return this.accept(this.acceptable().map((each) => each.id)); }

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
    this.form.tell();
    for (let at = 0; at < ids.length; at += REQUEST_MAX) {
      try {
        const reply = await this.store.post("proposals", { accept: ids.slice(at, at + REQUEST_MAX), device_time: nowText() });
        if (!reply.ok) throw new Error();
      } catch {
        for (const id of ids.slice(at)) this.taken.delete(id);
        this.form.say(text("proposals.not_accepted"));
        break;
      }
    }
    this.load();
  }

  decide({ id }, value) {
    this.store.set(DISMISSED, id, { value });
    if (value === "dismissed") this.form.undo(DISMISSED, () => this.store.set(DISMISSED, id, { value: "offered" }) !== null);
  }

  update() {
    const open = this.open(), aside = this.pending().filter((each) => this.isDismissed(each)), count = this.acceptable().length;
    this.devices.hidden = this.holding === null || this.isOver;
    this.devicesState.textContent = this.holding === null ? "" : text(`devices.${this.holding}`);
    this.takeNow.hidden = this.takeSinceOpening.hidden = this.holding === "here";
    this.empty.hidden = open.length > 0;
    this.all.hidden = count < 2 || this.isOver;
    this.all.textContent = text("proposals.accept_all", { count });
    this.aside.hidden = aside.length === 0;
    const sign = `${open.map((each) => each.id).join()};${aside.map((each) => each.id).join()}${this.isOver}`;
    if (sign === this.sign) return;
    this.sign = sign;
    this.asideTitle.textContent = text("proposals.aside", { count: aside.length });
    this.list.replaceChildren(...open.map((proposal) => this.card(proposal, [
      button(text("proposals.accept"), () => this.accept([proposal.id]), "go"),
      button(text("proposals.dismiss"), () => this.decide(proposal, "dismissed"), "quiet"),
    ])));
    this.asideList.replaceChildren(...aside.map((proposal) => this.card(proposal, [
      button(text("proposals.offer"), () => this.decide(proposal, "offered"), "answer"),
    ])));
  }

  card(proposal, acts) {
    const card = element("article", "entry-card proposal");
    const uncertain = proposal.uncertainty_ms === null ? text("proposals.time_unknown") : text("proposals.uncertainty", { seconds: (proposal.uncertainty_ms / 1000).toLocaleString(document.documentElement.lang) });
    const words = element("div", "proposal-words");
    words.append(
      element("strong", "", `${clock(proposal.at)} ${text(`proposals.kinds.${proposal.kind}`)}`),
      element("span", "", proposal.values.filter((each) => !UNSHOWN.test(each.key)).map((each) => this.valueWords(each)).join(" · ")),
      element("small", "", [proposal.devices.join(", "), uncertain, proposal.device_time && text("proposals.device_time", { time: proposal.device_time })].filter(Boolean).join(" · ")),
    );
    card.append(words);
    if (!this.isOver) card.append(...acts);
    return card;
  }

  valueWords({ key, value, marks }) {
    const words = this.form.answer(key, value);
    return marks.length ? `${words} (${marks.map((mark) => this.form.textOr(`marks.${mark}`, mark.replaceAll(/[-_]/g, " "))).join(", ")})` : words;
  }
}
