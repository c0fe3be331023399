// Builds the verification page, one HTML file without any other: `node tools/page.mjs [file]`.
//
// The script is not minified, so that an expert can read it in the file. The same source gives the same bytes. The content
// security policy allows this script and this style by their hashes, and nothing else: no request, no form, no frame.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = new URL("../", import.meta.url);
const [target = fileURLToPath(new URL("page/argus-verify.html", folder))] = process.argv.slice(2);
const read = (path) => readFile(new URL(path, folder), "utf8");
const hash = (text) => `sha256-${createHash("sha256").update(text).digest("base64")}`;

const { version } = JSON.parse(await read("package.json"));
const { outputFiles } = await build({
  absWorkingDir: fileURLToPath(folder),
  entryPoints: ["page/page.ts"],
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  define: { VERSION: JSON.stringify(version) },
});
const style = `\n${await read("page/page.css")}`;
const script = `\n${outputFiles[0].text}`;
const parts = { style, script, "style-hash": hash(style), "script-hash": hash(script) };
const page = (await read("page/page.html")).replace(/\{(style|script)(-hash)?\}/g, (whole) => parts[whole.slice(1, -1)]);
await writeFile(target, page);
