// The sentences at the top of the page: are the values live, has the cloud everything, is the record kept?
// Each chip is green only while something new proves it; without proof it says so. Pure: no document, no clock.
import { age, deviceName, readings } from "./words.js";

export const SILENCE_MS = 6000; // the gateway sends a status every two seconds; after three missed ones it is gone
const LATE_MS = 10_000, SILENT_MS = 30_000; // a device that sends continuously, as its values' own limits
const UNACKNOWLEDGED_MS = 10_000; // the cloud acknowledges batches within a second or two while it is reachable
const SENDING_FROM = 2000; // readings; fewer than that are only on their way
const REMEMBERED_MS = 15 * 60_000; // a parameter that is no longer measured is named for so long

function chip(tone, text) { return { tone, text }; }

// `continuous`: ids of devices that have sent a waveform or a continuous value of a type that the page knows.
export function linkChip({ silentMs, now, devices, continuous, tiles, waves }) {
  if (silentMs > SILENCE_MS) return chip("bad", `No contact with the gateway for ${age(silentMs)}: all values are old`);
  const connected = [...devices.values()].filter((each) => each.connected);
  if (!connected.length) return tiles.length ? chip("bad", "No device connected: all values are old") : chip("", "No device connected");
  const late = connected
    .filter((each) => continuous.has(each.id) && now - each.at >= LATE_MS)
    .sort((a, b) => a.at - b.at);
  if (late.length) {
    const names = late.map((each) => deviceName(each.id, devices)).join(", ");
    const silent = now - late[0].at;
    return chip(silent >= SILENT_MS ? "bad" : "warn", `No data from ${names} for ${age(silent)}`);
  }
  const old = tiles
    .filter(({ shown, state, left }) => state !== "fresh" && shown.place !== "treatment" && !(left && now - shown.at > REMEMBERED_MS))
    .map(({ shown }) => shown.label);
  old.push(...waves.filter((each) => each.stale).map((each) => each.name));
  if (old.length) return chip("warn", `Old: ${old.join(", ")}`);
  if (connected.some((each) => continuous.has(each.id))) return chip("good", "Live");
  if (!tiles.length) return chip("", "Connected: no value yet");
  return chip("", `Last value ${age(now - Math.max(...tiles.map(({ shown }) => shown.at)))} ago`);
}

// `provedMs`: since the page last saw the cloud acknowledge something, or have everything; null before the first time.
// `openMs`: since the page's first status.
export function networkChip({ silentMs, status, provedMs, openMs }) {
  if (!status || silentMs > SILENCE_MS) return chip("", "Network: unknown");
  const waiting = readings(status.backlog);
  if (!status.online) return chip("warn", `No network: ${waiting} are safe here`);
  if (!status.backlog) return chip("good", "Network: all sent");
  const unacknowledgedMs = provedMs ?? openMs;
  if (unacknowledgedMs > UNACKNOWLEDGED_MS) return chip("warn", `The cloud has not confirmed anything for ${age(unacknowledgedMs)}: ${waiting} are safe here`);
  if (status.backlog > SENDING_FROM) return chip("warn", `Sending, ${waiting} to go`);
  return provedMs === null ? chip("", "Network: connected") : chip("good", "Network: all sent");
}

export function storeWords(status) {
  if (!status.recording) return "Nothing is being recorded: values are shown but not kept. Write them down and call service.";
  if (!status.store_ok) return "The gateway’s disk is full: new values are shown but not kept";
  const lost = status.gaps ? `${status.gaps} ${status.gaps === 1 ? "stretch" : "stretches"} of data could not be kept` : "";
  const aside = status.set_aside ? "Older recordings were damaged and set aside; new values are kept. Call service after the drive." : "";
  return [lost, aside].filter(Boolean).join(". ");
}

// The state of one device in the list at the bottom.
export function deviceState(device, { silentMs, now, isContinuous }) {
  const link = `${device.link}${device.unverified ? ", unverified" : ""}`;
  if (silentMs > SILENCE_MS) return chip("", `unknown · ${link}`);
  if (!device.connected) return chip("warn", `disconnected ${age(now - device.sinceAt)} ago · ${link}`);
  if (device.at === null) return chip("", `connected, no value yet · ${link}`);
  const silent = now - device.at;
  if (!isContinuous) return chip("", `connected, last value ${age(silent)} ago · ${link}`);
  if (silent < LATE_MS) return chip("good", `sending · ${link}`);
  return chip(silent < SILENT_MS ? "warn" : "bad", `connected, but no data for ${age(silent)} · ${link}`);
}
