// Requests by which a page opens a report and sends changes of it.

const BATCH_MAX = 64; // changes of one request
const BATCH_BYTES_MAX = 60_000; // below what the gateway reads at once, and what a browser sends while a page ends (64 KiB)
const REPLY_MS = 20_000; // the gateway takes 15 s for a body at most; a request without a response by then is lost, and is sent again

// The next changes of one request: a text that was typed without contact is in each of its changes, so bytes count too.
export function nextBatch(changes) {
  const batch = [];
  let bytes = 0;
  for (const change of changes.slice(0, BATCH_MAX)) {
    bytes += new TextEncoder().encode(JSON.stringify(change)).length;
    if (batch.length > 1 && bytes > BATCH_BYTES_MAX) break; // one change and the reason of its addendum fit always
    batch.push(change);
  }
  return batch;
}

// Open a report, where it is not open yet. Returns whether it is.
export async function openReport(encounter) {
  const reply = await fetch("/drafts", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ encounter }), signal: AbortSignal.timeout(REPLY_MS) });
  return reply.ok;
}

// `member`: who states it. The gateway refuses it where another member has signed in on this tablet meanwhile.
export function post(encounter, path, member, body, options = {}) {
  return fetch(`/drafts/${encounter}/${path}`, {
    ...options, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...body, member }),
    signal: AbortSignal.timeout(REPLY_MS),
  });
}
