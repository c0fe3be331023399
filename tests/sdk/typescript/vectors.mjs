// Verifies transcripts with the installed package, and writes canonical JSON. Reads {keys, transcripts: [{text, expected}],
// canonical: [texts], numbers: [IEEE 754 bits]} from standard input; prints what each gave: a verdict, a text, or {unusable}.
import { text } from "node:stream/consumers";
import { evidence } from "argus-sdk";
import { canonicalJson } from "./node_modules/argus-sdk/dist/evidence/canonical_json.js";
import { NotUsable, parseStrictJson } from "./node_modules/argus-sdk/dist/evidence/strict_json.js";

// Verification must not use a network.
globalThis.fetch = () => process.exit(9);

const usable = async (action) => {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof evidence.EvidenceUnusable || error instanceof NotUsable)) throw error;
    return { unusable: error.reason ?? error.message };
  }
};
const written = (value) => new TextDecoder().decode(canonicalJson(value));
const double = (bits) => new DataView(Uint8Array.from(Buffer.from(bits, "hex")).buffer).getFloat64(0);

const { keys, transcripts = [], canonical = [], numbers = [] } = JSON.parse(await text(process.stdin));
const told = { transcripts: [], canonical: [], numbers: [] };
for (const { text: source, keys: own = keys, ...options } of transcripts) {
  told.transcripts.push(await usable(() => evidence.verifyProvenanceLocal(source, own, options)));
}
for (const source of canonical) told.canonical.push(await usable(() => written(parseStrictJson(source))));
for (const bits of numbers) told.numbers.push(await usable(() => written(double(bits))));
console.log(JSON.stringify(told));
