/**
 * What needs files, so not for browsers: `import … from "argus-sdk/node"`.
 *
 * Files are written to a folder of their own, and named when they are complete and on the disk. A program that stops, also by
 * a power cut, leaves no file that looks complete and is not; the folder `.argus-…` within the target may be removed.
 */
import { mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { segment } from "./addresses.js";
import type { Argus } from "./client.js";

/**
 * Write the parts of an encounter's FHIR bundle to files `ID-0001.json`, `ID-0002.json`, … of a folder, and return their
 * paths in order. They replace those of an earlier download.
 */
export async function downloadFhir(argus: Argus, encounterId: string, folder: string): Promise<string[]> {
  const name = segment(encounterId);
  return besideFolder(folder, async (unfinished) => {
    const names: string[] = [];
    for await (const bundle of argus.encounters.fhirParts(encounterId)) {
      names.push(`${name}-${String(names.length + 1).padStart(4, "0")}.json`);
      await writeDurably(join(unfinished, names.at(-1) as string), [bundle]);
    }
    return placeParts(unfinished, folder, name, names);
  });
}

/** Write the result of a job to a file, which appears when it is complete. */
export async function downloadJobResult(argus: Argus, jobId: string, path: string): Promise<void> {
  await besideFolder(dirname(path), async (unfinished) => {
    const part = join(unfinished, basename(path));
    await argus.jobs.readResult(jobId, (chunks) => writeDurably(part, chunks));
    await rename(part, path);
    await sync(dirname(path));
  });
}

/** Call `write` with a folder for unfinished files within `folder`, on the same disk, and remove it afterwards. */
async function besideFolder<T>(folder: string, write: (unfinished: string) => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const unfinished = await mkdtemp(join(folder, ".argus-"));
  try {
    return await write(unfinished);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/**
 * Give the parts their names, and return the paths.
 *
 * The first part of an earlier download is removed first, and that of this one gets its name last. So a folder that has a
 * first part has all parts, and all of one download.
 */
async function placeParts(unfinished: string, folder: string, name: string, names: readonly string[]): Promise<string[]> {
  const isPart = (one: string): boolean => one.startsWith(`${name}-`) && /^[0-9]{4}\.json$/.test(one.slice(name.length + 1));
  for (const former of (await readdir(folder)).filter(isPart).sort()) {
    await rm(join(folder, former));
    await sync(folder);
  }
  for (const one of names.toReversed()) await rename(join(unfinished, one), join(folder, one));
  await sync(folder);
  return names.map((one) => join(folder, one));
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

/** Write the names in a folder to the disk. Windows has no such call. */
async function sync(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
