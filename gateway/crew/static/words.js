// The page's words for ages, times of day and names.
import { language, texts } from "./texts.js";

const text = await texts("page");
// Made once: a browser takes longer to make it than to draw a frame's traces.
const minutes = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function age(ms) {
  if (ms < 60_000) return text("age.seconds", { count: Math.round(ms / 1000) });
  if (ms < 3_600_000) return text("age.minutes", { count: Math.round(ms / 60_000) });
  return text("age.hours", { hours: Math.floor(ms / 3_600_000), minutes: Math.floor((ms % 3_600_000) / 60_000) });
}

// The time of day `ms` milliseconds ago, in hours and minutes.
export function timeOfDay(ms) { return minutes.format(Date.now() - ms); }

// Two devices of one model must not look like one: the end of the id tells them apart.
export function deviceName(id, devices) {
  const name = devices.get(id)?.name ?? id;
  const alike = [...devices.values()].filter((each) => each.name === name).length;
  return alike > 1 ? `${name} …${id.slice(-4)}` : name;
}
