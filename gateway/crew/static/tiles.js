// One tile per parameter: the shown source's value, its device and age, and the other sources folded in below.
import { texts } from "./texts.js";
import { isSpot } from "./sources.js";
import { age, deviceName, timeOfDay } from "./words.js";

const text = await texts("live");

const AGE_SHOWN_FROM_MS = 3000;
const FOLDED_MAX = 3; // values of other sources in the closed line; all of them are in the list that it opens

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

function setText(node, words) { if (node.textContent !== words) node.textContent = words; }

function ageWords(ms, stale) {
  if (stale) return text("age.old", { age: age(ms) });
  return ms < AGE_SHOWN_FROM_MS ? text("age.now") : text("age.ago", { age: age(ms) });
}

function isNumber(shown) { return /^[-+0-9—]/.test(shown); }

// "HR 81" among pulses, "81" among heart rates; with its unit where that differs.
function shortText(value, shown) {
  const label = value.label === shown.label ? "" : `${value.label} `;
  const unit = value.unit === shown.unit ? "" : ` ${value.unit}`;
  return `${label}${value.text}${unit}`;
}

// The closed line: the values that others measure now, with the device where it is one.
function foldedWords(live, others, shown, devices) {
  const values = live.slice(0, FOLDED_MAX).map((each) => shortText(each, shown)).join(" · ");
  if (!live.length) return text("tile.also_old", { count: others.length });
  if (live.length === 1) return text("tile.also_from", { values, name: deviceName(live[0].device, devices) });
  if (live.length > FOLDED_MAX) return text("tile.also_more", { values, count: live.length - FOLDED_MAX });
  return text("tile.also", { values });
}

class Tile {
  constructor(name) {
    this.node = element("article", "value");
    this.node.dataset.tile = name;
    const label = element("div", "label");
    this.name = element("span", "name");
    this.unit = element("span", "unit");
    label.append(this.name, this.unit);
    this.text = element("div", "text");
    this.main = element("span", "main");
    this.more = element("span", "more");
    this.text.append(this.main, " ", this.more);
    this.flags = element("div", "flags");
    this.from = element("div", "from");
    this.age = element("div", "age");
    this.history = element("ul", "history");
    this.history.hidden = true;
    this.others = element("details", "others");
    this.summary = element("summary", "");
    this.list = element("ul", "");
    this.others.append(this.summary, this.list);
    this.others.addEventListener("toggle", () => { this.list.replaceChildren(); this.redraw?.(); });
    this.node.append(label, this.text, this.flags, this.from, this.age, this.history, this.others);
  }

  draw(tile, sources, silent, pressures) {
    this.redraw = () => this.draw(tile, sources, silent, pressures);
    const { shown } = tile;
    const stale = silent || tile.state === "stale";
    const empty = shown.text.startsWith("—");
    const words = !isNumber(shown.text);
    const state = stale ? "stale" : tile.state;
    const className = ["value", shown.place, shown.colour, state, words && "words", shown.more && "wide",
      (shown.status.length || empty) && "flagged"].filter(Boolean).join(" ");
    if (this.node.className !== className) this.node.className = className;
    this.node.title = shown.name;
    setText(this.name, shown.label);
    setText(this.unit, shown.unit);
    // What is stale has no number that an eye could take for the present; the last one is named with its time.
    const replaced = stale && !isSpot(shown) && !empty;
    setText(this.main, replaced ? "–" : shown.text);
    setText(this.more, replaced ? "" : shown.more);
    setText(this.flags, [empty && text("tile.no_reading"), ...shown.status].filter(Boolean).join(", "));
    setText(this.from, deviceName(shown.device, sources.devices) + (tile.why ? ` (${tile.why})` : ""));
    const ms = sources.now - shown.at, ageText = ageWords(ms, stale);
    if (replaced) setText(this.age, `${text("tile.last", { value: `${shown.text} ${shown.more}`.trim(), time: timeOfDay(ms) })} · ${ageText}`);
    else setText(this.age, isSpot(shown) ? `${text("tile.measured", { time: timeOfDay(ms) })} · ${ageText}` : ageText);
    if (tile.name === "nibp") this.drawHistory(pressures.before(shown.at));
    this.drawOthers(tile, sources, silent);
  }

  drawHistory(lines) {
    const written = lines.join();
    if (this.written === written) return;
    this.written = written;
    this.history.hidden = lines.length === 0;
    this.history.replaceChildren(...lines.map((words) => {
      const line = element("li", "");
      line.textContent = words;
      return line;
    }));
    this.history.setAttribute("aria-label", text("tile.earlier"));
  }

  drawOthers({ shown, others }, sources, silent) {
    this.others.hidden = others.length === 0;
    const live = others.filter((each) => !silent && sources.freshness(each) !== "stale");
    setText(this.summary, foldedWords(live, others, shown, sources.devices));
    if (!this.others.open) return;
    const lines = others.map((each) => {
      const stale = silent || sources.freshness(each) === "stale";
      const line = element("li", stale ? "stale" : "");
      const value = element("span", "value-text");
      value.textContent = `${shortText(each, { label: "", unit: "" })}${each.more ? ` ${each.more}` : ""}`;
      const details = [deviceName(each.device, sources.devices), ageWords(sources.now - each.at, stale), ...each.status];
      line.append(value, ` · ${details.filter(Boolean).join(" · ")}`);
      return line;
    });
    this.list.replaceChildren(...lines);
  }
}

function sectionOf({ left, shown }) {
  if (left) return "left";
  return shown.place === "treatment" ? "treatment" : "values";
}

// Tiles stay where they are while their values change: a hand that reaches out must find the same thing.
export class Tiles {
  constructor(sections) {
    this.sections = sections; // treatment, values, left
    this.tiles = new Map();
  }

  draw(all, sources, silent, pressures) {
    const gone = new Set(this.tiles.keys());
    for (const tile of all) {
      gone.delete(tile.name);
      if (!this.tiles.has(tile.name)) this.tiles.set(tile.name, new Tile(tile.name));
      this.tiles.get(tile.name).draw(tile, sources, silent, pressures);
    }
    for (const name of gone) {
      this.tiles.get(name).node.remove();
      this.tiles.delete(name);
    }
    for (const [place, section] of Object.entries(this.sections)) this.arrange(place, section, all);
  }

  arrange(place, section, all) {
    const due = all.filter((tile) => sectionOf(tile) === place).map((tile) => this.tiles.get(tile.name).node);
    due.forEach((node, at) => { if (section.children[at] !== node) section.insertBefore(node, section.children[at] ?? null); });
    section.parentElement.hidden = due.length === 0;
  }
}
