// The field in which a patient or a receiver signs with a finger or a pen. The lines are stored as a small path, not as a
// picture, after each stroke. A person who cannot draw, or uses a keyboard, enters the name below.
import { button, element } from "./report_parts.js";
import { texts } from "./texts.js";

const text = await texts("report");
const KEY = "record.signature", STATUS = "signatures.status", SIGNED = "4515031";
const WIDTH = 600, HEIGHT = 200, LENGTH_MAX = 4000; // protocols/epcr/annotations.py
const STEP = 4; // points closer to each other are one

export class SignaturePad {
  constructor(form, entry) {
    this.form = form;
    this.entry = entry;
    this.node = element("section", "field signature");
    this.canvas = element("canvas", "signature-field");
    this.canvas.width = WIDTH;
    this.canvas.height = HEIGHT;
    this.canvas.setAttribute("role", "img");
    this.again = button(text("signature.again"), () => { this.path = ""; this.draw(""); }, "quiet");
    this.node.append(element("h3", "", text("signature.title")), this.canvas, element("p", "hint", text("signature.hint")), this.again);
    this.path = null; // lines of this tablet; null: those of the report
    this.canvas.addEventListener("pointerdown", (press) => this.begin(press));
    this.canvas.addEventListener("pointermove", (move) => this.extend(move));
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => this.end());
    addEventListener("lookchange", () => this.draw(this.shown));
    this.update();
  }

  get stored() { return this.form.store.value(KEY, this.entry) ?? ""; }
  get shown() { return this.path ?? this.stored; }

  pointOf({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect(), within = (value, most) => Math.round(Math.min(most, Math.max(0, value)));
    return [within(((clientX - box.left) / box.width) * WIDTH, WIDTH - 1), within(((clientY - box.top) / box.height) * HEIGHT, HEIGHT - 1)];
  }

  begin(press) {
    if (this.form.store.readOnly) return;
    this.canvas.setPointerCapture(press.pointerId);
    this.path ??= this.stored;
    this.last = this.pointOf(press);
    this.stroke = `M${this.last.join(" ")}`;
  }

  extend(move) {
    if (!this.last) return;
    const point = this.pointOf(move);
    if (Math.hypot(point[0] - this.last[0], point[1] - this.last[1]) < STEP) return;
    if (this.path.length + this.stroke.length > LENGTH_MAX - 8) return; // the signature is full, and stays as it is
    this.stroke += `L${point.join(" ")}`;
    this.last = point;
    this.draw(this.path + this.stroke);
  }

  // A touch without a line is no stroke. The first stroke also states that it is signed.
  end() {
    if (!this.last) return;
    this.last = null;
    if (this.stroke.includes("L")) {
      this.path += this.stroke;
      const { store } = this.form;
      store.set(KEY, this.entry, { value: this.path });
      if (!store.shown(STATUS, this.entry).length) store.set(STATUS, this.entry, { value: SIGNED });
    }
    this.draw(this.path);
  }

  draw(path) {
    const paper = this.canvas.getContext("2d");
    paper.clearRect(0, 0, WIDTH, HEIGHT);
    paper.strokeStyle = getComputedStyle(this.canvas).color;
    paper.lineWidth = 3;
    paper.lineJoin = paper.lineCap = "round";
    if (path) paper.stroke(new Path2D(path));
    this.drawn = path;
  }

  update() {
    this.again.disabled = this.form.store.readOnly;
    this.canvas.setAttribute("aria-label", text(this.shown ? "signature.present" : "signature.absent"));
    if (!this.last && this.drawn !== this.shown) this.draw(this.shown);
  }
}
