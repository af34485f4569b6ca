/* The code to paste for ES Next, as it is printed: in bundlers, and under TypeScript. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import * as esbuild from "esbuild";
import webpack from "webpack";
import { tsc } from "./types.mjs";

// What is printed stands in this example; a test in Python holds it there.
const PAGE = new URL("../../examples/web/plain/index.html", import.meta.url);
const [, CODE] = /<script type="module">\n(.*?)<\/script>/s.exec(readFileSync(PAGE, "utf8"));
const SERVED = "/payments/imp-verify.js";

const BUNDLERS = {
  async esbuild(entry, outfile) {
    const options = { entryPoints: [entry], outfile, bundle: true, minify: true };
    return (await esbuild.build({ ...options, logLevel: "silent" })).warnings;
  },
  async webpack(entry, outfile) {
    const output = { path: join(outfile, ".."), filename: "bundle.js" };
    const stats = await promisify(webpack)({ mode: "production", entry, output });
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    return [...errors, ...warnings];
  },
};

/** Run a bundle on a page that has the two elements; gives what it asked for and did. */
async function run(code, loads) {
  const did = { asked: [], mounted: [], said: { textContent: "" } };
  const button = { addEventListener: () => {} };
  const page = {
    window: { ImpVerify: { mount: (...given) => did.mounted.push(given) } },
    document: { getElementById: (id) => (id === "pay" ? button : did.said) },
    async load(address) {
      did.asked.push(address);
      if (!loads) throw new TypeError("Failed to fetch dynamically imported module");
    },
  };
  // The browser's own import, which a bundler must leave in place.
  assert.equal(code.match(/\bimport\(/g).length, 1);
  runInNewContext(code.replace(/\bimport\(/, "load("), page);
  await new Promise((resolve) => setImmediate(resolve));
  return { ...did, said: did.said.textContent, button };
}

describe("the code for ES Next", () => {
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "snippet-"));
    writeFileSync(join(folder, "pay.js"), CODE);
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    test(`${name} builds it and leaves the module to the shop's server`, async () => {
      const made = join(folder, "bundle.js");
      assert.deepEqual(await bundle(join(folder, "pay.js"), made), []);
      const code = readFileSync(made, "utf8");
      const { asked, mounted, said, button } = await run(code, true);
      assert.deepEqual(asked, [SERVED]);
      assert.equal(said, "");
      assert.equal(mounted.length, 1);
      assert.equal(mounted[0][0], button);
      assert.equal(mounted[0][1].params.merchant_uid, "ORD1001");
      const without = await run(code, false);
      assert.deepEqual([without.asked, without.mounted], [[SERVED], []]);
      assert.match(without.said, /새로 고침해 주세요/);
    });
  }

  test("is strict TypeScript as it stands, with the types that the command prints", () => {
    const { status, stdout } = tsc("pay.ts", CODE);
    assert.equal(status, 0, stdout);
  });
});
