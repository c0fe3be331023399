// Which source of a tile is shown and why, and how fresh a value is. Pure: no document, no clock of its own.
import { texts } from "./texts.js";

const text = await texts("live");

const DISCONNECTED_MS = 3000; // a continuous value of a disconnected device: no successor can come
const SAME_MOMENT_MS = 10_000; // readings closer together than this are of one moment; the better source is shown

export function isSpot(value) { return value.ageing_ms === value.stale_ms; }

// "fresh", "ageing" or "stale". A spot value keeps its time when its device leaves: that is what a thermometer does.
export function freshness(value, device, now) {
  const age = now - value.at;
  if (age >= value.stale_ms) return "stale";
  if (isSpot(value)) return "fresh";
  if (device?.connected === false && age >= DISCONNECTED_MS) return "stale";
  return age >= value.ageing_ms ? "ageing" : "fresh";
}

// A view of the feed at one moment, for choosing between sources. `judgedAt` is that moment, `now` the present: they
// differ while the gateway is silent, so that no tile moves to another place because of a lost connection.
export class Sources {
  constructor(values, devices, now, judgedAt) {
    this.devices = devices;
    this.now = now;
    this.judgedAt = judgedAt;
    this.order = new Map([...devices.keys()].map((id, at) => [id, at]));
    this.counts = new Map();
    this.tiles = new Map();
    const counted = new Set();
    for (const value of values.values()) {
      const sign = `${value.device} ${value.tile}`;
      if (value.place === "primary" && !counted.has(sign)) this.counts.set(value.device, (this.counts.get(value.device) ?? 0) + 1);
      counted.add(sign);
      if (!this.tiles.has(value.tile)) this.tiles.set(value.tile, []);
      this.tiles.get(value.tile).push(value);
    }
  }

  freshness(value) { return freshness(value, this.devices.get(value.device), this.judgedAt); }
  isLive(value) { return !isSpot(value) && this.freshness(value) !== "stale"; }

  // One of the sources. A source that is measuring now comes first; then a device whose identity is proved, as long as
  // its value counts; then the newest; then the preferred type; then the device that sends the most vital signs, which
  // is the monitor that the crew compares this page with.
  choose(sources) {
    const live = sources.filter((each) => this.isLive(each));
    let pool = live.length ? live : sources;
    if (pool.some((each) => !each.unverified && this.freshness(each) !== "stale")) pool = pool.filter((each) => !each.unverified);
    const newest = Math.max(...pool.map((each) => each.at));
    const near = pool.filter((each) => each.at >= newest - SAME_MOMENT_MS);
    return near.sort((a, b) => a.rank - b.rank || this.compareDevices(a.device, b.device) || a.id.localeCompare(b.id))[0];
  }

  compareDevices(a, b) {
    return (this.counts.get(b) ?? 0) - (this.counts.get(a) ?? 0) || (this.order.get(a) ?? 0) - (this.order.get(b) ?? 0);
  }

  // Why `shown` is shown and none of the others, in words; "" where there is no other.
  reason(shown, others) {
    if (!others.length) return "";
    const next = this.choose(others);
    if (this.isLive(shown) && !this.isLive(next)) return text("why.only_live");
    if (!shown.unverified && next.unverified) return text("why.verified");
    if (shown.at > next.at + SAME_MOMENT_MS) return text("why.newest");
    if (shown.label !== next.label) return text("why.before", { shown: shown.label, other: next.label });
    if (shown.device === next.device) return text("why.first_of_device");
    return (this.counts.get(shown.device) ?? 0) > (this.counts.get(next.device) ?? 0) ? text("why.most") : text("why.first");
  }

  // The tiles, each with its shown source, the others in the order in which they would follow, and its state.
  // `left`: it is measured no longer, and its tile belongs at the bottom.
  all() {
    return [...this.tiles.entries()].map(([name, sources]) => {
      const shown = this.choose(sources);
      const others = sources.filter((each) => each !== shown);
      const ordered = [];
      for (let rest = others; rest.length; rest = rest.filter((each) => each !== ordered.at(-1))) ordered.push(this.choose(rest));
      const state = this.freshness(shown);
      const left = state === "stale" && (shown.place === "treatment" || this.devices.get(shown.device)?.connected === false);
      return { name, shown, others: ordered, why: this.reason(shown, others), state, left };
    }).sort((a, b) => a.shown.order - b.shown.order || a.name.localeCompare(b.name));
  }
}
