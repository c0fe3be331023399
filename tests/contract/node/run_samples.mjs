// Runs the TypeScript samples of the documentation, one after the other in this process. The samples use no syntax that
// JavaScript lacks. Standard input: {"folder": where packages are installed, "samples": [[name, code], …]}. Output:
// {name: {printed} or {error}}.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { folder, samples } = JSON.parse(readFileSync(0, "utf8"));
const results = {};
const print = console.log;
for (const [name, code] of samples) {
  const printed = [];
  console.log = (...values) => printed.push(...values);
  try {
    const file = join(folder, `sample-${name}.mjs`);
    writeFileSync(file, code);
    await import(file);
    results[name] = { printed };
  } catch (error) {
    results[name] = { error: String(error) };
  }
}
console.log = print;
print(JSON.stringify(results));
