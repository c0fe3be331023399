// The ruler in the settings: a bar that the crew makes as long as the short side of a bank card, which gives the tablet's millimetre.
import { CARD_MM, isMeasured, keepPxPerMm, pxPerMm } from "./millimetre.js";
import { texts } from "./texts.js";

const text = await texts("live");

export function offerRuler(sheet) {
  const bar = sheet.querySelector(".ruler-bar rect"), width = sheet.querySelector("#ruler-width"), state = sheet.querySelector(".ruler-state");
  const draw = () => {
    bar.setAttribute("width", String(CARD_MM * pxPerMm()));
    width.value = String(pxPerMm());
    state.textContent = isMeasured() ? text("ruler.measured") : text("ruler.guess");
  };
  width.addEventListener("input", () => { keepPxPerMm(Number(width.value)); draw(); });
  for (const step of sheet.querySelectorAll("[data-ruler-step]")) {
    step.addEventListener("click", () => { keepPxPerMm(pxPerMm() + Number(step.dataset.rulerStep)); draw(); });
  }
  draw();
}
