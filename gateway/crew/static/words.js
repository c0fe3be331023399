// The page's words for ages and names.
import { texts } from "./texts.js";

const text = await texts("page");

export function age(ms) {
  if (ms < 60_000) return text("age.seconds", { count: Math.round(ms / 1000) });
  if (ms < 3_600_000) return text("age.minutes", { count: Math.round(ms / 60_000) });
  return text("age.hours", { hours: Math.floor(ms / 3_600_000), minutes: Math.floor((ms % 3_600_000) / 60_000) });
}

// Two devices of one model must not look like one: the end of the id tells them apart.
export function deviceName(id, devices) {
  const name = devices.get(id)?.name ?? id;
  const alike = [...devices.values()].filter((each) => each.name === name).length;
  return alike > 1 ? `${name} …${id.slice(-4)}` : name;
}
