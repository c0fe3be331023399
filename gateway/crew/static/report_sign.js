// The page of the signature: conflicts to decide first, the signature, and addenda after it.
import { button, element } from "./report_parts.js";
import { Section } from "./report_sections.js";
import { nowText } from "./report_store.js";
import { texts } from "./texts.js";

const text = await texts("report");
const SAVED_MS = 10_000; // an entry that takes longer to be saved has no contact
const LONG_MINUTES = 24 * 60; // a report of yesterday is not late by minutes any more

export class SignSection extends Section {
  constructor(form, model) {
    super(form, model);
    this.isSigning = false;
    this.state = element("p");
    this.arrival = element("p", "since-arrival");
    this.conflicts = element("div", "entries");
    this.sign = button(text("sign.act"), () => this.act(), "go critical");
    this.reason = element("input", "text");
    this.reason.maxLength = 255;
    this.reason.setAttribute("aria-label", text("sign.reason"));
    this.reason.placeholder = text("sign.reason");
    this.begin = button(text("sign.addendum"), () => { if (this.reason.value.trim()) this.store.giveReason(this.reason.value.trim()); }, "go");
    this.addendum = element("div", "number");
    this.addendum.append(this.reason, this.begin);
    this.node.append(this.state, this.arrival, this.conflicts, this.sign, this.addendum);
  }

  // A tap on the button ends the typing in a text, which is saved first: a button that was disabled meanwhile would
  // lose the tap.
  async act() {
    const known = new Set(this.store.refused);
    this.isSigning = true;
    this.form.tell();
    try {
      if (!(await this.store.saved(SAVED_MS))) throw new Error();
      // An entry that was refused only now is not in the report, and the signer has not seen that.
      const isRefused = this.store.refused.some((each) => !known.has(each));
      const reply = isRefused ? null : await this.store.post("signature", { device_time: nowText() });
      if (isRefused) this.form.say(text("sign.refused.failed"));
      else if (!reply.ok) {
        const code = (await reply.json().catch(() => ({}))).refused?.[0]?.code;
        this.form.say(this.form.textOr(`sign.refused.${code}`, text("sign.refused.failed")));
      }
    } catch { this.form.say(text("sign.refused.store_full")); }
    this.isSigning = false;
    this.form.tell();
  }

  // How long the report takes after the arrival: what crews are measured by, and what they fear of a form.
  drawArrival() {
    const { store } = this, arrived = Date.parse(store.value("times.at_destination", null) ?? "");
    const signed = store.sealed ? store.entries("signatures")[0]?.time : null;
    const count = Math.floor(((signed || Date.now()) - arrived) / 60_000);
    this.arrival.hidden = !(count >= 0 && count < LONG_MINUTES);
    if (!this.arrival.hidden) this.arrival.textContent = text(`sign.${signed ? "after" : "since"}_arrival`, { count });
  }

  update() {
    this.drawArrival();
    const { store } = this, conflicts = store.draft?.conflicts ?? [], gaps = store.draft?.gaps.length ?? 0;
    this.state.textContent = store.closed ? text("sign.closed")
      : store.sealed ? text(store.addendum ? "sign.writing_addendum" : "sign.sealed") : text("sign.open", { count: gaps });
    this.sign.hidden = store.sealed || store.closed;
    this.sign.disabled = conflicts.length > 0 || this.isSigning;
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
