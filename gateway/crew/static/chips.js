// The sentences at the top of the page: are the values live, has the cloud everything, is the record kept?
// Each chip is green only while something new proves it; without proof it says so. Pure: no document, no clock.
import { texts } from "./texts.js";
import { age, deviceName } from "./words.js";

const text = await texts("live");

export const SILENCE_MS = 6000; // the gateway sends a status every two seconds; after three missed ones it is gone
const LATE_MS = 10_000, SILENT_MS = 30_000; // a device that sends continuously, as its values' own limits
const UNACKNOWLEDGED_MS = 10_000; // the cloud acknowledges batches within a second or two while it is reachable
const SENDING_FROM = 2000; // readings; fewer than that are only on their way
const REMEMBERED_MS = 15 * 60_000; // a parameter that is no longer measured is named for so long

function chip(tone, words) { return { tone, text: words }; }

// `continuous`: ids of devices that have sent a waveform or a continuous value of a type that the page knows.
export function linkChip({ silentMs, now, devices, continuous, tiles, waves }) {
  if (silentMs > SILENCE_MS) return chip("bad", text("link.no_contact", { age: age(silentMs) }));
  const connected = [...devices.values()].filter((each) => each.connected);
  if (!connected.length) return tiles.length ? chip("bad", text("link.none_old")) : chip("", text("link.none"));
  const late = connected
    .filter((each) => continuous.has(each.id) && now - each.at >= LATE_MS)
    .sort((a, b) => a.at - b.at);
  if (late.length) {
    const names = late.map((each) => deviceName(each.id, devices)).join(", ");
    const silent = now - late[0].at;
    return chip(silent >= SILENT_MS ? "bad" : "warn", text("link.no_data", { names, age: age(silent) }));
  }
  const old = tiles
    .filter(({ shown, state, left }) => state !== "fresh" && shown.place !== "treatment" && !(left && now - shown.at > REMEMBERED_MS))
    .map(({ shown }) => shown.label);
  old.push(...waves.filter((each) => each.stale).map((each) => each.name));
  if (old.length) return chip("warn", text("link.old", { names: old.join(", ") }));
  if (connected.some((each) => continuous.has(each.id))) return chip("good", text("link.live"));
  if (!tiles.length) return chip("", text("link.no_value"));
  return chip("", text("link.last_value", { age: age(now - Math.max(...tiles.map(({ shown }) => shown.at))) }));
}

// `provedMs`: since the page last saw the cloud acknowledge something, or have everything; null before the first time.
// `openMs`: since the page's first status.
export function networkChip({ silentMs, status, provedMs, openMs }) {
  if (!status || silentMs > SILENCE_MS) return chip("", text("network.unknown"));
  const readings = text("network.readings", { count: status.backlog });
  if (!status.online) return chip("warn", text("network.offline", { readings }));
  if (!status.backlog) return chip("good", text("network.sent"));
  const unacknowledgedMs = provedMs ?? openMs;
  if (unacknowledgedMs > UNACKNOWLEDGED_MS) return chip("warn", text("network.unconfirmed", { age: age(unacknowledgedMs), readings }));
  if (status.backlog > SENDING_FROM) return chip("warn", text("network.sending", { readings }));
  return provedMs === null ? chip("", text("network.connected")) : chip("good", text("network.sent"));
}

export function storeWords(status) {
  if (!status.recording) return text("store.not_recording");
  if (!status.store_ok) return text("store.full");
  const lost = status.gaps ? text("store.gaps", { count: status.gaps }) : "";
  const aside = status.set_aside ? text("store.set_aside") : "";
  return [lost, aside].filter(Boolean).join(". ");
}

// The state of one device in the list at the bottom.
export function deviceState(device, { silentMs, now, isContinuous }) {
  const link = device.unverified ? text("device.unverified", { link: device.link }) : device.link;
  if (silentMs > SILENCE_MS) return chip("", text("device.unknown", { link }));
  if (!device.connected) return chip("warn", text("device.disconnected", { age: age(now - device.sinceAt), link }));
  if (device.at === null) return chip("", text("device.no_value", { link }));
  const silent = now - device.at;
  if (!isContinuous) return chip("", text("device.last_value", { age: age(silent), link }));
  if (silent < LATE_MS) return chip("good", text("device.sending", { link }));
  return chip(silent < SILENT_MS ? "warn" : "bad", text("device.silent", { age: age(silent), link }));
}
