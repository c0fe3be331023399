// The twelve leads: each sweeps in its own cell, in the order of ECG paper, with lead II as the rhythm strip below. A
// snapshot holds the last ten seconds as a printed 12-lead shows them: 2.5 s of each lead, one column after the other,
// and ten seconds of lead II. Rows are at least 2 mV apart, so that a tall complex does not cross the label above it.
import { pxPerMm } from "./millimetre.js";
import { coloursOf, contextOf, drawGrid, drawMark } from "./paper.js";
import { Sweep } from "./sweep.js";
import { language, texts } from "./texts.js";
import { deviceName } from "./words.js";

const text = await texts("live");
const ROWS = [["I", "aVR", "V1", "V4"], ["II", "aVL", "V2", "V5"], ["III", "aVF", "V3", "V6"]];
const ORDER = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]; // down the columns of paper
const RHYTHM = "II";
const COLUMN_S = 2.5, RECORD_S = 10;
const SPEED = 25, MM_PER_MV = 10;
const ROW_MV = 2, ROW_MV_MOST = 3.5; // distance of two rows, as much as the screen has room for
const MARGIN_MM = 14; // for the calibration pulse
const LABEL_PX = 16;

function leadCell(lead) {
  const cell = document.createElement("figure"), caption = document.createElement("figcaption"), canvas = document.createElement("canvas");
  cell.className = "lead ecg";
  cell.dataset.lead = lead;
  caption.textContent = lead;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text("twelve.lead", { lead }));
  cell.append(canvas, caption);
  return { cell, canvas };
}

export class TwelveLeads {
  constructor(section, clock) {
    this.section = section;
    this.clock = clock;
    this.live = section.querySelector(".leads");
    this.rhythmPlace = section.querySelector(".rhythm");
    this.picture = section.querySelector(".snapshot canvas");
    this.about = section.querySelector(".snapshot figcaption");
    this.state = section.querySelector(".twelve-state");
    this.stored = section.querySelector(".twelve-stored");
    this.take = section.querySelector("[data-take]");
    this.back = section.querySelector("[data-back]");
    this.cells = new Map(); // by lead, and "rhythm"
    this.ids = {}; // lead → id of its waveform
    this.frozen = null;
    this.take.addEventListener("click", () => this.freeze());
    this.back.addEventListener("click", () => this.thaw());
    addEventListener("lookchange", () => { for (const { sweep } of this.cells.values()) sweep.readColours(); this.drawSnapshot(); });
    addEventListener("resize", () => this.drawSnapshot());
  }

  // A whole picture: `leads` has the id of the waveform of each lead that the device sends.
  begin(waves, leads, traces) {
    this.ids = leads;
    const wanted = ORDER.filter((lead) => lead in leads).map((lead) => [lead, lead]);
    if (RHYTHM in leads) wanted.push(["rhythm", RHYTHM]);
    const gone = new Set(this.cells.keys());
    for (const [name, lead] of wanted) {
      gone.delete(name);
      if (!this.cells.has(name)) this.add(name, lead);
      const trace = traces.find((each) => each.id === leads[lead]);
      const { sweep } = this.cells.get(name);
      sweep.clear();
      if (trace) { this.device = waves.get(trace.id)?.device; sweep.begin(waves.get(trace.id), trace.samples, trace.age_ms); }
    }
    for (const name of gone) this.remove(name);
    this.take.disabled = wanted.length === 0;
  }

  add(name, lead) {
    const { cell, canvas } = leadCell(lead);
    if (name === "rhythm") this.rhythmPlace.append(cell);
    else {
      const after = [...this.live.children].find((each) => ORDER.indexOf(each.dataset.lead) > ORDER.indexOf(lead));
      this.live.insertBefore(cell, after ?? null);
    }
    this.cells.set(name, { cell, sweep: new Sweep(canvas, this.clock, { mark: name === "rhythm" }) });
  }

  remove(name) {
    const { cell, sweep } = this.cells.get(name);
    sweep.stop();
    cell.remove();
    this.cells.delete(name);
  }

  extend(waves, traces) {
    for (const [name, { sweep }] of this.cells) {
      const trace = traces.find((each) => each.id === this.ids[name === "rhythm" ? RHYTHM : name]);
      if (!trace) continue;
      if (sweep.idle) sweep.begin(waves.get(trace.id), trace.samples, trace.age_ms);
      else sweep.extend(trace.samples, trace.age_ms);
    }
  }

  draw(devices, silent) {
    this.devices = devices;
    let stale = 0;
    for (const { cell, sweep } of this.cells.values()) {
      const old = silent || sweep.stale;
      cell.classList.toggle("stale", old);
      if (old) stale++;
    }
    const missing = ORDER.filter((lead) => !this.cells.has(lead));
    let words = "";
    if (missing.length === 12) words = text("twelve.none");
    else if (stale) words = text("twelve.stale");
    else if (missing.length) words = text("twelve.missing", { leads: missing.join(", ") });
    if (this.state.textContent !== words) this.state.textContent = words;
    this.state.hidden = words === "";
  }

