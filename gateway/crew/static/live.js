// The live page: what the gateway streams, with its age, and visibly old when it is old.
// Ages count from the moment of arrival on this tablet's own clocks (elapsed.js); the time of day may be wrong.
import { alarmWords } from "./alarms.js";
import { deviceState, linkChip, networkChip, SILENCE_MS, storeWords } from "./chips.js";
import { offerColours } from "./colours.js";
import { DeviceList } from "./devices.js";
import { ElapsedClock } from "./elapsed.js";
import { PressureHistory } from "./pressures.js";
import { offerRuler } from "./ruler.js";
import { isSpot, Sources } from "./sources.js";
import { Strip } from "./strips.js";
import { texts } from "./texts.js";
import { Tiles } from "./tiles.js";
import { TrendsView } from "./trends.js";
import { TwelveLeads } from "./twelve.js";
import { followViews } from "./views.js";
import { keepScreenOn } from "./wake.js";
import { timeOfDay } from "./words.js";

const text = await texts("live");
const RECONNECT_MS = 10_000; // a connection that was cut without a word is given up and made again
const TICK_MS = 500;

const byId = (id) => document.getElementById(id);
const viewOf = (name) => document.querySelector(`[data-view="${name}"]`);
const clock = new ElapsedClock();
const devices = new Map(), values = new Map(), waves = new Map();
const strips = ["ecg", "pleth", "co2", "more"].map((kind) => new Strip(kind, byId(`${kind}-strip`), clock, connect));
const tiles = new Tiles({ treatment: byId("treatment"), values: byId("values"), left: byId("left") });
const twelve = new TwelveLeads(viewOf("twelve"), clock);
const pressures = new PressureHistory(clock);
const deviceList = new DeviceList(byId("devices"));
const network = { status: null, openedAt: 0, provedAt: null };
let shownIds = new Set();
const trends = new TrendsView(viewOf("trends"), () => shownIds);
let seenCalls;
let stream = null, connectedAt = 0, heardAt = clock.now(), pictured = false, view = null;

function connect() {
  stream?.close();
  connectedAt = clock.now();
  const wanted = strips.filter((strip) => strip.chosen).map((strip) => `wave=${encodeURIComponent(strip.chosen)}`);
  if (view === "twelve") wanted.push("leads=12");
  const opened = stream = new EventSource(`/live?${wanted.join("&")}`);
  const on = (name, act) => opened.addEventListener(name, (message) => {
    if (opened === stream && !sleptMeanwhile()) act(JSON.parse(message.data));
  });
  on("picture", (picture) => {
    devices.clear(); values.clear(); waves.clear();
    pictured = true;
    take(picture);
    for (const strip of strips) strip.begin(waves, picture.shown, picture.traces);
    twelve.begin(waves, picture.leads, picture.traces);
    draw();
  });
  on("changes", (changes) => {
    take(changes);
    const missing = strips.filter((strip) => strip.extend(waves, changes.waves, changes.traces));
    twelve.extend(waves, changes.traces);
    const known = missing.filter((strip) => changes.waves.some((each) => each.strip === strip.kind));
    if (known.length) { for (const strip of known) if (!strip.wave) strip.forget(); connect(); }
    draw();
  });
  on("status", (status) => { heardAt = clock.now(); takeStatus(status); draw(); });
  opened.addEventListener("error", async () => {
    // A browser does not say why; a session that ended must lead to the sign-in, a lost radio must not.
    if (opened !== stream || opened.readyState !== EventSource.CLOSED) return;
    try {
      const response = await fetch("/", { redirect: "manual" });
      if (response.type === "opaqueredirect") { location.assign("/sign-in"); return; }
    } catch { /* no network: the next attempt finds out */ }
    setTimeout(() => { if (opened === stream) connect(); }, 2000);
  });
}

// After a sleep, messages that arrived before it are still queued, and nothing says how old they are. They are dropped;
// everything counts as old until a new connection has brought a new picture.
function sleptMeanwhile() {
  if (!clock.takeGap()) return false;
  heardAt = Math.min(heardAt, clock.now() - SILENCE_MS - 1);
  connect();
  draw();
  return true;
}

