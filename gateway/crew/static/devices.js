// The devices of the vehicle: the state of each in words, its battery, and what it sends that is in doubt.
import { texts } from "./texts.js";
import { deviceName } from "./words.js";

const text = await texts("live");
const BATTERY_LOW_PERCENT = 20;

export class DeviceList {
  constructor(list) {
    this.list = list;
    this.written = "";
  }

  // `stateOf(device)`: its state as a chip. Not rewritten while it stays the same: a screen reader would read it again.
  draw(devices, values, departures, stateOf) {
    const present = [...devices.values()];
    const ordered = [...present.filter((each) => each.connected), ...present.filter((each) => !each.connected)];
    const rows = ordered.map((device) => ({ name: deviceName(device.id, devices), ...stateOf(device), notes: notesOf(device, values, departures[device.id]) }));
    const written = JSON.stringify(rows);
    if (written === this.written) return;
    this.written = written;
    this.list.replaceChildren(...rows.map(rowOf));
  }
}

function rowOf({ name, tone, text: words, notes }) {
  const row = document.createElement("li"), state = document.createElement("span");
  row.textContent = name;
  state.className = `state ${tone}`.trim();
  state.textContent = words;
  row.append(state);
  for (const note of notes) {
    const line = document.createElement("span");
    line.className = `state ${note.tone}`.trim();
    line.textContent = note.words;
    row.append(line);
  }
  return row;
}

// `departures`: in how many ways it deviates from its standard, and in how many of them a value could not be used.
function notesOf(device, values, departures) {
  const own = [...values.values()].filter((each) => each.device === device.id), notes = [];
  const battery = own.find((each) => each.battery);
  if (battery) {
    const low = Number.parseFloat(battery.text) <= BATTERY_LOW_PERCENT;
    notes.push({ tone: low ? "warn" : "", words: text(low ? "device.battery_low" : "device.battery", { percent: battery.text }) });
  }
  if (device.unverified) notes.push({ tone: "warn", words: text("device.compare") });
  const doubtful = own.filter((each) => each.status.length);
  if (doubtful.length) notes.push({ tone: "warn", words: text("device.doubtful", { values: doubtful.map((each) => `${each.label} (${each.status.join(", ")})`).join(", ") }) });
  if (departures) {
    const [ways, lost] = departures;
    notes.push(lost ? { tone: "warn", words: text("device.departs_lost", { count: lost }) } : { tone: "", words: text("device.departs", { count: ways }) });
  }
  return notes;
}
