/* Getting the SDK and the buttons onto a page. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { config, FILES, IMP_UID, markup, Page, SDK, stub } from "./page.mjs";

const OLD = "https://cdn.iamport.kr/js/iamport.payment-1.2.0.js";
const JQUERY = "https://code.jquery.com/jquery-1.12.4.min.js";

for (const file of FILES) {
  const open = (options) => Page.open({ file, ...options });

  describe(file, () => {
    test("the SDK is loaded when the page is shown, and the button waits for it", async () => {
      const page = await open({ ready: false });
      assert.deepEqual(page.sdkTags, [SDK]);
      assert.equal(page.button.disabled, true);
      page.giveSdk();
      await page.arrive();
      assert.equal(page.button.disabled, false);
      assert.equal(page.said, "");
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
      await page.click();
      assert.equal(page.opened[0].inClick, true);
    });

    test("J07 two buttons and two copies load one SDK and initialise it once", async () => {
      const second = markup(config({ params: { merchant_uid: "ORD-2" } }), "second");
      const page = await open({ ready: false, body: markup() + second });
      page.include();
      assert.deepEqual(page.sdkTags, [SDK]);
      page.giveSdk();
      await page.arrive();
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
    });

    test("an SDK that the page has is used", async () => {
      const page = await open();
      assert.deepEqual(page.sdkTags, []);
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
    });

    test("a page that initialised by itself is not broken by a second time", async () => {
      const page = await open({ before: (made) => made.window.IMP.init("imp00000000") });
      await page.click();
      assert.equal(page.calls.inits.length, 1);
      assert.equal(page.opened.length, 1);
      assert.equal(page.errors.length, 1, "and is told");
    });

    test("without a user code the page initialises by itself", async () => {
      const body = markup(config({ userCode: undefined }));
      const page = await open({ body, before: (made) => made.window.IMP.init("imp00000000") });
      await page.click();
      assert.equal(page.opened.length, 1);
      assert.deepEqual(page.errors, []);
    });

    test("a sub-store is an agency", async () => {
      const page = await open({ body: markup(config({ tier: "ABC" })) });
      assert.deepEqual(page.calls.inits, [["imp00000000", "ABC"]]);
    });

    test("a second user code on one page is refused aloud", async () => {
      const page = await open();
      const other = config({ userCode: "imp99999999", params: { merchant_uid: "ORD-2" } });
      await assert.rejects(page.window.ImpVerify.pay(other), /two user codes/);
      assert.equal(page.opened.length, 0);
    });

    test("a button with a second user code says so when pressed, and under no other", async () => {
      const other = config({ userCode: "imp99999999", params: { merchant_uid: "ORD-2" } });
      const page = await open({ body: markup() + markup(other, "second") });
      const second = page.document.getElementById("second");
      const said = page.document.getElementById("second-status");
      assert.deepEqual([page.said, said.textContent], ["", ""]);
      assert.match(String(page.errors), /two user codes/);
      await page.click(second);
      assert.equal(said.textContent, "결제창을 열지 못했습니다.");
      assert.equal(page.said, "");
      assert.equal(page.opened.length, 0);
      assert.deepEqual(page.events, [["result", "refused"]]);
      await page.click();
      assert.equal(page.opened.length, 1, "the first is none the worse");
    });

    test("an SDK put into the place of the first is initialised in its turn", async () => {
      const page = await open();
      page.calls.inits.length = 0;
      page.window.IMP = stub(page.calls);
      await page.click();
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
      assert.equal(page.opened.length, 1);
    });

    test("J06 neither $ nor jQuery is needed or touched", async () => {
      const page = await open({
        before: ({ window }) => {
          for (const name of ["$", "jQuery"]) {
            Object.defineProperty(window, name, {
              get() {
                throw new Error(`${name} was used`);
              },
            });
          }
        },
      });
      await page.pay();
      assert.equal(page.went.length, 1);
      assert.deepEqual(page.errors, []);
    });

    test("J06 jQuery is brought for the older SDK where the page has none", async () => {
      const body = markup(config({ sdk: OLD, jquery: JQUERY }));
      const page = await open({ ready: false, body });
      assert.deepEqual(page.sdkTags, [JQUERY]);
      page.window.jQuery = () => {};
      await page.arrive("load", JQUERY);
      assert.deepEqual(page.sdkTags, [JQUERY, OLD]);
      page.giveSdk();
      await page.arrive("load", OLD);
      await page.click();
      assert.equal(page.opened.length, 1);
    });

    test("J06 a page that has the SDK is brought neither", async () => {
      const page = await open({ body: markup(config({ sdk: OLD, jquery: JQUERY })) });
      assert.deepEqual(page.sdkTags, []);
    });

    test("J06 a page's own jQuery is kept", async () => {
      const body = markup(config({ sdk: OLD, jquery: JQUERY }));
      const page = await open({
        ready: false,
        body,
        before: (made) => (made.window.jQuery = () => {}), // as jQuery.noConflict() leaves it
      });
      assert.deepEqual(page.sdkTags, [OLD]);
    });

    test("N09 where Trusted Types are enforced the SDK's address goes through a named policy", async () => {
      const made = [];
      const page = await open({
        ready: false,
        before: ({ window }) =>
          (window.trustedTypes = {
            createPolicy(name, { createScriptURL }) {
              made.push(name);
              return { createScriptURL };
            },
          }),
        body: markup(config({ sdk: OLD, jquery: JQUERY })),
      });
      page.window.jQuery = () => {};
      await page.arrive("load", JQUERY);
      assert.deepEqual(page.sdkTags, [JQUERY, OLD]);
      assert.deepEqual(made, ["imp-verify"]);
    });

    test("N09 where the policy is not allowed the SDK's own tag serves", async () => {
      const page = await open({
        before: ({ window }) =>
          (window.trustedTypes = {
            createPolicy() {
              throw new TypeError("Policy disallowed");
            },
          }),
      });
      await page.click();
      assert.equal(page.opened.length, 1);
    });

    for (const how of ["error", "load"]) {
      const what = how === "error" ? "does not load" : "is not what it should be";
      test(`an SDK that ${what} is told, and tried again by a press`, async () => {
        const page = await open({ ready: false });
        await page.arrive(how);
        assert.equal(page.said, "결제 모듈을 불러오지 못했습니다. 다시 눌러 주세요.");
        assert.equal(page.button.disabled, false);
        await page.click();
        assert.deepEqual(page.sdkTags, [SDK, SDK]);
        assert.match(page.said, /준비 중입니다/);
        page.giveSdk();
        await page.arrive();
        assert.equal(page.said, "");
        assert.equal(page.opened.length, 0, "never later than its click");
        await page.click();
        assert.equal(page.opened.length, 1);
      });
    }

    test("an SDK that is long in coming is told, and forgotten once it is there", async () => {
      const page = await open({ ready: false });
      await page.tick(9);
      assert.equal(page.said, "");
      await page.tick(1);
      assert.match(page.said, /준비 중입니다/);
      assert.equal(page.button.disabled, true);
      page.giveSdk();
      await page.arrive();
      assert.equal(page.said, "");
      assert.equal(page.button.disabled, false);
    });

    test("an SDK that was in time is not called long in coming", async () => {
      const page = await open({ ready: false });
      page.giveSdk();
      await page.arrive();
      await page.tick(20);
      assert.equal(page.said, "");
      const without = await open({ ready: false });
      await without.arrive("error");
      await without.tick(20);
      assert.match(without.said, /불러오지 못했습니다/);
    });

    // A page that is not finished yet, with a tag of its own for the SDK.
    const head = `<script async src="${SDK}"></script>`;
    const before = ({ document }) =>
      Object.defineProperty(document, "readyState", { get: () => "interactive" });

    test("a script tag of the page's own for the SDK is waited for", async () => {
      const page = await open({ ready: false, head, before });
      assert.deepEqual(page.sdkTags, [SDK]);
      assert.equal(page.button.disabled, true);
      page.giveSdk();
      await page.arrive();
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
      assert.deepEqual(page.sdkTags, [SDK]);
      assert.equal(page.button.disabled, false);
    });

    test("a script tag of the page's own that comes to nothing is replaced", async () => {
      const page = await open({ ready: false, head, before });
      page.window.dispatchEvent(new page.window.Event("load"));
      assert.deepEqual(page.sdkTags, [SDK, SDK]);
      page.giveSdk();
      await page.arrive();
      assert.equal(page.button.disabled, false);
    });

    test("the SDK's tag carries the nonce of our own", async () => {
      const page = new Page({ file, ready: false });
      page.include({ nonce: "n0nce" });
      await page.settle();
      assert.equal(page.document.querySelector(`script[src="${SDK}"]`).nonce, "n0nce");
    });

    test("a nonce is found on another tag where ours is not known, as in a module", async () => {
      const other = '<script nonce="other" type="application/json">{}</script>';
      const page = await open({ ready: false, head: other });
      assert.equal(page.document.querySelector(`script[src="${SDK}"]`).nonce, "other");
    });

    test("without a nonce anywhere there is none", async () => {
      const page = await open({ ready: false });
      assert.equal(page.document.querySelector(`script[src="${SDK}"]`).nonce, "");
    });

    test("a screen reader is told: a status to listen to, and a busy button", async () => {
      const page = await open({ body: markup().replace(/<p.*<\/p>/, "") });
      const said = page.button.nextSibling;
      assert.equal(said.getAttribute("role"), "status");
      assert.equal(said.getAttribute("aria-live"), "polite");
      assert.equal(page.button.getAttribute("aria-busy"), "false");
      await page.click();
      assert.equal(page.button.getAttribute("aria-busy"), "true");
      assert.equal(said.textContent, "결제창에서 결제해 주세요.");
      await page.reply({ error_msg: "닫힘" });
      assert.equal(page.button.getAttribute("aria-busy"), "false");
    });

    test("no style, no handler and no markup is written into the page", async () => {
      const page = await open();
      await page.pay([], { error_msg: "<b>" });
      const html = page.document.body.innerHTML.replace(/<script.*<\/script>/s, "");
      assert.equal(/style=|onclick|<b>/i.test(html), false, html);
    });

    test("buttons added later are mounted by hand, and each once", async () => {
      const page = await open({ body: '<div id="later"></div>' });
      const later = page.document.getElementById("later");
      later.innerHTML = markup();
      page.window.ImpVerify.mount(later);
      page.window.ImpVerify.mount(later.querySelector("script"));
      page.window.ImpVerify.mount(page.document);
      await page.settle();
      await page.click();
      assert.equal(page.opened.length, 1);
    });

    test("a button takes a config at hand, and a newer one in its place", async () => {
      const page = await open({ body: '<button id="pay">결제</button>' });
      page.window.ImpVerify.mount(page.button, config());
      page.window.ImpVerify.mount(page.button, config({ params: { merchant_uid: "ORD-2" } }));
      await page.settle();
      await page.click();
      assert.deepEqual(page.opened.map(({ params }) => params.merchant_uid), ["ORD-2"]);
    });

    test("a new order on the same button is not held back by the old one", async () => {
      const page = await open();
      page.answers.push([400, { status: "forgery" }]);
      await page.click();
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(page.button.disabled, true);
      page.window.ImpVerify.mount(page.button, config({ params: { merchant_uid: "ORD-2" } }));
      assert.equal(page.button.disabled, false);
      assert.equal(page.said, "");
    });

    test("a page drawn anew takes a new button, and the old one is let go", async () => {
      const page = await open();
      const old = page.button;
      page.document.body.innerHTML = markup();
      page.window.ImpVerify.mount();
      await page.settle();
      await page.click();
      assert.equal(page.opened.length, 1);
      assert.equal(page.button.getAttribute("aria-busy"), "true");
      assert.equal(old.getAttribute("aria-busy"), "false");
    });

    test("a button that left the page and came back is the same", async () => {
      const page = await open();
      const { button } = page;
      const parent = button.parentNode;
      button.remove();
      page.window.ImpVerify.mount();
      parent.prepend(button);
      page.window.ImpVerify.mount();
      await page.settle();
      await page.click();
      assert.equal(page.opened.length, 1);
    });

    for (const [what, broken] of Object.entries({
      "broken JSON": '<script type="application/json" data-imp-verify="pay">{</script>',
      "no such button": markup(config(), "x").replace('id="x"', 'id="y"'),
      "an amount as text": markup(config({ params: { amount: "1" } }), "x"),
    })) {
      test(`one broken button is told and does not break the others: ${what}`, async () => {
        const page = await open({ body: broken + markup() });
        assert.equal(page.errors.length, 1);
        await page.click();
        assert.equal(page.opened.length, 1);
      });
    }

    for (const [language, lang, expected] of [
      ["en", "ko", "Pay in the payment window."],
      ["ko", "en", "결제창에서 결제해 주세요."],
      [undefined, "en-GB", "Pay in the payment window."],
      [undefined, "ko-KR", "결제창에서 결제해 주세요."],
      [undefined, "", "결제창에서 결제해 주세요."],
    ]) {
      test(`the language is the config's, or the page's: ${language} on "${lang}"`, async () => {
        const page = await open({
          body: markup(config({ language })),
          before: ({ document }) => document.documentElement.setAttribute("lang", lang),
        });
        await page.click();
        assert.equal(page.said, expected);
      });
    }

    test("X11 text that would close a script block arrives as the text it is", async () => {
      const name = "</script><script>alert(1)</script><!--\u2028\u2029'\"\\";
      const page = await open({ body: markup(config({ params: { name } })) });
      await page.click();
      assert.equal(page.opened[0].params.name, name);
      assert.equal(page.document.body.querySelectorAll("script").length, 1);
    });
  });
}