function take({ devices: changedDevices, values: changedValues, waves: newWaves }) {
  const now = heardAt = clock.now();
  for (const device of changedDevices) {
    devices.set(device.id, { ...device, at: device.age_ms === null ? null : now - device.age_ms, sinceAt: now - device.since_ms });
  }
  for (const value of changedValues) {
    values.set(value.id, { ...value, at: now - value.age_ms });
    if (value.tile === "nibp") pressures.add(`${value.text} ${value.more}`.trim(), now - value.age_ms);
  }
  for (const wave of newWaves) waves.set(wave.id, wave);
}

function takeStatus(status) {
  const now = clock.now();
  if (network.status === null) network.openedAt = now;
  const advanced = network.status !== null && status.acknowledged !== network.status.acknowledged;
  if (advanced || status.backlog === 0) network.provedAt = now;
  network.status = status;
}

function draw() {
  const now = clock.now(), silentMs = now - heardAt, silent = silentMs > SILENCE_MS;
  if (!pictured && !silent) return; // still connecting, as the page says when it opens
  const sources = new Sources(values, devices, now, silent ? heardAt : now);
  const all = sources.all();
  shownIds = new Set(all.map(({ shown }) => shown.id));
  const continuous = new Set([...values.values()].filter((each) => each.listed && !isSpot(each)).map((each) => each.device));
  for (const wave of waves.values()) continuous.add(wave.device);
  tiles.draw(all, sources, silent, pressures);
  for (const strip of strips) strip.draw(devices, silent);
  if (view === "twelve") twelve.draw(devices, silent);
  const shownWaves = strips.filter((strip) => strip.wave).map((strip) => ({ name: strip.name(), stale: strip.sweep.stale }));
  showChip(byId("link"), linkChip({ silentMs, now, devices, continuous, tiles: all, waves: shownWaves }));
  showChip(byId("cloud"), networkChip({
    silentMs, status: network.status, openMs: now - network.openedAt,
    provedMs: network.provedAt === null ? null : now - network.provedAt,
  }));
  showWords(byId("store"), network.status ? storeWords(network.status) : "");
  drawCalls(network.status);
  const alarms = silent ? { high: "", low: "" } : alarmWords(values.values(), devices, (value) => sources.freshness(value) === "stale");
  showWords(byId("alarm-high"), alarms.high);
  showWords(byId("alarm-low"), alarms.low);
  byId("nothing").hidden = !pictured || values.size > 0;
  deviceList.draw(devices, values, network.status?.departures ?? {}, (device) => deviceState(device, { silentMs, now, isContinuous: continuous.has(device.id) }));
  byId("clock").textContent = timeOfDay(0);
}

// A call that arrives or changes while the page is open is marked. The live page is visible without a crew member, so it
// has no words of the call.
function drawCalls(status) {
  if (!status) return;
  seenCalls = Math.min(seenCalls ?? Infinity, status.calls_changed); // a restarted gateway counts from 0
  const news = status.calls_changed > seenCalls, node = byId("calls");
  node.classList.toggle("news", news);
  showWords(node, news ? text("calls.changed") : status.calls ? text("calls.open", { count: status.calls }) : "");
}

// Not rewritten while it stays the same: a screen reader would read it again.
function showChip(node, { tone, text }) {
  if (node.textContent !== text) node.textContent = text;
  node.className = `chip ${tone}`.trim();
}

function showWords(node, words) {
  if (node.textContent !== words) node.textContent = words;
  node.hidden = words === "";
}

function tick() {
  if (sleptMeanwhile()) return;
  const now = clock.now();
  if (now - heardAt > SILENCE_MS && now - connectedAt > RECONNECT_MS) connect();
  else if (now - heardAt <= SILENCE_MS) {
    const moving = strips.filter((strip) => strip.shouldMove(devices));
    if (moving.length) { for (const strip of moving) strip.forget(); connect(); }
  }
  draw();
}

// The twelve leads are requested while they are shown: their samples are most of the traffic.
followViews((shown) => {
  const leads = (shown === "twelve") !== (view === "twelve");
  view = shown;
  trends.show(shown === "trends");
  if (stream === null || leads) connect();
  draw();
});
pressures.load();
addEventListener("online", connect);
addEventListener("pageshow", (shown) => { if (shown.persisted) connect(); });
document.addEventListener("visibilitychange", tick);
setInterval(tick, TICK_MS);
keepScreenOn((words) => showWords(byId("wake"), words));
offerRuler(document.querySelector(".ruler"));
offerColours(document.querySelector(".colours"));
