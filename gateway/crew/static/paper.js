// The paper behind a trace and its calibration mark, drawn once for a size and look; a sweep copies from it.

export const MARK_MM = 5; // width of the calibration mark; its height is the value that it is labelled with
const FOOT_MM = 1;

export function coloursOf(canvas) {
  const style = getComputedStyle(canvas);
  const read = (name) => style.getPropertyValue(name).trim();
  return { trace: style.color, stale: read("--faint"), grid: read("--grid"), gridStrong: read("--grid-strong"), mark: read("--text") };
}

// A context for a canvas of `width` × `height` CSS pixels, in which one unit is a CSS pixel.
export function contextOf(canvas, width, height, ratio) {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// Boxes of 5 mm, stronger at each second. `mm`: pixels of a millimetre in this picture.
export function drawGrid(paper, { left, right, top, bottom, baseline, speed, mm, colours }) {
  const box = 5 * mm, second = speed * mm;
  paper.fillStyle = colours.grid;
  for (let x = left; x < right; x += box) paper.fillRect(Math.round(x), top, 1, bottom - top);
  for (let y = top + ((baseline - top) % box); y < bottom; y += box) paper.fillRect(left, Math.round(y), right - left, 1);
  paper.fillStyle = colours.gridStrong;
  for (let x = left; x < right; x += second) paper.fillRect(Math.round(x), top, 1, bottom - top);
}

// A rectangular pulse that is `height` pixels high and 5 mm wide.
export function drawMark(paper, { x, baseline, height, label, mm, colours, floor }) {
  const width = MARK_MM * mm, foot = FOOT_MM * mm, top = baseline - height;
  paper.strokeStyle = paper.fillStyle = colours.mark;
  paper.lineWidth = 1.5;
  paper.beginPath();
  paper.moveTo(x - foot, baseline);
  for (const [dx, y] of [[0, baseline], [0, top], [width, top], [width, baseline], [width + foot, baseline]]) paper.lineTo(x + dx, y);
  paper.stroke();
  if (!label) return;
  paper.font = "12px system-ui, sans-serif";
  paper.fillText(label, Math.max(2, x - foot), Math.min(baseline + 15, floor - 2));
}

