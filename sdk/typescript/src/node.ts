/** What needs files, so not for browsers: `import … from "argus-sdk/node"`. */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Argus } from "./client.js";
import { failureOf } from "./transport.js";

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
      await writeDurably(`${path}.part`, [bundle]);
    }
    for (const { part, path } of written) await rename(part, path);
  } catch (error) {
    for (const { part } of written) await rm(part, { force: true });
    throw error;
  }
  return written.map(({ path }) => path);
}

/**
 * Write the result of a job to a file, as it arrives. The file gets its name when it is whole, so a download that fails
 * leaves none.
 */
export async function downloadJobResult(argus: Argus, jobId: string, path: string): Promise<void> {
  const response = await argus.jobs.open(jobId);
  const part = `${path}.part`;
  try {
    await writeDurably(part, response.body ?? []);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    const isOfFile = error instanceof Error && "syscall" in error;
    throw isOfFile ? error : failureOf(new URL(response.url), error);
  }
}

async function writeDurably(path: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, "w");
  try {
    for await (const chunk of content) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}
