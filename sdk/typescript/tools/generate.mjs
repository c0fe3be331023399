// Writes `src/generated/` from an OpenAPI document on standard input: the types, the paths of the auth host, and those whose
// POST takes a key.
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
const keyed = Object.entries(document.paths)
  .filter(([, item]) => item.post?.parameters?.some((one) => one.$ref === "#/components/parameters/Idempotency-Key"))
  .map(([path]) => path)
  .sort();
const list = (name, note, paths) => `/** ${note} */\nexport const ${name}: readonly string[] = ${JSON.stringify(paths, null, 2)};\n`;
await writeFile(
  `${folder}/paths.ts`,
  NOTE +
    list("AUTH_PATHS", "Paths that are on the auth host. All others are on the api host.", auth) +
    list("KEYED_PATHS", "Paths whose POST takes an `Idempotency-Key`.", keyed),
);
