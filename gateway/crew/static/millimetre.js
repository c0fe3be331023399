// The tablet's millimetre in CSS pixels. A browser's own millimetre is a guess (96 pixels an inch); the crew measures it
// once with a bank card (its short side, which fits on a phone), and the tablet keeps it.

const KEY = "argus-px-per-mm";
const GUESS = 96 / 25.4;
const LEAST = 2, MOST = 16; // from a large screen at a desk to a small phone; beyond that it is no measurement
export const CARD_MM = 53.98; // short side of a bank card (ISO/IEC 7810, ID-1)

export function pxPerMm() {
  const kept = Number(localStorage.getItem(KEY));
  return kept >= LEAST && kept <= MOST ? kept : GUESS;
}

export function isMeasured() { return localStorage.getItem(KEY) !== null; }

export function keepPxPerMm(value) {
  localStorage.setItem(KEY, String(Math.max(LEAST, Math.min(MOST, value))));
  dispatchEvent(new Event("lookchange")); // pictures are drawn again
}
