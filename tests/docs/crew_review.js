// Returns the faults of a page that a program can find: small targets, content beyond the screen, text that
// overflows, words of a target that are broken across lines.
() => {
  const found = [], width = document.documentElement.clientWidth;
  const nameOf = (each) => `${each.tagName.toLowerCase()}.${each.className} "${(each.innerText ?? each.name ?? "").slice(0, 24)}"`;
  const isShown = (each) => {
    const box = each.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && each.checkVisibility({ visibilityProperty: true });
  };
  for (const each of document.querySelectorAll("a, button, input, select, textarea, summary, [role=button]")) {
    if (!isShown(each)) continue;
    const size = (each.closest("label") ?? each).getBoundingClientRect(), least = each.closest(".critical") ? 64 : 48;
    if (Math.min(size.width, size.height) < least - 0.5 && getComputedStyle(each).display !== "inline")
      found.push(`${nameOf(each)} ${Math.round(size.width)}x${Math.round(size.height)} of ${least}`);
  }
  if (document.documentElement.scrollWidth > width) found.push(`page ${document.documentElement.scrollWidth} of ${width}`);
  for (const each of document.querySelectorAll("main *, header *, footer *")) {
    if (!isShown(each) || each.closest("svg, canvas, .drawing, .wide")) continue;
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    const isLeaf = each.children.length === 0 && each.clientWidth > 0 && each.tagName !== "INPUT"; // whose text scrolls
    if (box.right > width + 1 || box.left < -1) found.push(`${nameOf(each)} beyond the screen`);
    else if (isLeaf && each.scrollWidth > each.clientWidth + 1 && style.overflowX !== "auto" && style.textOverflow !== "ellipsis" && style.display !== "inline")
      found.push(`${nameOf(each)} text ${each.scrollWidth} in ${each.clientWidth}`);
  }
  for (const each of document.querySelectorAll("nav a, nav button, header a, header button, .go")) {
    if (!isShown(each)) continue;
    const walker = document.createTreeWalker(each, NodeFilter.SHOW_TEXT), range = document.createRange();
    while (walker.nextNode()) {
      for (const { 0: word, index } of walker.currentNode.data.matchAll(/[^\s-]+/g)) {
        range.setStart(walker.currentNode, index);
        range.setEnd(walker.currentNode, index + word.length);
        if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) found.push(`${nameOf(each)} breaks the word ${word}`);
      }
    }
  }
  return found;
}
