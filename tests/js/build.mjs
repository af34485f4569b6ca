/*
 * Makes imp-verify.min.js, the file that is served, from imp-verify.js, the file that is read.
 * The result is committed: whoever installs the Python package needs no node.
 *
 *     npm ci && npm run build
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const DIRECTORY =
  process.env.IMP_VERIFY_BROWSER_DIRECTORY ||
  fileURLToPath(new URL("../../src/imp_verify/_web/", import.meta.url));

/** The syntax that the head of imp-verify.js promises. */
export const ECMA = 2017;

export const pathOf = (name) => DIRECTORY.replace(/\/?$/, "/") + name;
export const read = (name) => readFileSync(pathOf(name), "utf8");

export async function build() {
  const { code } = await minify(read("imp-verify.js"), {
    ecma: ECMA,
    compress: { ecma: ECMA, passes: 3 },
    format: { comments: false },
  });
  return code + "\n";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = await build();
  writeFileSync(pathOf("imp-verify.min.js"), made);
  console.log(`imp-verify.min.js: ${Buffer.byteLength(made)} bytes`);
}
