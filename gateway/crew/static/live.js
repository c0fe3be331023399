// The live page: what the gateway streams, with its age, and visibly old when it is old.
// Ages are counted from the moment of arrival on this tablet's own monotonic clock; its wall clock may be wrong.
import { Sweep } from "./sweep.js";

const byId = (id) => document.getElementById(id);
const values = new Map();
const devices = new Map();
const waves = new Map();
const sweep = new Sweep(byId("wave"));
let chosen = sessionStorage.getItem("wave") ?? "";
let stream = null;
let heardAt = performance.now();

// The gateway sends a status every two seconds at least; after this silence the page no longer knows anything.
const SILENCE_MS = 6000;
const AGE_SHOWN_FROM_MS = 3000;

function connect() {
  stream?.close();
  stream = new EventSource(`/live?wave=${encodeURIComponent(chosen)}`);
  stream.addEventListener("picture", (event) => {
    values.clear(); devices.clear(); waves.clear();
    const picture = JSON.parse(event.data);
    take(picture);
    if (picture.wave) { choose(picture.wave.id); sweep.begin(waves.get(chosen), picture.wave.samples); }
    byId("values").replaceChildren();
    draw();
  });
  stream.addEventListener("changes", (event) => {
    const changes = JSON.parse(event.data);
    take(changes);
    if (changes.wave?.id === chosen) {
      if (sweep.idle) sweep.begin(waves.get(chosen), changes.wave.samples);
      else sweep.extend(changes.wave.samples);
    } else if (!chosen && changes.waves.length) { choose(changes.waves[0].id); connect(); }
    draw();
  });
  stream.addEventListener("status", (event) => { heard(); showStatus(JSON.parse(event.data)); });
  stream.addEventListener("error", async () => {
    // A browser does not say why; a session that ended must lead to the sign-in, a lost radio must not.
    if (stream.readyState !== EventSource.CLOSED) return;
    try {
      const answer = await fetch("/", { redirect: "manual" });
      if (answer.type === "opaqueredirect") { location.assign("/sign-in"); return; }
    } catch { /* no network: the next try will tell */ }
    setTimeout(connect, 2000);
  });
}

function heard() { heardAt = performance.now(); }

function take(changes) {
  heard();
  const now = performance.now();
  for (const device of changes.devices) devices.set(device.id, device);
  for (const value of changes.values) values.set(value.id, { ...value, at: now - value.age_ms });
  for (const wave of changes.waves) waves.set(wave.id, wave);
}

function choose(id) {
  chosen = id;
  sessionStorage.setItem("wave", id);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function deviceName(id) { return devices.get(id)?.name ?? id; }

function age(ms) {
  if (ms < 60_000) return `${Math.round(ms / 1000)} s ago`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min ago`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min ago`;
}

// Tiles stay where they are while their numbers change: a hand that reaches out must find the same thing.
function draw() {
  const list = byId("values");
  const ordered = [...values.values()].sort((a, b) => a.rank - b.rank || a.id.localeCompare(b.id));
  for (const value of ordered) {
    let tile = list.querySelector(`[data-id="${CSS.escape(value.id)}"]`);
    if (!tile) {
      tile = element("article", "value");
      tile.dataset.id = value.id;
      tile.dataset.rank = String(value.rank);
      const label = element("div", "label");
      label.append(element("span", "name"), element("span", "unit"));
      tile.append(label, element("div", "text"), element("div", "flags"), element("div", "from"), element("div", "age"));
      const next = [...list.children].find((other) =>
        Number(other.dataset.rank) > value.rank || (Number(other.dataset.rank) === value.rank && other.dataset.id > value.id));
      list.insertBefore(tile, next ?? null);
    }
    tile.title = value.name;
    tile.querySelector(".name").textContent = value.label;
    tile.querySelector(".unit").textContent = value.unit;
    const text = tile.querySelector(".text");
    text.textContent = value.text;
    text.className = /^[-+0-9]/.test(value.text) || value.text === "—" ? (value.text.length > 7 ? "text long" : "text") : "text words";
    tile.querySelector(".flags").textContent = value.status.join(", ").replaceAll("-", " ");
    tile.querySelector(".from").textContent = deviceName(value.device);
    tile.classList.toggle("flagged", value.status.length > 0);
  }
  byId("nothing").hidden = values.size > 0;
  drawDevices();
  drawWaves();
  drawAges();
}

function drawDevices() {
  byId("devices").replaceChildren(...[...devices.values()].map((device) => {
    const row = element("li", device.connected ? "" : "gone", device.name);
    row.append(element("span", "state", `${device.connected ? "connected" : "not connected"} · ${device.link}${device.unverified ? " · unverified" : ""}`));
    return row;
  }));
}

function drawWaves() {
  const choice = byId("wave-choice");
  byId("wave-section").hidden = waves.size === 0;
  if (choice.options.length !== waves.size) {
    choice.replaceChildren(...[...waves.values()].map((wave) => {
      const option = element("option", "", `${wave.name} · ${deviceName(wave.device)}`);
      option.value = wave.id;
      return option;
    }));
  }
  if (waves.has(chosen)) choice.value = chosen;
  const wave = waves.get(chosen);
  byId("wave-scale").textContent = wave ? `${wave.unit ? `${wave.unit}, ` : ""}${Math.round(1 / wave.period_s)} samples/s` : "";
}

function drawAges() {
  const now = performance.now();
  const silent = now - heardAt > SILENCE_MS;
  for (const tile of byId("values").children) {
    const value = values.get(tile.dataset.id);
    if (!value) { tile.remove(); continue; }
    const old = now - value.at;
    const stale = silent || old > value.fresh_ms || devices.get(value.device)?.connected === false && old > AGE_SHOWN_FROM_MS;
    tile.classList.toggle("stale", stale);
    tile.querySelector(".age").textContent = `${stale ? "old: " : ""}${old < AGE_SHOWN_FROM_MS ? "now" : age(old)}`;
  }
  const waveStale = silent || sweep.silentMs > 2500;
  byId("wave-section").classList.toggle("stale", waveStale);
  byId("wave-age").textContent = waveStale && waves.size ? "old: no new samples" : "";
  const link = byId("link");
  link.textContent = silent ? `No contact with the gateway for ${Math.round((now - heardAt) / 1000)} s: values are old` : "Live";
  link.className = silent ? "chip bad" : "chip good";
}

function showStatus(status) {
  const cloud = byId("cloud");
  cloud.hidden = false;
  cloud.className = status.online ? "chip good" : "chip warn";
  const waiting = status.backlog.toLocaleString("en");
  cloud.textContent = status.online
    ? (status.backlog > 2000 ? `Sending, ${waiting} readings to go` : "Network: all sent")
    : `No network: ${waiting} readings are safe here`;
  const store = byId("store");
  store.textContent = storeWords(status);
  store.hidden = store.textContent === "";
}

function storeWords(status) {
  if (!status.recording) return "Nothing is being recorded: values are shown but not kept. Write them down and call service.";
  if (!status.store_ok) return "The gateway’s disk is full: new values are shown but not kept";
  const lost = status.gaps ? `${status.gaps} ${status.gaps === 1 ? "stretch" : "stretches"} of data could not be kept` : "";
  const aside = status.set_aside ? "Older recordings were damaged and set aside; new values are kept. Call service after the drive." : "";
  return [lost, aside].filter(Boolean).join(". ");
}

byId("wave-choice").addEventListener("change", (event) => { choose(event.target.value); connect(); });
addEventListener("online", connect);
setInterval(drawAges, 500);
connect();
