// The blood pressures before the present one, for the tile: those that the gateway keeps, and each one that arrives.
import { timeOfDay } from "./words.js";

const KEPT = 12, SHOWN = 3;
const SAME_MS = 2000; // one measurement, by its age in the list and in the stream

export class PressureHistory {
  constructor(clock) {
    this.clock = clock; // of this tablet, which counts while it sleeps
    this.found = [];
  }

  async load() {
    try {
      const reply = await fetch("/trends");
      if (!reply.ok) return;
      const now = this.clock.now();
      for (const { text, age_s } of (await reply.json()).pressures) this.add(text, now - age_s * 1000);
    } catch { /* the pressures that arrive are kept all the same */ }
  }

  add(text, at) {
    if (this.found.some((each) => Math.abs(each.at - at) < SAME_MS)) return;
    this.found.push({ text, at });
    this.found.sort((one, other) => other.at - one.at);
    this.found.length = Math.min(this.found.length, KEPT);
  }

  // "01:38 124/80 (95)", the latest first, of those before a time.
  before(at) {
    const now = this.clock.now();
    return this.found.filter((each) => each.at < at - SAME_MS).slice(0, SHOWN).map((each) => `${timeOfDay(now - each.at)} ${each.text}`);
  }
}
