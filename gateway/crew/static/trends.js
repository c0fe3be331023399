// Trends over the call: one plot for each parameter on a common axis of time, marks of events across all of them, and
// the blood pressures as a table. The gateway keeps them (gateway/crew/trends.py); this view reads them while it is shown.
import { coloursOf, contextOf } from "./paper.js";
import { texts } from "./texts.js";
import { age, timeOfDay } from "./words.js";

const text = await texts("live");
const READ_EVERY_MS = 10_000;
const WINDOWS_S = [900, 3600, 6 * 3600];
const MARGIN_PX = 48, RIGHT_PX = 12;
const GAP_STEPS = 2.5; // points further apart are not joined

const clockTime = (age_s) => timeOfDay(age_s * 1000);

export class TrendsView {
  constructor(section, shownIds) {
    this.section = section;
    this.shownIds = shownIds; // () → ids of the channels that the tiles show
    this.plots = section.querySelector(".plots");
    this.marks = section.querySelector(".marks");
    this.pressures = section.querySelector(".pressures tbody");
    this.state = section.querySelector(".trends-state");
    this.window = section.querySelector("#trend-window");
    this.shown = false;
    this.read = null;
    this.window.addEventListener("change", () => this.draw());
    for (const event of ["lookchange", "resize"]) addEventListener(event, () => { if (this.shown) this.draw(); });
  }

  show(shown) {
    this.shown = shown;
    clearInterval(this.timer);
    if (!shown) return;
    this.load();
    this.timer = setInterval(() => this.load(), READ_EVERY_MS);
  }

  async load() {
    try {
      const response = await fetch("/trends");
      if (!response.ok) throw new Error(response.statusText);
      this.read = await response.json();
      this.readAt = performance.now();
      this.state.textContent = this.read.series.length || this.read.pressures.length ? text("trends.kept", { hours: this.read.hours_max }) : text("trends.none");
    } catch {
      this.state.textContent = text("trends.unreachable");
    }
    if (this.read && this.shown) this.draw();
  }

  // One series for each parameter: that of the source whose value the tile shows, otherwise the one with the newest point.
  chosen() {
    const ids = this.shownIds(), by = new Map();
    for (const each of this.read.series) {
      const known = by.get(each.tile);
      const better = !known || (ids.has(each.id) && !ids.has(known.id)) || (ids.has(each.id) === ids.has(known.id) && newestAge(each) < newestAge(known));
      if (better) by.set(each.tile, each);
    }
    return [...by.values()].sort((a, b) => a.order - b.order);
  }

  draw() {
    if (!this.read) return;
    const window_s = Number(this.window.value) || WINDOWS_S[1], series = this.chosen();
    const late_s = (performance.now() - this.readAt) / 1000;
    this.plots.replaceChildren(...series.map((each) => this.figureOf(each)));
    series.forEach((each, at) => drawPlot(this.plots.children[at].querySelector("canvas"), each, this.read, window_s, late_s));
    const marks = this.read.marks.filter((each) => each.age_s <= window_s).reverse();
    this.marks.replaceChildren(...marks.map((each) => row("li", `${clockTime(each.age_s)} · ${each.words}`)));
    this.marks.parentElement.hidden = marks.length === 0;
    this.pressures.replaceChildren(...[...this.read.pressures].reverse().map((each) => {
      const line = document.createElement("tr");
      line.append(row("td", clockTime(each.age_s)), row("td", each.text), row("td", age(each.age_s * 1000)), row("td", each.device));
      return line;
    }));
    this.pressures.parentElement.parentElement.hidden = this.read.pressures.length === 0;
  }

  figureOf(series) {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption"), canvas = document.createElement("canvas");
    const last = series.points.at(-1);
    figure.className = `plot ${series.colour}`;
    caption.textContent = `${series.label} ${series.unit} · ${series.device}`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", text("trends.plot", { label: series.label, last: last ? last[3] : "–", unit: series.unit }));
    figure.append(caption, canvas);
    return figure;
  }
}

function newestAge(series) { return series.points.at(-1)?.[0] ?? Infinity; }

function row(tag, words) {
  const made = document.createElement(tag);
  made.textContent = words;
  return made;
}

// The scale of a plot: round limits around everything that is shown, at least ten units.
function limitsOf(points, unit) {
  let low = Math.min(...points.map((each) => each[1])), high = Math.max(...points.map((each) => each[2]));
  if (!Number.isFinite(low)) return { low: 0, high: 100 };
  const step = high - low > 60 ? 20 : 5;
  low = Math.floor(low / step) * step;
  high = Math.max(low + 2 * step, Math.ceil(high / step) * step);
  return { low, high: unit === "%" ? Math.min(high, 100) : high };
}

function drawPlot(canvas, series, { marks, step_s }, window_s, late_s) {
  const width = canvas.clientWidth, height = canvas.clientHeight, colours = coloursOf(canvas);
  const paper = contextOf(canvas, width, height, devicePixelRatio || 1);
  const points = series.points.filter((each) => each[0] <= window_s), { low, high } = limitsOf(points, series.unit);
  const x = (age_s) => width - RIGHT_PX - ((age_s + late_s) / window_s) * (width - MARGIN_PX - RIGHT_PX);
  const y = (value) => height - 18 - ((value - low) / (high - low)) * (height - 26);
  paper.font = "12px system-ui, sans-serif";
  paper.fillStyle = colours.mark;
  for (const value of [low, (low + high) / 2, high]) {
    paper.fillText(String(value), 4, y(value) + 4);
    paper.save();
    paper.fillStyle = colours.gridStrong;
    paper.fillRect(MARGIN_PX, Math.round(y(value)), width - MARGIN_PX - RIGHT_PX, 1);
    paper.restore();
  }
  for (const share of [0, 0.5, 1]) {
    const words = clockTime(window_s * share);
    paper.fillText(words, Math.max(MARGIN_PX, Math.min(x(window_s * share) - 16, width - 40)), height - 3);
  }
  paper.save();
  paper.setLineDash([4, 3]);
  paper.strokeStyle = colours.mark;
  for (const mark of marks.filter((each) => each.kind !== "connected" && each.kind !== "disconnected" && each.age_s <= window_s)) {
    paper.beginPath();
    paper.moveTo(x(mark.age_s), 4);
    paper.lineTo(x(mark.age_s), height - 18);
    paper.stroke();
  }
  paper.restore();
  paper.strokeStyle = paper.fillStyle = colours.trace;
  paper.lineWidth = 2;
  paper.lineJoin = "round";
  paper.beginPath();
  points.forEach(([age_s, lowest, highest, last], at) => {
    const joined = at > 0 && points[at - 1][0] - age_s <= GAP_STEPS * step_s;
    if (joined) paper.lineTo(x(age_s), y(last)); else paper.moveTo(x(age_s), y(last));
    if (!joined) paper.fillRect(x(age_s) - 1.5, y(last) - 1.5, 3, 3);
    if (highest > lowest) { paper.moveTo(x(age_s), y(lowest)); paper.lineTo(x(age_s), y(highest)); paper.moveTo(x(age_s), y(last)); }
  });
  paper.stroke();
}
