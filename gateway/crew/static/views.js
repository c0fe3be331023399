// The views of the live page: one is shown, the others keep their place. The address names the view, so that the
// browser's own way back works, and a page that is opened again shows the same view.

const links = [...document.querySelectorAll("[data-view-link]")];
const views = [...document.querySelectorAll("[data-view]")];

export function shownView() {
  const wanted = location.hash.slice(1);
  return views.some((view) => view.dataset.view === wanted) ? wanted : "live";
}

// `changed(view)` is called for the first view and for each one after it.
export function followViews(changed) {
  const show = () => {
    const shown = shownView();
    for (const view of views) view.hidden = view.dataset.view !== shown;
    for (const link of links) {
      if (link.dataset.viewLink === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    changed(shown);
  };
  addEventListener("hashchange", show);
  show();
}
