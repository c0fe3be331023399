// One waveform, drawn as a monitor draws it: a trace that sweeps from left to right and wipes what is six seconds old.
// Samples arrive four times a second in lumps and are played out evenly, a little later, so that the trace runs smoothly.

const WINDOW_S = 6;
const DELAY_S = 0.7;
const AHEAD_S = 4;

export class Sweep {
  constructor(canvas) {
    this.canvas = canvas;
    this.wave = null;
    this.extendedAt = performance.now();
    requestAnimationFrame(() => this.frame());
  }

  get idle() { return this.wave === null; }
  get silentMs() { return performance.now() - this.extendedAt; }

  begin(wave, samples) {
    if (!wave || !(wave.period_s > 0)) return;
    this.wave = wave;
    this.capacity = Math.max(2, Math.round(WINDOW_S / wave.period_s));
    // Longer than what is shown: what has arrived and is not yet played must not overwrite the oldest of the trace.
    this.ring = new Float64Array(this.capacity + Math.ceil(AHEAD_S / wave.period_s)).fill(NaN);
    this.written = 0;
    this.shown = 0;
    this.extend(samples.slice(-this.capacity));
    this.shown = Math.max(0, this.written - DELAY_S / wave.period_s);
    this.frameAt = performance.now();
  }

  extend(samples) {
    for (const raw of samples) this.ring[this.written++ % this.ring.length] = this.wave.slope * raw + this.wave.offset;
    if (samples.length) this.extendedAt = performance.now();
  }

  frame() {
    requestAnimationFrame(() => this.frame());
    if (this.idle) return;
    const now = performance.now();
    const elapsed_s = Math.min(1, (now - this.frameAt) / 1000);
    this.frameAt = now;
    // Play a little faster when behind and slower when ahead, so that the device's clock and ours may differ.
    const behind_s = (this.written - this.shown) * this.wave.period_s;
    const pace = 1 + Math.max(-0.5, Math.min(1, behind_s - DELAY_S));
    this.shown = Math.min(this.written, this.shown + (elapsed_s * pace) / this.wave.period_s);
    this.draw(Math.floor(this.shown));
  }

  draw(end) {
    const canvas = this.canvas;
    const ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const paper = canvas.getContext("2d");
    paper.clearRect(0, 0, width, height);
    this.grid(paper, width, height, ratio);
    const first = Math.max(0, end - this.capacity, this.written - this.ring.length);
    let low = Infinity, high = -Infinity;
    for (let at = first; at < end; at++) {
      const value = this.ring[at % this.ring.length];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(high >= low)) return;
    // A flat line is drawn flat: noise must not be blown up to the height of the canvas.
    const least = 20 * Math.abs(this.wave.slope) || 1;
    const middle = (high + low) / 2, span = Math.max(high - low, least) * 1.15;
    const gap = Math.round(this.capacity * 0.03);
    paper.beginPath();
    let pen = false;
    for (let at = first + gap; at < end; at++) {
      const place = at % this.capacity, value = this.ring[at % this.ring.length];
      if (place === 0 || Number.isNaN(value)) pen = false;
      if (Number.isNaN(value)) continue;
      const x = (place / this.capacity) * width, y = height * (0.5 - (value - middle) / span);
      if (pen) paper.lineTo(x, y); else paper.moveTo(x, y);
      pen = true;
    }
    paper.strokeStyle = getComputedStyle(canvas).getPropertyValue("--trace") || "#6df28f";
    paper.lineWidth = 1.8 * ratio;
    paper.lineJoin = "round";
    paper.stroke();
  }

  // A line every second and, fainter, every fifth of one.
  grid(paper, width, height, ratio) {
    for (let tick = 1; tick < WINDOW_S * 5; tick++) {
      paper.fillStyle = tick % 5 ? "#10202699" : "#1c333c";
      paper.fillRect(Math.round((tick / (WINDOW_S * 5)) * width), 0, ratio, height);
    }
  }
}
