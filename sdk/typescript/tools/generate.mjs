// Writes `src/generated/` from an OpenAPI document on standard input: the types, and the paths of the auth host.
//
// Run by `python -m tests.builders.typescript_types`, which has the document.
import { writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import openapiTS, { astToString } from "openapi-typescript";

const [folder] = process.argv.slice(2);
const NOTE = "// Generated from the OpenAPI document by tools/generate.mjs. Do not edit.\n";
const document = JSON.parse(await text(process.stdin));
// A member with a default may be left out of a request.
const types = astToString(await openapiTS(document, { defaultNonNullable: false, alphabetize: true }));
const auth = Object.entries(document.paths)
  .filter(([, item]) => item.servers?.length === 1 && item.servers[0].url.startsWith("https://auth."))
  .map(([path]) => path)
  .sort();
await writeFile(`${folder}/openapi.ts`, NOTE + types);
await writeFile(
  `${folder}/hosts.ts`,
  `${NOTE}/** Paths that are on the auth host. All others are on the api host. */\nexport const AUTH_PATHS: readonly string[] = ${JSON.stringify(auth, null, 2)};\n`,
);
