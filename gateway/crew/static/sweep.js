// One waveform, drawn as a monitor draws it: a trace that sweeps from left to right and erases what it overwrites.
// Speed and gain are fixed (25 mm/s, 10 mm/mV in the tablet's measured millimetre), so that the height of a trace means
// something: noise of 0.1 mV stays 1 mm high. Only a waveform without a unit is fitted to the strip, and is labelled so.
// Samples arrive in messages and are played out evenly, a little later, so that the trace runs smoothly. A frame draws
// only what is new and copies the paper over what the bar erases: twelve traces cost little more than one.
import { pxPerMm } from "./millimetre.js";
import { coloursOf, contextOf, drawGrid, drawMark } from "./paper.js";
import { texts } from "./texts.js";

const text = await texts("live");
const DELAY_S = 0.7;
const AHEAD_S = 4; // arrived and not yet played
const KEPT_S = 60; // the widest screen at the slowest speed
const MARGIN_MM = 12; // for the calibration mark
const GAP = 0.03; // of the strip, erased ahead of the trace
const STALE_MS = 2500; // ten messages without a sample
const LINE_PX = 1.8;
const HEAD_PX = 36; // the words at the upper edge of a strip, which would cover the peaks of a fitted trace

const MILLIVOLTS = { mV: 1, uV: 1e-3, nV: 1e-6, V: 1e3 };
const MM_PER_MV = 10;
const BASELINE = 0.62; // of the height, from the top: most complexes point upwards
const DRIFT_MV = 1; // a trace whose mean moved further is brought back to its place

// By unit: the range of a strip and its mark.
const CO2 = { mmHg: { high: 60, mark: 40 }, kPa: { high: 8, mark: 5 } };

// All sweeps share one frame of the browser.
const sweeps = new Set();

function frame() {
  requestAnimationFrame(frame);
  const now = performance.now();
  for (const sweep of sweeps) sweep.frame(now);
}
requestAnimationFrame(frame);

export class Sweep {
  // `mark` false: no margin with a calibration mark, for a lead among twelve that has one beside it.
  constructor(canvas, clock, { mark = true } = {}) {
    this.canvas = canvas;
    this.clock = clock;
    this.hasMark = mark;
    this.grid = document.createElement("canvas");
    this.clear();
    this.readColours();
    sweeps.add(this);
  }

  stop() { sweeps.delete(this); }

  get idle() { return this.wave === null; }
  get silentMs() { return this.clock.now() - this.extendedAt; }
  get stale() { return this.silentMs > STALE_MS; }
  get speed() { return this.wave?.scale === "co2" ? 12.5 : 25; }

  clear() {
    this.wave = null;
    this.cutOff = false;
    this.extendedAt = this.clock.now();
    this.picture = null; // what is on the canvas: its size, scale and the samples drawn
    this.fit = null;
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

  // The newest `seconds` of samples, oldest first; what is missing at the beginning is NaN.
  newest(seconds) {
    const count = Math.round(seconds / this.wave.period_s), first = this.written - count;
    return Float64Array.from({ length: count }, (_, at) => (first + at < Math.max(0, this.written - this.ring.length) ? NaN : this.ring[(first + at) % this.ring.length]));
  }

  frame(now) {
    if (this.idle || !this.canvas.clientWidth) return;
    const elapsed_s = Math.max(0, Math.min(1, (now - this.frameAt) / 1000));
    this.frameAt = now;
    // Play a little faster when behind and slower when ahead, so that the device's clock and ours may differ.
    // Frames stop while the page is hidden; what was missed is skipped, since a late trace would look like the present.
    let behind_s = (this.written - this.shown) * this.wave.period_s;
    if (behind_s > AHEAD_S) { this.shown = this.written - DELAY_S / this.wave.period_s; behind_s = DELAY_S; }
    const pace = 1 + Math.max(-0.5, Math.min(1, behind_s - DELAY_S));
    this.shown = Math.min(this.written, this.shown + (elapsed_s * pace) / this.wave.period_s);
    this.draw(Math.floor(this.shown));
  }

  // A trace that stands still is not drawn sixty times a second: a tablet would spend its battery on equal pictures.
  draw(end) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const looks = [width, height, devicePixelRatio, pxPerMm(), this.stale, this.baseline].join();
    const skipped = this.picture && end - this.picture.end > this.picture.capacity / 2;
    if (!this.picture || this.picture.looks !== looks || skipped || this.outgrowsFit(end)) this.drawWhole(end, looks, width, height);
    else if (end !== this.picture.end) this.drawNew(end);
  }

  // A fitted waveform gets a new scale when it no longer fits, and at the beginning of each sweep.
  outgrowsFit(end) {
    if (this.fit === null) return false;
    const { capacity, end: drawn } = this.picture;
    for (let at = drawn; at < end; at++) {
      const value = this.ring[at % this.ring.length];
      if (value < this.fit.low || value > this.fit.high) return true;
    }
    return Math.floor(end / capacity) !== Math.floor(drawn / capacity) && this.fitOf(end - capacity, end).span < this.fit.span * 0.7;
  }

