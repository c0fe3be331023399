// Pairing of a device on the tablet: what advertises nearby by name and signal, and the questions of the pairing. The
// gateway pairs (gateway/crew/pairing.py); this page shows its state while it is open, so that two tablets see the same.
import { texts } from "./texts.js";

const text = await texts("pairing");
const POLL_MS = 1000;
const STRONG_DBM = -60, WEAK_DBM = -80; // a device in the hand, and one at the other end of the vehicle

function element(tag, className = "", words = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = words;
  return made;
}

function button(words, act, className = "") {
  const made = element("button", className, words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

function signalOf(rssi) { return rssi >= STRONG_DBM ? "strong" : rssi >= WEAK_DBM ? "medium" : "weak"; }

class Pairing {
  constructor(section) {
    this.list = section.querySelector("ul");
    this.state = section.querySelector(".pairing-state");
    this.asked = section.querySelector(".pairing-question");
    this.written = "";
    // The live page stays open when it is locked: a request without a member would lead it to the sign-in.
    addEventListener("crew-lock", () => { this.locked = true; clearInterval(this.timer); });
    section.addEventListener("toggle", () => this.follow(section));
    this.follow(section); // it may have been opened before this script was loaded
  }

  // The list is read while the section is open.
  follow(section) {
    clearInterval(this.timer);
    if (!section.open || this.locked) return;
    this.load();
    this.timer = setInterval(() => this.load(), POLL_MS);
  }

  async load() { await this.send("/pairing"); }

  async send(path, body) {
    try {
      const reply = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      if (this.locked) return;
      if (reply.status === 401) { location.assign("/sign-in"); return; }
      if (reply.ok) this.draw(await reply.json());
    } catch { this.say(text("unreached")); }
  }

  say(words) { if (this.state.textContent !== words) this.state.textContent = words; }

  draw({ usable, heard, pairing }) {
    const running = pairing !== null && pairing.done === null && !pairing.failed;
    const name = heard.find((each) => each.address === pairing?.address)?.name || pairing?.address;
    this.say(!usable ? text("unusable") : !pairing ? text(heard.length ? "choose" : "none")
      : pairing.done !== null ? text("done", { name: pairing.done })
        : pairing.failed ? text(`failed.${pairing.failed}`) : text(`steps.${pairing.step}`, { name }));
    this.drawQuestion(pairing, name, heard);
    const written = JSON.stringify([heard.map((each) => [each.address, each.name, each.paired, signalOf(each.rssi)]), running]);
    if (written === this.written) return;
    this.written = written;
    this.list.replaceChildren(...heard.map((each) => this.row(each, running)));
  }

  row({ address, name, rssi, paired, measures, namesake_of: namesake }, running) {
    const row = element("li");
    const act = button(text(paired ? "again" : "pair"), () => this.send("/pairing", { address }), measures ? "go" : "");
    act.disabled = running;
    act.setAttribute("aria-label", `${act.textContent}: ${name || address}`);
    const words = [text(`signal.${signalOf(rssi)}`), address, paired && text("paired"), !measures && text("other")].filter(Boolean).join(" · ");
    row.append(element("strong", "", name || text("unnamed")), element("span", "state", words));
    if (namesake) row.append(element("span", "state warn", text("namesake", { address: namesake })));
    row.append(act);
    return row;
  }

  // Drawn once for each question, so that digits which are being typed stay.
  drawQuestion(pairing, name, heard) {
    const sign = pairing?.question ? `${pairing.address} ${pairing.question} ${pairing.digits}` : "";
    if (this.sign === sign) return;
    this.sign = sign;
    this.asked.replaceChildren();
    if (!sign) return;
    const answer = (value) => this.send("/pairing/reply", { reply: value });
    const no = button(text("cancel"), () => answer(null), "quiet");
    if (pairing.question === "passkey") {
      const digits = element("input", "text");
      digits.inputMode = "numeric";
      digits.maxLength = 6;
      digits.autocomplete = "off";
      digits.setAttribute("aria-label", text("questions.passkey"));
      this.asked.append(element("p", "", text("questions.passkey")), digits, button(text("enter"), () => answer(digits.value), "go critical"), no);
      digits.focus();
      return;
    }
    const warnings = heard.filter((each) => each.address === pairing.address && each.paired).map(() => text("known"));
    this.asked.append(
      element("p", "", [...warnings, text(`questions.${pairing.question}`, { name, address: pairing.address, digits: pairing.digits })].join(" ")),
      button(text(pairing.question === "compare" ? "same" : "confirm"), () => answer(true), "go critical"), no,
    );
  }
}

const section = document.getElementById("pairing");
if (section) new Pairing(section);
