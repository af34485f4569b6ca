/* TypeScript, strict, over a file beside the declarations that the package brings. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pathOf } from "./build.mjs";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Check a file of `types/`, or text; gives tsc's exit code and what it says. */
export function tsc(name, text) {
  const given = [here("node_modules/typescript/bin/tsc"), "--pretty", "false", "-p"];
  const directory = mkdtempSync(join(here("types"), "checked-"));
  try {
    if (text !== undefined) writeFileSync(join(directory, name), text);
    const file = text === undefined ? here(`types/${name}`) : name;
    // The declarations that are installed, which need not be those of these sources.
    const settings = { extends: "../tsconfig.json", files: [pathOf("imp-verify.d.ts"), file] };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(settings));
    return spawnSync(process.execPath, [...given, directory], { encoding: "utf8" });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
