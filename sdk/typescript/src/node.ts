/** What needs files, so not for browsers: `import … from "argus-sdk/node"`. */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Argus } from "./client.js";

/**
 * Write the parts of an encounter's FHIR bundle to files of a folder, and return their paths in order.
 *
 * The files get their names when all parts were written, so a download that fails leaves none. The encounter's id must be
 * one of Argus: it is a part of the names.
 */
export async function downloadFhir(argus: Argus, encounterId: string, folder: string): Promise<string[]> {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(encounterId)) throw new TypeError("The id of the encounter is malformed.");
  await mkdir(folder, { recursive: true });
  const written: { part: string; path: string }[] = [];
  try {
    for await (const bundle of argus.fhir.parts(encounterId)) {
      const path = join(folder, `${encounterId}-${String(written.length + 1).padStart(4, "0")}.json`);
      written.push({ part: `${path}.part`, path });
      await writeDurably(`${path}.part`, bundle);
    }
    for (const { part, path } of written) await rename(part, path);
  } catch (error) {
    for (const { part } of written) await rm(part, { force: true });
    throw error;
  }
  return written.map(({ path }) => path);
}

async function writeDurably(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
