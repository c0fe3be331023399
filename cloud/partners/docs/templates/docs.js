// The documentation without this script has the same content. It adds three things: samples with the reader's values,
// copy buttons, and results while the reader types a search. Values stay in this page: nothing is stored or sent.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    button.textContent = (await copied(code)) ? button.dataset.done : button.dataset.failed;
    setTimeout(() => { button.textContent = label; }, 4000);
  });
}

// Copies the text of an element. A page on plain http has no clipboard, and a browser may forbid its use: the text is
// then selected, and copied as the reader's own selection. Returns false if this fails too; the text stays selected.
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}

// Encoded as in a URL; also what encodeURIComponent leaves and a shell would read inside double quotes.
const encoded = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

// A JSON value as Python writes it; the server writes the sample in the same form.
function python(value, margin) {
  const inner = `${margin}    `;
  if (Array.isArray(value)) return `[${value.map((each) => python(each, inner)).join(", ")}]`;
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const rows = Object.entries(value).map(([key, each]) => `${inner}${JSON.stringify(key)}: ${python(each, inner)},\n`);
  return rows.length ? `{\n${rows.join("")}${margin}}` : "{}";
}

// A field without a value has the name in angle brackets that the server wrote, or is left out.
const shown = ({ dataset, value }) => value || (dataset.example.startsWith("<") ? dataset.example : "");
// The fields of a form as its media type writes them. What the server wrote in angle brackets is left as it is.
const urlencoded = (inputs) =>
  inputs.map((input) => {
    const text = input.value ? encoded(input.value).replaceAll("%3A", ":").replaceAll("%20", "+") : shown(input);
    return `${input.dataset.name}=${text}`;
  }).join("&");

// Forms of a header's value: what the API takes, without what a shell would read.
const headerForms = {
  "Idempotency-Key": /^[A-Za-z0-9._~:+\/=-]{1,255}$/,
  "If-Match": /^(\*|"[A-Za-z0-9._~:+\/=-]{1,250}")$/,
  "If-None-Match": /^(\*|(W\/)?"[A-Za-z0-9._~:+\/=-]{1,250}")$/,
  "X-Tenant-ID": /^[A-Za-z0-9_-]{1,64}$/,
};

// JavaScript rounds an integer beyond ±(2^53 - 1), so a sample would not show the number that the reader entered.
const exactInteger = (key, value) => {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new RangeError(key);
  return value;
};

const written = {
  curl: (value) => JSON.stringify(value, null, 2).replaceAll("'", "'\\''"),
  python: (value) => python(value, "    "),
  typescript: (value) => JSON.stringify(value, null, 2).replaceAll("\n", "\n  "),
};

