// The number pad: digits, the last value of the field, and its fixed unit. One pad serves all fields.
import { button, clock, element } from "./report_parts.js";
import { texts } from "./texts.js";

const text = await texts("report");

export class NumberPad {
  constructor() {
    this.node = element("dialog", "pad");
    this.title = element("h2");
    this.last = button("", () => { this.digits = this.last.dataset.value; this.draw(); }, "quiet");
    this.shown = element("output", "pad-value");
    const keys = element("div", "keypad");
    for (const digit of "123456789") keys.append(button(digit, () => this.press(digit)));
    this.point = button(".", () => this.press("."));
    const erase = button("⌫", () => { this.digits = this.digits.slice(0, -1); this.draw(); });
    erase.setAttribute("aria-label", text("pad.erase"));
    keys.append(this.point, button("0", () => this.press("0")), erase);
    this.problem = element("p", "message");
    this.problem.setAttribute("role", "alert");
    const ends = element("div", "pad-ends");
    ends.append(button(text("pad.cancel"), () => this.node.close(), "quiet"), this.enter = button(text("pad.enter"), () => this.take(), "go"));
    this.node.append(this.title, this.last, this.shown, keys, this.problem, ends);
    this.node.addEventListener("keydown", (press) => {
      if (/^[0-9]$/.test(press.key) || press.key === ".") this.press(press.key);
      else if (press.key === "Backspace") { this.digits = this.digits.slice(0, -1); this.draw(); }
      else if (press.key === "Enter" && !press.target.closest("button")) this.take();
      else return;
      press.preventDefault();
    });
    document.body.append(this.node);
  }

  open(field) {
    this.field = field;
    this.digits = "";
    this.title.textContent = field.form.title(field.key);
    const last = field.form.last(field.key, field.entry);
    this.last.hidden = last === null;
    if (last) {
      this.last.dataset.value = last.value;
      this.last.textContent = text("pad.last", { value: last.value, time: last.time ? clock(last.time) : "" });
    }
    this.point.disabled = field.model.places === 0;
    this.problem.textContent = "";
    this.draw();
    this.node.showModal();
    this.enter.focus();
  }

  press(digit) {
    if (this.digits.length >= 12 || (digit === "." && (this.point.disabled || this.digits.includes(".")))) return;
    this.digits = digit === "." && !this.digits ? "0." : this.digits + digit;
    this.problem.textContent = "";
    this.draw();
  }

  draw() { this.shown.textContent = `${this.digits || this.field.value || "–"} ${this.field.unit}`.trim(); }

  take() {
    const { least, most, places } = this.field.model, number = Number(this.digits);
    if (this.digits === "") { this.node.close(); return; }
    const decimals = this.digits.split(".")[1]?.length ?? 0;
    if (number < least || number > most || decimals > places) {
      this.problem.textContent = text("pad.out_of_range", { least, most, places });
      return;
    }
    this.field.state({ value: this.field.spell(number) });
    this.node.close();
  }
}
