// Returns the faults of a page that a program can find: small targets, content beyond the screen, text that overflows.
() => {
  const found = [], width = document.documentElement.clientWidth;
  const nameOf = (each) => `${each.tagName.toLowerCase()}.${each.className} "${(each.innerText ?? each.name ?? "").slice(0, 24)}"`;
  const isShown = (each) => {
    const box = each.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(each).visibility !== "hidden" && !each.closest("[hidden]");
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
    const isLeaf = each.children.length === 0 && each.clientWidth > 0;
    if (box.right > width + 1 || box.left < -1) found.push(`${nameOf(each)} beyond the screen`);
    else if (isLeaf && each.scrollWidth > each.clientWidth + 1 && style.overflowX !== "auto" && style.textOverflow !== "ellipsis" && style.display !== "inline")
      found.push(`${nameOf(each)} text ${each.scrollWidth} in ${each.clientWidth}`);
  }
  return found;
}