  freeze() {
    const leads = {};
    for (const [name, { sweep }] of this.cells) if (name !== "rhythm" && !sweep.idle) leads[name] = { values: sweep.newest(RECORD_S), period_s: sweep.wave.period_s };
    this.frozen = { leads, at: new Date(), device: this.device ? deviceName(this.device, this.devices ?? new Map()) : "" };
    this.section.classList.add("frozen");
    this.drawSnapshot();
    this.back.focus();
    this.store();
  }

  // The samples are in the gateway's store; the report gets the time of the snapshot.
  async store() {
    const taken = this.frozen;
    let words = "twelve.sign_in";
    if (document.body.dataset.member !== undefined) {
      words = "twelve.not_stored";
      try {
        const response = await fetch("/snapshot", { method: "POST" });
        if (response.ok) words = "twelve.stored";
        else if (response.status === 409) words = "twelve.no_report";
      } catch { /* no contact: not stored */ }
    }
    if (this.frozen !== taken) return;
    this.stored.textContent = text(words);
    this.stored.hidden = false;
  }

  thaw() {
    this.frozen = null;
    this.stored.hidden = true;
    this.section.classList.remove("frozen");
    this.take.focus();
  }

  // The picture at the true scale where the screen is wide enough, otherwise at the largest that fits, which it states.
  drawSnapshot() {
    if (!this.frozen || !this.picture.clientWidth) return;
    const width = this.picture.clientWidth, ratio = devicePixelRatio || 1, full = pxPerMm();
    const share = Math.min(1, width / ((MARGIN_MM + RECORD_S * SPEED) * full)), mm = full * share;
    const room = (this.section.clientHeight - this.picture.getBoundingClientRect().top + this.section.getBoundingClientRect().top - LABEL_PX - 8) / 4;
    const rowHeight = Math.max(ROW_MV * MM_PER_MV * mm, Math.min(ROW_MV_MOST * MM_PER_MV * mm, room)), height = 4 * rowHeight + LABEL_PX;
    const paper = contextOf(this.picture, width, height, ratio), colours = coloursOf(this.picture);
    const left = MARGIN_MM * mm, right = left + RECORD_S * SPEED * mm;
    drawGrid(paper, { left: 0, right, top: 0, bottom: height, baseline: rowHeight / 2 + LABEL_PX, speed: SPEED, mm, colours });
    ROWS.forEach((row, at) => {
      const baseline = LABEL_PX + (at + 0.5) * rowHeight;
      drawMark(paper, { x: 3 * mm, baseline: baseline + 5 * mm, height: MM_PER_MV * mm, label: "", mm, colours, floor: height });
      row.forEach((lead, column) => this.drawLead(paper, colours, { lead, from_s: column * COLUMN_S, to_s: (column + 1) * COLUMN_S, left, mm, baseline }));
    });
    const baseline = LABEL_PX + 3.5 * rowHeight;
    drawMark(paper, { x: 3 * mm, baseline: baseline + 5 * mm, height: MM_PER_MV * mm, label: "", mm, colours, floor: height });
    this.drawLead(paper, colours, { lead: RHYTHM, from_s: 0, to_s: RECORD_S, left, mm, baseline });
    const scale = share < 1 ? text("twelve.reduced", { percent: Math.floor(share * 100) }) : text("twelve.true_scale");
    this.about.textContent = text("twelve.about", { time: this.frozen.at.toLocaleTimeString(language, { hourCycle: "h23" }), device: this.frozen.device, scale });
  }

  drawLead(paper, colours, { lead, from_s, to_s, left, mm, baseline }) {
    const x = (s) => left + s * SPEED * mm, found = this.frozen.leads[lead];
    if (found) {
      const finite = found.values.filter(Number.isFinite).sort(), middle = finite[Math.floor(finite.length / 2)] ?? 0;
      let pen = false;
      paper.beginPath();
      for (let at = Math.round(from_s / found.period_s); at < Math.min(found.values.length, to_s / found.period_s); at++) {
        const value = found.values[at];
        if (!Number.isFinite(value)) { pen = false; continue; }
        const y = baseline - (value - middle) * MM_PER_MV * mm;
        if (pen) paper.lineTo(x(at * found.period_s), y); else paper.moveTo(x(at * found.period_s), y);
        pen = true;
      }
      paper.strokeStyle = colours.trace;
      paper.lineWidth = 1.4;
      paper.lineJoin = "round";
      paper.stroke();
    }
    // The label stays readable where a trace crosses it: a halo in the colour of the paper.
    const words = found ? lead : text("twelve.off", { lead });
    paper.font = "bold 14px system-ui, sans-serif";
    paper.lineWidth = 4;
    paper.strokeStyle = getComputedStyle(this.picture).backgroundColor;
    paper.strokeText(words, x(from_s) + 4, baseline - 8 * mm);
    paper.fillStyle = colours.mark;
    paper.fillText(words, x(from_s) + 4, baseline - 8 * mm);
  }
}
