// The colours of parameters that this tablet has chosen; the others stay as in looks.css. A style sheet of its own, since
// the page allows no inline styles. Names of colours, not values: each look has its own shade of each.

const KEY = "argus-colours";
export const PARAMETERS = ["ecg", "spo2", "co2", "resp", "nibp", "temp"];
export const COLOURS = ["green", "cyan", "yellow", "white", "red", "orange", "violet"];

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

function kept() {
  try {
    const read = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return Object.fromEntries(PARAMETERS.filter((each) => COLOURS.includes(read?.[each])).map((each) => [each, read[each]]));
  } catch { return {}; }
}

function apply() {
  const rules = Object.entries(kept()).map(([parameter, colour]) => `--${parameter}: var(--${colour});`);
  // As specific as the rules of a look, and later than they are.
  sheet.replaceSync(`:root:root { ${rules.join(" ")} }`);
  dispatchEvent(new Event("lookchange"));
}

// The choices in the settings: one select for each parameter, "" for the usual colour.
export function offerColours(form) {
  for (const choice of form.querySelectorAll("[data-colour-of]")) {
    const parameter = choice.dataset.colourOf;
    choice.value = kept()[parameter] ?? "";
    choice.addEventListener("change", () => {
      const { [parameter]: _, ...others } = kept();
      localStorage.setItem(KEY, JSON.stringify(choice.value ? { ...others, [parameter]: choice.value } : others));
      apply();
    });
  }
}

apply();
