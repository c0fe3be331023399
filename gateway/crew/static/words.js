// The page's words for ages, names and states.

export function age(ms) {
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

export function status(names) { return names.join(", ").replaceAll("-", " "); }

export function readings(count) { return `${count.toLocaleString("en")} ${count === 1 ? "reading" : "readings"}`; }

// Two devices of one model must not look like one: the end of the id tells them apart.
export function deviceName(id, devices) {
  const name = devices.get(id)?.name ?? id;
  const alike = [...devices.values()].filter((each) => each.name === name).length;
  return alike > 1 ? `${name} …${id.slice(-4)}` : name;
}
