/* The code to paste for React and Vue, as it is printed: built in an app, with the module. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { config, Page } from "./page.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const KINDS = {
  react: ["../../examples/web/react/src/PayButton.jsx"],
  react18: ["../../examples/web/react/src/PayButton.jsx", "react18"],
  vue: ["../../examples/web/vue/src/PayButton.vue"],
};
const ORDER = config();
const OTHER = config({ params: { merchant_uid: "ORD-2" } });

describe("a component", () => {
  let folder;
  const built = {};
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "components-"));
    for (const [kind, [source, ...older]] of Object.entries(KINDS)) {
      const made = join(folder, `${kind}.js`);
      execFileSync(process.execPath, [here("bundle.mjs"), here(source), made, ...older]);
      // jsdom imports nothing: the page below brings the module.
      const [before, rest, ...more] = readFileSync(made, "utf8").split(/\bimport\(\s*\/\*/);
      assert.deepEqual(more, []);
      built[kind] = `${before}bring(/*${rest}`;
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  async function app(kind, checkouts) {
    const page = new Page({ file: "imp-verify.js", body: '<div id="app"></div>' });
    page.window.checkouts = checkouts;
    page.window.bring = async (address) => {
      assert.equal(address, "/payments/imp-verify.js");
      page.include();
    };
    page.draw = async () => {
      await page.settle();
      await page.tick(1);
    };
    page.show = async (given) => {
      page.window.show(given);
      await page.draw();
    };
    page.press = () => page.click(page.document.querySelector("button"));
    const tag = page.document.createElement("script");
    tag.textContent = built[kind];
    page.document.head.append(tag);
    await page.draw();
    assert.deepEqual(page.errors, []);
    return page;
  }

  const orders = (page) => page.opened.map(({ params }) => params.merchant_uid);
  const disabled = (page) => page.document.querySelector("button").disabled;
  const said = (page) => page.document.querySelector("[role=status]").textContent;

  for (const kind of Object.keys(KINDS)) {
    test(`${kind}: without an order there is nothing to press, and then there is`, async () => {
      const page = await app(kind, [null]);
      assert.equal(disabled(page), true);
      await page.press();
      assert.deepEqual(orders(page), []);
      await page.show([ORDER]);
      assert.equal(disabled(page), false);
      await page.press();
      assert.deepEqual(orders(page), ["ORD-1001"]);
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
    });

    test(`${kind}: its example is paid where the page names it`, async () => {
      const page = await app(kind, undefined);
      await page.press();
      assert.deepEqual(orders(page), ["ORD1001"]);
    });

    test(`${kind}: an order that is changed while it is paid ends in words`, async () => {
      const page = await app(kind, [ORDER]);
      await page.press();
      await page.show([OTHER]);
      assert.equal(disabled(page), true);
      page.answers.push([409, { status: "latePayment" }]);
      await page.reply({ imp_uid: "imp_1" });
      assert.match(said(page), /마감되었거나 처리할 수 없는 주문이 결제되었습니다/);
      assert.equal(disabled(page), true);
    });
  }

  test("vue: kept while it is not shown, it says what became of its order when it is", async () => {
    const page = await app("vue", [ORDER]);
    await page.press();
    await page.show();
    assert.equal(page.document.querySelector("button"), null);
    page.window.ImpVerify.mount(); // whatever stands there meanwhile
    page.answers.push([409, { status: "latePayment" }]);
    await page.reply({ imp_uid: "imp_1" });
    assert.deepEqual(page.events.at(-1), ["result", "latePayment"]);
    await page.show([ORDER]);
    assert.match(said(page), /마감되었거나 처리할 수 없는 주문이 결제되었습니다/);
    assert.equal(disabled(page), true);
  });
});
