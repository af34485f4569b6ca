/* The file that is served: how large, how old a browser, what types, and from what it was made. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { parse } from "acorn";
import { build, ECMA, read } from "./build.mjs";
import { tsc } from "./types.mjs";

const FILES = ["imp-verify.js", "imp-verify.min.js"];

test("the served file is made from the one that is read: npm run build", async () => {
  assert.equal(read("imp-verify.min.js"), await build());
});

test("the served file is at most 12 KB, and 5 KB where the server compresses it", () => {
  const file = Buffer.from(read("imp-verify.min.js"));
  assert.ok(file.length <= 12288, `${file.length} bytes`);
  const compressed = gzipSync(file).length;
  assert.ok(compressed <= 5120, `${compressed} bytes compressed`);
});

for (const file of FILES) {
  for (const sourceType of ["script", "module"]) {
    test(`${file} is a ${sourceType} of ES${ECMA}, as its head says`, () => {
      assert.equal(ECMA, Number(/Syntax is ES(\d+)/.exec(read("imp-verify.js"))[1]));
      const { body } = parse(read(file), { ecmaVersion: ECMA, sourceType });
      assert.ok(body.length >= 1);
    });
  }

  test(`${file} makes no code from text and writes no markup`, () => {
    const forbidden = /\beval\b|new Function|innerHTML|insertAdjacent|document\.write|\.style\b/;
    assert.equal(forbidden.exec(read(file)), null);
  });
}

test("the types stand alone, without the SDK's", () => {
  const { status, stdout } = tsc("alone.ts");
  assert.equal(status, 0, stdout);
});

test("the types fit those published for the SDK, and refuse what the gateway refuses", () => {
  const { status, stdout } = tsc("usage.ts");
  assert.equal(status, 0, stdout);
});
