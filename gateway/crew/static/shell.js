// The page that a tablet shows without contact: it states that, counts the entries that this tablet has not sent, and loads
// the page again when the gateway responds. In place of a report's page it shows the report, where this tablet may open it
// (kept_report.js). The gateway renders it for all tablets alike, so the language is set here.
const RETRY_MS = 3000;

const offered = document.body.dataset.languages.split(" ");
const chosen = /(?:^|; )argus_language=([a-z]+)/.exec(document.cookie)?.[1];
const wanted = [chosen, ...navigator.languages.map((each) => each.slice(0, 2))];
document.documentElement.lang = wanted.find((each) => offered.includes(each)) ?? offered[0];

const { texts } = await import("./texts.js"); // it reads the language of the page when it is loaded
const { countEntries } = await import("./queue.js");
const { openKeptReport } = await import("./kept_report.js");
const text = await texts("queue");

const byId = (id) => document.getElementById(id);
byId("contact").textContent = text("no_contact");
byId("absent").textContent = text("no_values");
byId("retrying").textContent = text("retrying");
byId("again").textContent = text("again");
for (const id of ["retrying", "again"]) byId(id).hidden = false;
byId("again").addEventListener("click", () => location.reload());

const count = await countEntries();
byId("kept").hidden = count === 0;
if (count) byId("kept").textContent = text("kept", { count });

// HEAD, which the service worker leaves alone: its response is the gateway's.
async function look() {
  try {
    const response = await fetch("/static/mark.svg", { method: "HEAD" });
    if (response.ok) { location.reload(); return; }
  } catch { /* still no contact */ }
  setTimeout(look, RETRY_MS);
}

const encounter = /^\/reports\/([^/]+)$/.exec(location.pathname)?.[1];
if (encounter === undefined || !(await openKeptReport(encounter))) {
  setTimeout(look, RETRY_MS);
  addEventListener("online", () => location.reload());
}
