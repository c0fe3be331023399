// The changes that the gateway has not acknowledged, encrypted on this tablet's disk (IndexedDB, AES-GCM).
//
// Each change is one entry: its owner, a random number and ciphertext; an entry is deleted when the gateway has
// acknowledged it. Only the gateway knows the key, and gives it to a signed-in member (gateway/crew/tablet_queue.py states
// against whom this protects). It is in the memory of a page only, and for a moment in that of the service worker
// (key_hand_over.js); a lock drops it. An owner is a hash that the gateway makes of the member: entries of others are counted
// here, and neither read nor sent. Besides the entries there is one copy of a report (report_copy.js) under the same key.

const DATABASE = "argus-queue", ENTRIES = "entries", FACTS = "facts", OWNER = "owner", COPY = "copy";
const ENTRIES_MAX = 5000; // of all members; half of what the gateway takes in one report
const BYTES_MAX = 32 * 1024 * 1024; // of the ciphertext of one member
const NEARLY_FULL = 0.8;
const KEY_MS = 5000;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function committed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

function parameters(iv, owner, purpose) {
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${owner}${purpose}`) };
}

async function openDatabase() {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(ENTRIES, { keyPath: "number", autoIncrement: true }).createIndex(OWNER, OWNER);
    opening.result.createObjectStore(FACTS);
  };
  const database = await done(opening);
  database.onversionchange = () => database.close();
  return database;
}

// The salt of this tablet: random, chosen once. It is not secret.
async function saltOf(database) {
  const transaction = database.transaction(FACTS, "readwrite", { durability: "strict" });
  const facts = transaction.objectStore(FACTS);
  let salt = await done(facts.get("salt"));
  if (salt === undefined) {
    salt = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    facts.put(salt, "salt");
  }
  await committed(transaction);
  return salt;
}

// The number of entries on this tablet, of all members; 0 where the browser has no store.
export async function countEntries() {
  try {
    const database = await openDatabase();
    const count = await done(database.transaction(ENTRIES).objectStore(ENTRIES).count());
    database.close();
    return count;
  } catch { return 0; }
}

// Delete the copy of a report, which needs no key.
export async function deleteCopy() {
  try {
    const database = await openDatabase();
    const transaction = database.transaction(FACTS, "readwrite", { durability: "strict" });
    transaction.objectStore(FACTS).delete(COPY);
    await committed(transaction);
    database.close();
  } catch { /* this browser stores nothing here */ }
}

export class Queue {
  // `database` null: this browser stores nothing here (a private window, or a page without TLS).
  constructor(database, salt) {
    this.database = database;
    this.salt = salt;
    this.key = null;
    this.owner = null;
    this.unwritten = new Map(); // by id of the change: {encounter, change}
    this.numbers = new Map(); // by id of the change: number of its entry
    this.sizes = new Map(); // by number of the entry: bytes
    this.othersEntries = 0;
    this.failed = false;
    this.locked = false;
    this.denied = false; // the member's role may not write, so there is nothing to keep
    this.work = Promise.resolve();
  }

  static async open() {
    try {
      const database = await openDatabase();
      return new Queue(database, await saltOf(database));
    } catch { return new Queue(null, ""); }
  }

  // Whether this page can get a key: otherwise nothing is kept, and nothing can be read.
  get isUsable() { return this.database !== null && !this.locked && !this.denied && Boolean(crypto.subtle); }

  // Get the key from the gateway. Returns whether the queue is open.
  async unlock() {
    if (this.key !== null) return true;
    if (!this.isUsable) return false;
    try {
      const reply = await fetch(`/queue/${this.salt}/key`, { signal: AbortSignal.timeout(KEY_MS) });
      this.denied = reply.status === 403;
      if (!reply.ok) return false;
      const { key, owner } = await reply.json();
      const bytes = Uint8Array.from(atob(key), (letter) => letter.charCodeAt(0));
      return await this.use(await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]), owner);
    } catch { return false; }
  }

  // Open the queue with this key. Returns whether it is open: the page may be locked meanwhile.
  async use(key, owner) {
    if (!this.isUsable) return false;
    this.key = key;
    this.owner = owner;
    const others = [...await this.counts()].filter(([each]) => each !== owner);
    this.othersEntries = others.reduce((sum, [, count]) => sum + count, 0);
    navigator.storage?.persist?.(); // the browser then deletes nothing when its disk is nearly full
    return true;
  }

  // Drop the key permanently: the page that follows a sign-in has a queue of its own. Entries on the disk stay there.
  lock() {
    this.locked = true;
    this.key = this.owner = null;
    this.unwritten.clear();
    this.numbers.clear();
  }

  // Whether every entry is on the disk, or will be in a moment.
  get keeps() { return this.key !== null && !this.failed; }
  get isWritten() { return this.unwritten.size === 0; }

  get fill() {
    const bytes = [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
    return Math.max((this.othersEntries + this.sizes.size + this.unwritten.size) / ENTRIES_MAX, bytes / BYTES_MAX);
  }

  get isFull() { return this.fill >= 1; }
  get isNearlyFull() { return this.fill >= NEARLY_FULL; }

  // What changes the entries runs one after the other, so that an entry is not deleted before it is written.
  run(work) {
    const ending = this.work.then(work);
    this.work = ending.catch(() => { this.failed = true; });
    return this.work;
  }

  add(encounter, change) {
    this.unwritten.set(change.id, { encounter, change });
    return this.run(() => this.write());
  }

  // Try again to write what is not on the disk: the key or the space was missing.
  retry() { return this.keeps ? this.work : this.run(() => this.write()); }

  async write() {
    if (this.unwritten.size === 0 || !(await this.unlock())) return;
    const entries = await Promise.all([...this.unwritten].map(async ([id, content]) => ({ id, entry: await this.encrypt(content) })));
    const transaction = this.database.transaction(ENTRIES, "readwrite", { durability: "strict" });
    const writes = entries.map(({ id, entry }) => ({ id, entry, request: transaction.objectStore(ENTRIES).add(entry) }));
    await committed(transaction);
    for (const { id, entry, request } of writes) {
      this.unwritten.delete(id);
      this.numbers.set(id, request.result);
      this.sizes.set(request.result, entry.ciphertext.byteLength);
    }
    this.failed = false;
  }

  // `purpose`: "" for an entry, so that the copy of a report is never read as one.
  async encrypt(content, purpose = "") {
    const iv = crypto.getRandomValues(new Uint8Array(12)), { owner } = this;
    const ciphertext = await crypto.subtle.encrypt(parameters(iv, owner, purpose), this.key, new TextEncoder().encode(JSON.stringify(content)));
    return { owner, iv, ciphertext };
  }

  async decrypt({ owner, iv, ciphertext }, purpose = "") {
    return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(parameters(iv, owner, purpose), this.key, ciphertext)));
  }

  // Keep the copy of a report instead of the one before.
  async keepCopy(content) {
    if (this.database === null || this.key === null) return;
    const encrypted = await this.encrypt(content, COPY);
    const transaction = this.database.transaction(FACTS, "readwrite");
    transaction.objectStore(FACTS).put(encrypted, COPY);
    await committed(transaction);
  }

  // The member's copy of a report, null where there is none.
  async copy() {
    const found = await done(this.database.transaction(FACTS).objectStore(FACTS).get(COPY));
    return found?.owner === this.owner ? this.decrypt(found, COPY) : null;
  }

  // Delete the entries of changes that the gateway has acknowledged or permanently refused.
  remove(changes) {
    return this.run(async () => {
      const numbers = changes.map(({ id }) => this.numbers.get(id)).filter((number) => number !== undefined);
      if (numbers.length) {
        const transaction = this.database.transaction(ENTRIES, "readwrite", { durability: "strict" });
        for (const number of numbers) transaction.objectStore(ENTRIES).delete(number);
        await committed(transaction);
      }
      for (const { id } of changes) { this.unwritten.delete(id); this.numbers.delete(id); }
      for (const number of numbers) this.sizes.delete(number);
      this.failed = false;
    });
  }

  // The member's own entries in the order in which they were entered: [{encounter, change}]. An entry that cannot be
  // decrypted stays on the disk.
  async own() {
    if (!(await this.unlock())) return [];
    const index = this.database.transaction(ENTRIES).objectStore(ENTRIES).index(OWNER), found = [];
    for (const entry of await done(index.getAll(this.owner))) {
      try {
        const content = await this.decrypt(entry);
        this.numbers.set(content.change.id, entry.number);
        this.sizes.set(entry.number, entry.ciphertext.byteLength);
        found.push(content);
      } catch { /* damaged on the disk */ }
    }
    return found;
  }

  // The number of entries of each owner.
  async counts() {
    const counts = new Map();
    if (this.database === null) return counts;
    const reading = this.database.transaction(ENTRIES).objectStore(ENTRIES).index(OWNER).openKeyCursor();
    await new Promise((resolve, reject) => {
      reading.onerror = () => reject(reading.error);
      reading.onsuccess = () => {
        const cursor = reading.result;
        if (cursor === null) { resolve(); return; }
        counts.set(cursor.key, (counts.get(cursor.key) ?? 0) + 1);
        cursor.continue();
      };
    });
    return counts;
  }
}
