// Runs the TypeScript samples of the documentation, one after the other in this process. The samples use no syntax that
// JavaScript lacks. Standard input: {"samples": [[name, code], …]}. Output: {name: what it printed, or its error}.
import { readFileSync } from "node:fs";

const { samples } = JSON.parse(readFileSync(0, "utf8"));
const results = {};
const print = console.log;
for (const [name, code] of samples) {
  const printed = [];
  console.log = (...values) => printed.push(...values);
  try {
    await import(`data:text/javascript;charset=utf-8,${encodeURIComponent(`${code}\n//${name}`)}`);
    results[name] = { printed };
  } catch (error) {
    results[name] = { error: String(error) };
  }
}
console.log = print;
print(JSON.stringify(results));