  fitOf(first, end) {
    let low = Infinity, high = -Infinity;
    for (let at = Math.max(0, first, this.written - this.ring.length); at < end; at++) {
      const value = this.ring[at % this.ring.length];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(high >= low)) return { low: 0, high: 0, span: 0 };
    const least = 20 * Math.abs(this.wave.slope) || 1, spare = Math.max(high - low, least) * 0.08;
    return { low: low - spare, high: high + spare, span: high - low };
  }

  drawWhole(end, looks, width, height) {
    const ratio = devicePixelRatio || 1, mm = pxPerMm();
    const left = this.hasMark ? MARGIN_MM * mm : 0;
    const capacity = Math.max(2, Math.floor((width - left) / (this.speed * mm * this.wave.period_s)));
    const context = contextOf(this.canvas, width, height, ratio);
    const scale = this.scale(end - capacity, end, height, mm);
    const grid = contextOf(this.grid, width, height, ratio);
    drawGrid(grid, { left, right: width, top: 0, bottom: height, baseline: scale.baseline, speed: this.speed, mm, colours: this.colours });
    if (scale.mark && this.hasMark) drawMark(grid, { x: 2 * mm, baseline: scale.baseline, height: scale.mark * scale.perUnit, label: scale.label, mm, colours: this.colours, floor: height });
    context.clearRect(0, 0, width, height);
    context.drawImage(this.grid, 0, 0, width, height);
    const gap = Math.max(1, Math.round(capacity * GAP));
    this.picture = { looks, width, height, left, capacity, gap, scale, ratio, context, end, perSample: (width - left) / capacity };
    this.cutOff = false;
    const first = Math.max(0, end - capacity, this.written - this.ring.length);
    this.stroke(first + (end - first === capacity ? gap : 0), end);
  }

  drawNew(end) {
    const { end: drawn, capacity, gap, left, perSample, width } = this.picture;
    // The bar runs ahead of the trace: copy the paper from where it stood to where it stands now.
    for (let at = drawn + gap; at < end + gap; ) {
      const place = at % capacity, count = Math.min(end + gap - at, capacity - place);
      this.erase(left + place * perSample, place + count === capacity ? width : left + (place + count) * perSample);
      at += count;
    }
    this.stroke(drawn, end);
    this.picture.end = end;
    if (drawn % capacity > end % capacity) this.cutOff = false; // a new sweep: what was cut off is leaving the strip
  }

  // From a line's breadth earlier, where the round end of an older line may reach into the gap.
  erase(from, to) {
    const { context, ratio, height } = this.picture;
    const x = Math.max(0, Math.floor(from * ratio) - Math.ceil(LINE_PX * ratio)), breadth = Math.ceil(to * ratio) - x, tall = this.grid.height;
    context.clearRect(x / ratio, 0, breadth / ratio, height);
    context.drawImage(this.grid, x, 0, breadth, tall, x / ratio, 0, breadth / ratio, height);
  }

  // The line through the samples from `first` to before `end`, joined to the one before them.
  stroke(first, end) {
    const { context, capacity, left, perSample, height, scale } = this.picture;
    let pen = false;
    context.beginPath();
    for (let at = first > 0 && first % capacity !== 0 ? first - 1 : first; at < end; at++) {
      const place = at % capacity, value = this.ring[at % this.ring.length];
      if (place === 0 || Number.isNaN(value)) pen = false; // a gap in the data is a gap in the line
      if (Number.isNaN(value)) continue;
      let y = scale.zero - value * scale.perUnit;
      if (y < 0 || y > height) { this.cutOff = true; y = Math.max(1, Math.min(height - 1, y)); }
      if (pen) context.lineTo(left + place * perSample, y); else context.moveTo(left + place * perSample, y);
      pen = true;
    }
    context.strokeStyle = this.stale ? this.colours.stale : this.colours.trace;
    context.lineWidth = LINE_PX;
    context.lineJoin = context.lineCap = "round";
    context.stroke();
  }

  // Where zero lies and how many pixels one unit is high.
  scale(first, end, height, mm) {
    if (this.wave.scale === "ecg") {
      const perUnit = MM_PER_MV * mm, baseline = height * (this.hasMark ? BASELINE : 0.5);
      return { zero: baseline + this.baseline * perUnit, perUnit, baseline, mark: 1, label: "1 mV" };
    }
    const range = this.wave.scale === "co2" ? CO2[this.wave.unit] : undefined;
    if (range) {
      const baseline = height - 18;
      return { zero: baseline, perUnit: (baseline - 6) / range.high, baseline, mark: range.mark, label: `${range.mark} ${this.wave.unit}` };
    }
    this.fit = this.fitOf(first, end);
    const head = this.hasMark && height > 2 * HEAD_PX ? HEAD_PX : 0, middle = (head + height) / 2;
    const perUnit = (height - head) / (this.fit.high - this.fit.low || 1);
    return { zero: middle + ((this.fit.high + this.fit.low) / 2) * perUnit, perUnit, baseline: middle };
  }

  // Called when the look of the page may have changed.
  readColours() {
    this.picture = null;
    this.colours = coloursOf(this.canvas);
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
