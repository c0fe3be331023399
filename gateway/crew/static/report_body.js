// The page of injuries: a figure of the body from the front and from behind, whose regions are buttons, and the findings
// of the region that was chosen last.
import { makeField } from "./report_fields.js";
import { element } from "./report_parts.js";
import { Section } from "./report_sections.js";
import { texts } from "./texts.js";

const text = await texts("report");
const SVG = "http://www.w3.org/2000/svg";
const OUTLINES = [ // what a view shows of the body without a region there
  ["back", 87, 0, 70, 98], ["back", 37, 150, 53, 190], ["back", 154, 150, 53, 190], ["back", 5, 150, 30, 236], ["back", 209, 150, 30, 236],
  ["back", 61, 342, 30, 49], ["back", 153, 342, 30, 49], ["back", 61, 393, 60, 233], ["back", 123, 393, 60, 233],
];

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class TraumaSection extends Section {
  constructor(form, model) {
    super(form, model);
    const { regions } = form.model.body;
    this.regions = new Map(regions.map((region) => [region.name, { region, node: this.regionNode(region) }]));
    const figures = element("div", "figures");
    for (const view of ["front", "back"]) figures.append(this.figure(view));
    this.detail = element("div", "region-detail");
    this.node.append(figures, this.detail);
    this.fields = new Map();
    this.chosen = null;
  }

  figure(view) {
    const { width, height } = this.form.model.body, made = element("figure", "body-figure");
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": text(`body.${view}`) });
    for (const [on, x, y, w, h] of OUTLINES) if (on === view) svg.append(drawn("rect", { x, y, width: w, height: h, rx: 14, class: "outline" }));
    for (const { region, node } of this.regions.values()) if (region.view === view) svg.append(node);
    made.append(svg, element("figcaption", "", text(`body.${view}`)));
    return made;
  }

  regionNode({ name, x, y, width, height }) {
    const node = drawn("g", { role: "button", tabindex: 0, class: "region", "data-region": name });
    node.append(drawn("rect", { x, y, width, height, rx: 14 }), drawn("path", { d: `M${x + width / 2 - 10} ${y + height / 2}l7 8l14 -16`, class: "tick" }));
    node.addEventListener("click", () => this.choose(name));
    node.addEventListener("keydown", (press) => {
      if (press.key !== "Enter" && press.key !== " ") return;
      press.preventDefault();
      this.choose(name);
    });
    return node;
  }

  // Where the findings of a region are: one entry of the examination, and an entry of its own for each site in it.
  entryOf({ name, site }) {
    const { entry } = this.form.model.body;
    return site ? `${entry}/${name}` : entry;
  }

  findings(region) { return this.store.shown(region.key, this.entryOf(region)).filter((each) => each.value !== null && !each.negative); }

  choose(name) {
    this.chosen = name;
    const { region } = this.regions.get(name);
    if (!this.fields.has(name)) this.fields.set(name, makeField(this.form, region.key, this.entryOf(region), region.site, text(`body.regions.${name}`)));
    this.detail.replaceChildren(this.fields.get(name).node);
    this.update();
  }

  update() {
    for (const [name, { region, node }] of this.regions) {
      const found = this.findings(region), words = found.map((each) => this.form.choice(region.key, each.value)).join(", ");
      const label = [text(`body.regions.${name}`), words].filter(Boolean).join(": ");
      if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
      node.setAttribute("aria-pressed", String(name === this.chosen));
      node.classList.toggle("found", found.length > 0);
    }
    this.fields.get(this.chosen)?.update();
    if (!this.chosen && !this.detail.childElementCount) this.detail.append(element("p", "nothing", text("body.choose")));
  }

  focus(key) {
    const found = [...this.regions.values()].find(({ region }) => region.key === key);
    if (found) { this.choose(found.region.name); found.node.focus(); }
  }
}
