// Opens a report without contact, from what this tablet has: the key that the page before handed over, the copy of the
// report, and the entries that are not sent. The page is then that of the report (report.js), which sends the entries and
// takes the gateway's state when the contact is back.
import { takeKey } from "./key_hand_over.js";
import { Queue } from "./queue.js";
import { ReportCopy } from "./report_copy.js";
import { texts } from "./texts.js";

let opened = null;

// What was opened on this page: {queue, copy}; null on a page that came from the gateway.
export function keptReport() { return opened; }

// Show the report of this address. Returns whether this tablet has it and may open it.
export async function openKeptReport(encounter) {
  const held = await takeKey();
  if (held === null) return false;
  const queue = await Queue.open();
  if (!(await queue.use(held.key, held.owner))) return false;
  const copy = await new ReportCopy(queue, encounter).read();
  if (copy === null) return false;
  opened = { queue, copy };
  await draw(copy);
  await import("./session.js"); // before the report, so that it is locked when it is not used
  await import("./report.js");
  return true;
}

// The gateway renders the frame for all tablets alike: the words, and what belongs to the session, are set here.
async function draw({ page, title }) {
  const text = await texts("report"), body = document.getElementById("report").content.cloneNode(true);
  for (const node of body.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const node of body.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  document.body.replaceChildren(body);
  document.body.className = "report";
  document.title = title;
  Object.assign(document.body.dataset, page, { kept: "" });
}
