// A strip with one waveform of its kind, the choice of which, its scale, and whether it stands still.
import { Sweep } from "./sweep.js";
import { texts } from "./texts.js";
import { age, deviceName } from "./words.js";

const text = await texts("live");

export class Strip {
  constructor(kind, section, clock, requestWave) {
    this.kind = kind; // "ecg", "pleth", "co2" or "more", as the gateway sorts the waveforms
    this.section = section;
    this.choice = section.querySelector("select");
    this.scale = section.querySelector(".scale");
    this.state = section.querySelector(".age");
    this.sweep = new Sweep(section.querySelector("canvas"), clock);
    this.waves = [];
    this.chosen = sessionStorage.getItem(`wave-${kind}`) ?? "";
    this.byHand = this.chosen !== "";
    this.listed = "";
    this.off = false; // the device marks the samples as no measurement: a lead or a sensor is off
    this.choice.addEventListener("change", () => {
      this.chosen = this.choice.value;
      this.byHand = true;
      sessionStorage.setItem(`wave-${kind}`, this.chosen);
      requestWave();
    });
    addEventListener("lookchange", () => this.sweep.readColours());
  }

  get wave() { return this.waves.find((each) => each.id === this.chosen) ?? null; }

  // A whole picture: the waveform that the gateway chose for this strip, if it has one.
  begin(waves, shown, traces) {
    this.waves = [...waves.values()].filter((each) => each.strip === this.kind);
    const trace = traces.find((each) => each.id === shown[this.kind]);
    this.sweep.clear();
    if (!trace) return;
    this.off = trace.off;
    this.chosen = trace.id;
    this.show();
    this.sweep.begin(this.wave, trace.samples, trace.age_ms);
  }

  // Changes since then. True: a waveform of this kind has appeared and none was there; it has to be requested.
  extend(waves, described, traces) {
    this.waves = [...waves.values()].filter((each) => each.strip === this.kind);
    if (described.some((each) => each.id === this.chosen)) this.sweep.clear(); // another scale: what was drawn is wrong
    for (const trace of traces) {
      if (trace.id !== this.chosen) continue;
      this.off = trace.off;
      if (this.sweep.idle) { this.show(); this.sweep.begin(this.wave, trace.samples, trace.age_ms); }
      else this.sweep.extend(trace.samples, trace.age_ms);
    }
    return this.sweep.idle && this.waves.length > 0;
  }

  // A waveform that was not chosen by hand gives way when its device has left and another one sends one.
  shouldMove(devices) {
    const connected = (wave) => devices.get(wave.device)?.connected === true;
    return !this.byHand && this.wave !== null && !connected(this.wave) && this.waves.some(connected);
  }

  forget() { this.chosen = ""; }

  show() {
    this.section.classList.remove("ecg", "spo2", "co2", "resp", "plain");
    this.section.classList.add(this.wave.colour);
    this.sweep.readColours();
  }

  name() { return this.wave?.name ?? ""; }

  draw(devices, silent) {
    this.section.hidden = this.waves.length === 0;
    if (this.section.hidden) return;
    const options = this.waves.map((wave) => [wave.id, `${wave.name} · ${deviceName(wave.device, devices)}`]);
    const listed = JSON.stringify(options);
    if (listed !== this.listed) {
      this.listed = listed;
      this.choice.replaceChildren(...options.map(([id, name]) => new Option(name, id)));
    }
    if (this.wave && this.choice.value !== this.chosen) this.choice.value = this.chosen;
    const stale = silent || this.sweep.stale;
    this.section.classList.toggle("stale", stale);
    const words = stale ? text("strip.stale", { age: age(this.sweep.silentMs) }) : this.off ? text("strip.off") : "";
    if (this.state.textContent !== words) this.state.textContent = words;
    this.section.classList.toggle("off", this.off && !stale);
    this.scale.textContent = this.sweep.idle ? "" : this.sweep.scaleWords;
  }
}
