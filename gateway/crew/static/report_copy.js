// The copy of a report on this tablet's disk, for a page that is loaded again without contact: what the gateway had stored,
// and what the page needs besides. It is encrypted under the key of the member's queue (queue.js). Only the newest report
// has one. It is deleted when the report is signed or closed, when the gateway shows another page, and when any page is
// locked (session.js).
import { deleteCopy } from "./queue.js";

export class ReportCopy {
  constructor(queue, encounter) {
    this.queue = queue;
    this.encounter = encounter;
    this.work = Promise.resolve();
    this.next = null; // the state to be written, the newest only
    this.removed = false; // for ever: a page that is locked, or a report that is signed
  }

  // The copy of this report, null where there is none that this key can open.
  async read() {
    const found = await this.queue.copy().catch(() => null);
    return found?.encounter === this.encounter ? found : null;
  }

  write(content) {
    if (this.removed) return;
    const isWriting = this.next !== null;
    this.next = { ...content, encounter: this.encounter };
    if (!isWriting) this.run(() => this.writeNext());
  }

  async writeNext() {
    const content = this.next;
    this.next = null;
    if (content !== null) await this.queue.keepCopy(content);
  }

  remove() {
    if (this.removed) return this.work;
    this.removed = true;
    this.next = null;
    return this.run(deleteCopy);
  }

  // One after the other, so that nothing is written after it was deleted. Without a copy the page works as before.
  run(work) {
    this.work = this.work.then(work).catch(() => {});
    return this.work;
  }
}