const form = document.querySelector("form.compose");
if (form) {
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  const inputs = [...form.querySelectorAll("[data-value]")];
  const of = (kind) => inputs.filter((input) => input.dataset.value === kind);

  const wrong = (input, isWrong) => {
    input.setAttribute("aria-invalid", String(isWrong));
    form.querySelector(`#${input.getAttribute("aria-describedby")}`).hidden = !isWrong;
  };
  const fill = (slot, text) => {
    for (const place of document.querySelectorAll(`[data-slot="${slot}"]`)) {
      place.textContent = typeof text === "string" ? text : text(place.closest("code").dataset.language);
    }
  };
  // Headers that are sent only with a value of the reader, each in the form of its place in a sample.
  const optional = () => of("header").filter(({ dataset, value }) => !dataset.example && headerForms[dataset.name].test(value));
  const pairs = () => optional().map(({ dataset, value }) => `${JSON.stringify(dataset.name)}: ${JSON.stringify(value)}`).join(", ");
  const headerLines = {
    curl: () => optional().map(({ dataset, value }) => ` \\\n  -H "${dataset.name}: ${JSON.stringify(value).slice(1, -1)}"`).join(""),
    python: () => pairs() && `\n    headers={${pairs()}},`,
    typescript: () => pairs() && `\n  headers: { ${pairs()} },`,
  };
  // A response without content, to a request with If-None-Match, is no error and no JSON.
  const outcomes = {
    python: "print(response.status_code, response.text)",
    typescript: "console.log(response.status, await response.text());",
  };
  const outcomeSlots = [...document.querySelectorAll('[data-slot="outcome"]')].map((place) => [place, place.textContent]);
  const fillHeaders = () => {
    fill("headers", (language) => headerLines[language]());
    fill("inline-headers", pairs() && `, headers={${pairs()}}`);
    fill("init", pairs() && `, {${headerLines.typescript()}\n}`);
    fillOptions();
    for (const [place, text] of outcomeSlots) {
      place.textContent = pairs() ? outcomes[place.closest("code").dataset.language] : text;
    }
  };
  const fillOptions = () => {
    const members = queryMember() + headerLines.typescript();
    fill("options", members && `, {${members}\n}`);
  };
  const queryMember = () => (given().length ? `\n  query: { ${given().map(member).join(", ")} },` : "");
  const base = () => {
    const [input] = of("base");
    let origin = form.dataset.base;
    let isWrong = false;
    try {
      const url = new URL(input.value || origin);
      // A host may contain what a shell reads inside double quotes, such as $(id).
      isWrong = !/^https?:\/\/[A-Za-z0-9._:[\]-]+$/.test(url.origin);
      if (!isWrong) origin = url.origin;
    } catch {
      isWrong = true;
    }
    wrong(input, isWrong);
    return origin;
  };
  const pathAndQuery = () => {
    let path = form.dataset.path;
    for (const { dataset, value } of of("path")) {
      path = path.replace(`{${dataset.name}}`, value ? encoded(value) : `<${dataset.name}>`);
    }
    const query = given().map(({ dataset, value }) => `${dataset.name}=${value ? encoded(value) : `<${dataset.name}>`}`);
    return path + (query.length ? `?${query.join("&")}` : "");
  };
  const given = () => of("query").filter((input) => input.value || "required" in input.dataset);
  const member = ({ dataset, value }) => {
    const isPlain = dataset.type === "integer" ? /^\d{1,15}$/.test(value) : dataset.type === "boolean" && /^(true|false)$/.test(value);
    return `${dataset.name}: ${isPlain ? value : JSON.stringify(value || `<${dataset.name}>`)}`;
  };
  const changed = ({ target }) => {
    if (target.dataset.value === "token") {
      const isGood = /^[A-Za-z0-9._~+/=-]*$/.test(target.value);
      wrong(target, !isGood);
      if (isGood) fill("token", target.value || "<access-token>");
    } else if (target.dataset.value === "header") {
      const { name, example } = target.dataset;
      const isGood = target.value === "" || headerForms[name].test(target.value);
      wrong(target, !isGood);
      const value = JSON.stringify(target.value || example);
      if (isGood && !example) fillHeaders();
      else if (isGood) fill(name, (language) => (language === "curl" ? value.slice(1, -1) : value));
    } else if (target.dataset.value === "form") {
      const fields = of("form").filter(shown);
      const value = Object.fromEntries(fields.map((input) => [input.dataset.name, shown(input)]));
      fill("form", (language) => (language === "curl" ? urlencoded(fields) : written[language](value)));
    } else if (target.dataset.value === "body") {
      try {
        const value = JSON.parse(target.value, exactInteger);
        fill("body", (language) => written[language](value));
        wrong(target, false);
      } catch {
        wrong(target, true);
      }
    } else {
      fill("base", base());
      fill("target", pathAndQuery());
      fill("path", of("path").map(member).join(", "));
      fill("query", queryMember());
      fillOptions();
    }
  };
  form.addEventListener("input", changed);
}

const search = document.querySelector("form.search");
const field = search.querySelector("input");
const found = search.querySelector(".found");
let latest = 0;
let timer;
field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(show, 150);
});
// Results that are still being fetched are not shown any more.
function closeResults() {
  clearTimeout(timer);
  latest += 1;
  found.hidden = true;
}
search.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (found.contains(document.activeElement)) field.focus();
  closeResults();
});
// The list would cover what has the focus after it.
search.addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget && !search.contains(relatedTarget)) closeResults();
});
document.addEventListener("click", (event) => {
  if (!search.contains(event.target)) closeResults();
});
async function show() {
  const number = ++latest;
  if (!field.value.trim()) {
    found.hidden = true;
    return;
  }
  const address = `${search.getAttribute("action")}?q=${encodeURIComponent(field.value)}`;
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok || number !== latest) return;
  const { results } = await response.json();
  // A list that is read with the keyboard stays: its links would lose the focus.
  if (number !== latest || found.contains(document.activeElement)) return;
  found.replaceChildren(...results.slice(0, 8).map((entry) => {
    const link = document.createElement("a");
    link.href = entry.url;
    link.textContent = entry.kind === "guide" ? entry.title : `${entry.title} (${entry.about})`;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
  found.hidden = results.length === 0;
}
