// One waveform, drawn as a monitor draws it: a trace that sweeps from left to right and erases what it overwrites.
// Speed and gain are fixed (25 mm/s, 10 mm/mV at the browser's own millimetre), so that the height of a trace means
// something: noise of 0.1 mV stays 1 mm high. Only a waveform without a unit is fitted to the strip, and is labelled so.
// Samples arrive four times a second and are played out evenly, a little later, so that the trace runs smoothly.

import { texts } from "./texts.js";

const text = await texts("live");
const PX_PER_MM = 96 / 25.4;
const DELAY_S = 0.7;
const AHEAD_S = 4; // arrived and not yet played
const KEPT_S = 60; // the widest screen at the slowest speed
const MARGIN_MM = 12; // for the calibration mark
const MARK_MM = 5;
const GAP = 0.03; // of the strip, erased ahead of the trace
const STALE_MS = 2500; // ten messages without a sample

const MILLIVOLTS = { mV: 1, uV: 1e-3, nV: 1e-6, V: 1e3 };
const MM_PER_MV = 10;
const BASELINE = 0.62; // of the height, from the top: most complexes point upwards
const DRIFT_MV = 1; // a trace whose mean moved further is brought back to its place

// By unit: the range of a strip and its mark.
const CO2 = { mmHg: { high: 60, mark: 40 }, kPa: { high: 8, mark: 5 } };

export class Sweep {
  constructor(canvas, clock) {
    this.canvas = canvas;
    this.clock = clock;
    this.clear();
    this.readColours();
    requestAnimationFrame(() => this.frame());
  }

  get idle() { return this.wave === null; }
  get silentMs() { return this.clock.now() - this.extendedAt; }
  get stale() { return this.silentMs > STALE_MS; }
  get speed() { return this.wave?.scale === "co2" ? 12.5 : 25; }

  clear() {
    this.wave = null;
    this.cutOff = false;
    this.extendedAt = this.clock.now();
    this.drawn = ""; // the picture on the canvas, as drawIfChanged describes it
  }

  begin(wave, samples, ageMs) {
    this.clear();
    if (!wave || !(wave.period_s > 0)) return;
    this.wave = wave;
    this.ring = new Float64Array(Math.ceil((KEPT_S + AHEAD_S) / wave.period_s)).fill(NaN);
    this.written = 0;
    this.shown = 0;
    this.baseline = NaN;
    this.extend(samples, ageMs);
    this.shown = Math.max(0, this.written - DELAY_S / wave.period_s);
    this.frameAt = performance.now();
  }

  // A trace that stood still is not continued: the line would join two moments.
  extend(samples, ageMs) {
    if (!samples.length) return;
    if (this.written && this.stale) { this.begin(this.wave, samples, ageMs); return; }
    const factor = this.wave.scale === "ecg" ? MILLIVOLTS[this.wave.unit] ?? 1 : 1;
    for (const raw of samples) this.ring[this.written++ % this.ring.length] = factor * (this.wave.slope * raw + this.wave.offset);
    this.extendedAt = this.clock.now() - ageMs;
    this.followBaseline();
  }

  // Electrodes shift the whole trace; a monitor's filter removes that, here the baseline follows. The gain stays.
  followBaseline() {
    const count = Math.min(this.written, Math.round(2 / this.wave.period_s));
    let sum = 0;
    for (let at = this.written - count; at < this.written; at++) sum += this.ring[at % this.ring.length];
    if (!(Math.abs(sum / count - this.baseline) <= DRIFT_MV)) this.baseline = sum / count;
  }

  frame() {
    requestAnimationFrame(() => this.frame());
    if (this.idle) return;
    const now = performance.now();
    const elapsed_s = Math.max(0, Math.min(1, (now - this.frameAt) / 1000));
    this.frameAt = now;
    // Play a little faster when behind and slower when ahead, so that the device's clock and ours may differ.
    // Frames stop while the page is hidden; what was missed is skipped, since a late trace would look like the present.
    let behind_s = (this.written - this.shown) * this.wave.period_s;
    if (behind_s > AHEAD_S) { this.shown = this.written - DELAY_S / this.wave.period_s; behind_s = DELAY_S; }
    const pace = 1 + Math.max(-0.5, Math.min(1, behind_s - DELAY_S));
    this.shown = Math.min(this.written, this.shown + (elapsed_s * pace) / this.wave.period_s);
    this.drawIfChanged(Math.floor(this.shown));
  }

  // A trace that stands still is not drawn sixty times a second: a tablet would spend its battery on equal pictures.
  drawIfChanged(end) {
    const { clientWidth, clientHeight } = this.canvas;
    const looks = [end, this.written, this.stale, clientWidth, clientHeight, devicePixelRatio].join();
    if (looks === this.drawn) return;
    this.drawn = looks;
    this.draw(end);
  }

  draw(end) {
    const canvas = this.canvas, ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const paper = canvas.getContext("2d");
    paper.setTransform(ratio, 0, 0, ratio, 0, 0); // from here on in CSS pixels
    paper.clearRect(0, 0, width, height);
    const left = MARGIN_MM * PX_PER_MM;
    const capacity = Math.max(2, Math.floor((width - left) / (this.speed * PX_PER_MM * this.wave.period_s)));
    const first = Math.max(0, end - capacity, this.written - this.ring.length);
    const scale = this.scale(first, end, height);
    this.drawGrid(paper, width, height, left, scale);
    if (scale.mark) this.drawMark(paper, scale);
    this.drawTrace(paper, { first, end, capacity, left, width, height, scale });
  }

  // Where zero lies and how many pixels one unit is high.
  scale(first, end, height) {
    if (this.wave.scale === "ecg") {
      const perUnit = MM_PER_MV * PX_PER_MM;
      return { zero: height * BASELINE + this.baseline * perUnit, perUnit, baseline: height * BASELINE, mark: 1, label: "1 mV" };
    }
    const range = this.wave.scale === "co2" ? CO2[this.wave.unit] : undefined;
    if (range) {
      const baseline = height - 6;
      return { zero: baseline, perUnit: (baseline - 6) / range.high, baseline, mark: range.mark, label: `${range.mark} ${this.wave.unit}` };
    }
    let low = Infinity, high = -Infinity;
    for (let at = first; at < end; at++) {
      const value = this.ring[at % this.ring.length];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(high >= low)) return { zero: 0, perUnit: 0, baseline: height / 2 };
    const least = 20 * Math.abs(this.wave.slope) || 1;
    const perUnit = height / (Math.max(high - low, least) * 1.15);
    return { zero: height / 2 + ((high + low) / 2) * perUnit, perUnit, baseline: height / 2 };
  }

  // The paper's boxes of 5 mm, stronger at each second.
  drawGrid(paper, width, height, left, { baseline }) {
    const box = 5 * PX_PER_MM, second = this.speed * PX_PER_MM;
    paper.fillStyle = this.colours.grid;
    for (let x = left; x < width; x += box) paper.fillRect(Math.round(x), 0, 1, height);
    for (let y = baseline % box; y < height; y += box) paper.fillRect(left, Math.round(y), width - left, 1);
    paper.fillStyle = this.colours.gridStrong;
    for (let x = left; x < width; x += second) paper.fillRect(Math.round(x), 0, 1, height);
  }

  drawMark(paper, { baseline, perUnit, mark, label }) {
    const x = 2 * PX_PER_MM, width = MARK_MM * PX_PER_MM, top = baseline - mark * perUnit, foot = PX_PER_MM;
    paper.strokeStyle = paper.fillStyle = this.colours.mark;
    paper.lineWidth = 1.5;
    paper.beginPath();
    paper.moveTo(x - foot, baseline);
    for (const [dx, y] of [[0, baseline], [0, top], [width, top], [width, baseline], [width + foot, baseline]]) paper.lineTo(x + dx, y);
    paper.stroke();
    paper.font = "12px system-ui, sans-serif";
    paper.fillText(label, 5, Math.min(baseline + 15, paper.canvas.clientHeight - 2));
  }

  drawTrace(paper, { first, end, capacity, left, width, height, scale }) {
    const gap = Math.round(capacity * GAP), perSample = (width - left) / capacity;
    let pen = false, cutOff = false;
    paper.beginPath();
    for (let at = first + (end - first === capacity ? gap : 0); at < end; at++) {
      const place = at % capacity, value = this.ring[at % this.ring.length];
      if (place === 0 || Number.isNaN(value)) pen = false;
      if (Number.isNaN(value)) continue;
      let y = scale.zero - value * scale.perUnit;
      if (y < 0 || y > height) { cutOff = true; y = Math.max(1, Math.min(height - 1, y)); }
      if (pen) paper.lineTo(left + place * perSample, y); else paper.moveTo(left + place * perSample, y);
      pen = true;
    }
    this.cutOff = cutOff;
    paper.strokeStyle = this.stale ? this.colours.stale : this.colours.trace;
    paper.lineWidth = 1.8;
    paper.lineJoin = "round";
    paper.stroke();
  }

  // Called when the look of the page may have changed.
  readColours() {
    this.drawn = "";
    const style = getComputedStyle(this.canvas);
    const read = (name) => style.getPropertyValue(name).trim();
    this.colours = { trace: style.color, stale: read("--faint"), grid: read("--grid"), gridStrong: read("--grid-strong"), mark: read("--text") };
  }

  // The scale in words, for beside the choice of waveform.
  get scaleWords() {
    const speed = text("strip.speed", { speed: this.speed });
    const cutOff = this.cutOff ? ` · ${text("strip.cut_off")}` : "";
    if (this.wave.scale === "ecg") return `${speed} · ${MM_PER_MV} mm/mV${cutOff}`;
    const range = this.wave.scale === "co2" ? CO2[this.wave.unit] : undefined;
    return range ? `${speed} · 0–${range.high} ${this.wave.unit}${cutOff}` : `${speed} · ${text("strip.not_to_scale")}`;
  }
}
