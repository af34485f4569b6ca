/* What becomes of a payment when the window, the page or the SDK goes its own way. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { config, FILES, IMP_UID, markup, Page } from "./page.mjs";

const OTHER = "imp_100000000002";

for (const file of FILES) {
  const open = (options) => Page.open({ file, ...options });

  const frame = (page, size = {}) => {
    const made = Object.assign(page.document.createElement("iframe"), size);
    page.document.body.append(made);
    return made;
  };

  describe(file, () => {
    test("a window whose frame is gone without a callback gives the button back", async () => {
      const page = await open();
      await page.click();
      const shown = frame(page);
      await page.tick(60);
      assert.equal(page.button.disabled, true, "as long as it is there");
      shown.remove();
      await page.tick(5);
      assert.match(page.said, /결제창이 닫혔습니다\. 이미 결제했다면 다시 결제하지 말고/);
      assert.deepEqual(page.events.at(-1), ["result", "closed"]);
      await page.click();
      assert.equal(page.opened.length, 2);
    });

    test("a frame that is only hidden is gone too", async () => {
      const page = await open();
      await page.click();
      const shown = frame(page);
      await page.tick(2);
      shown.hidden = true;
      await page.tick(5);
      assert.equal(page.button.disabled, false);
    });

    test("a frame of the shop's own is no window", async () => {
      const page = await open({ body: markup() + "<iframe></iframe>" });
      await page.click();
      const shown = frame(page);
      await page.tick(2);
      shown.remove();
      await page.tick(5);
      assert.equal(page.button.disabled, false);
    });

    for (const [what, size] of Object.entries({
      "a counter": { width: 1, height: 1 },
      "a banner": { width: 728, height: 90 },
    })) {
      test(`a frame that nobody could pay in is no window: ${what}`, async () => {
        const page = await open();
        await page.click();
        frame(page, size);
        await page.tick(61);
        assert.deepEqual(page.events.at(-1), ["result", "refused"]);
        assert.equal(page.button.disabled, false);
      });
    }

    test("a frame of the shop's own that grows is no window either", async () => {
      const page = await open({ body: markup() + '<iframe width="60" height="60"></iframe>' });
      await page.click();
      Object.assign(page.document.querySelector("iframe"), { width: 370, height: 600 });
      await page.tick(61);
      assert.deepEqual(page.events.at(-1), ["result", "refused"]);
    });

    test("a frame that comes and goes does not end a popup", async () => {
      const page = await open({ body: markup(config({ params: { popup: true } })) });
      await page.click();
      page.window.dispatchEvent(new page.window.Event("blur"));
      page.focused = false;
      await page.tick(2);
      const advertisement = frame(page);
      await page.tick(2);
      advertisement.remove();
      await page.tick(600);
      assert.equal(page.button.disabled, true);
      page.focused = true;
      await page.tick(10);
      assert.equal(page.button.disabled, true, "a glance is not enough");
      await page.tick(10);
      assert.deepEqual(page.events.at(-1), ["result", "closed"]);
      assert.equal(page.button.disabled, false);
    });

    test("a popup: the button comes back when the buyer does, not before", async () => {
      const page = await open();
      await page.click();
      page.window.dispatchEvent(new page.window.Event("blur"));
      page.focused = false;
      await page.tick(100);
      assert.equal(page.button.disabled, true);
      page.focused = true;
      await page.tick(2);
      assert.equal(page.button.disabled, true, "a glance is not enough");
      page.focused = false;
      await page.tick(10);
      page.focused = true;
      await page.tick(14);
      assert.equal(page.button.disabled, true, "it may have been another window of the buyer's");
      await page.tick(3);
      assert.equal(page.button.disabled, false);
    });

    test("a window that is slow to open is waited for, and the buyer is told", async () => {
      const page = await open();
      await page.click();
      await page.tick(9);
      assert.equal(page.said, "결제창에서 결제해 주세요.");
      await page.tick(2);
      assert.equal(page.said, "결제창이 아직 열리지 않았습니다. 잠시만 기다려 주세요.");
      assert.deepEqual(page.events.at(-1), ["change", "slow"]);
      await page.tick(40);
      assert.equal(page.button.disabled, true);
      frame(page);
      await page.tick(1);
      assert.equal(page.said, "결제창에서 결제해 주세요.");
    });

    test("a window that never came is offered again after a minute", async () => {
      const page = await open();
      await page.click();
      await page.tick(59);
      assert.equal(page.button.disabled, true);
      await page.tick(2);
      assert.deepEqual(page.events.at(-1), ["result", "refused"]);
      assert.equal(page.button.disabled, false);
    });

    test("a popup that nothing is heard of may have been there: no word that it was not", async () => {
      const page = await open({ body: markup(config({ params: { popup: true } })) });
      await page.click();
      await page.tick(61);
      assert.match(page.said, /결제창이 닫혔습니다\. 이미 결제했다면 다시 결제하지 말고/);
      assert.equal(page.button.disabled, false);
    });

    test("eyes elsewhere while a frame is on its way do not give the button back", async () => {
      const page = await open();
      await page.click();
      page.window.dispatchEvent(new page.window.Event("blur"));
      await page.tick(9);
      assert.equal(page.button.disabled, true);
      const shown = frame(page);
      await page.tick(30);
      assert.equal(page.button.disabled, true);
      shown.remove();
      await page.tick(5);
      assert.equal(page.button.disabled, false);
    });

    test("on a phone a dialog that is gone may be followed by the page itself", async () => {
      const page = await open({ phone: true });
      await page.click();
      const dialog = frame(page);
      await page.tick(2);
      dialog.remove();
      await page.tick(9);
      assert.equal(page.button.disabled, true, "the page is posted to the PG any moment");
      page.window.dispatchEvent(new page.window.Event("beforeunload"));
      await page.tick(30);
      assert.equal(page.button.disabled, true, "it is leaving");
      await page.tick(40);
      assert.equal(page.button.disabled, false, "it did not");
    });

    test("on a phone a dialog that the buyer closed gives the button back, later", async () => {
      const page = await open({ phone: true });
      await page.click();
      const dialog = frame(page);
      await page.tick(2);
      dialog.remove();
      await page.tick(17);
      assert.deepEqual(page.events.at(-1), ["result", "closed"]);
      assert.equal(page.button.disabled, false);
    });

    test("N08 a page that never has the focus is given its button back all the same", async () => {
      const page = await open();
      page.focused = false;
      await page.click();
      const shown = frame(page);
      await page.tick(1.5);
      shown.remove();
      await page.tick(3.5);
      assert.equal(page.button.disabled, true);
      await page.tick(15);
      assert.match(page.said, /이미 결제했다면 다시 결제하지 말고/);
      assert.equal(page.button.disabled, false);
    });

    test("a payment that is begun in the result's event is not closed with the last one", async () => {
      const page = await open();
      const shown = frame(page);
      shown.hidden = true;
      let open2 = null;
      page.document.addEventListener("imp-verify:result", () => {
        open2 = open2 || { shown: !shown.hidden };
        page.window.ImpVerify.pay(config());
      });
      await page.click();
      shown.hidden = false;
      // Callback first, then the frame is hidden.
      page.opened[0].callback({ imp_uid: null, error_msg: "닫힘" });
      assert.equal(page.opened.length, 1, "still in the SDK's own turn");
      await page.tick(1);
      assert.equal(open2, null);
      shown.hidden = true;
      await page.tick(0.2);
      assert.deepEqual(open2, { shown: false });
      assert.equal(page.opened.length, 2);
    });

    test("a callback that comes after all goes to the server, once", async () => {
      const page = await open();
      await page.click();
      await page.tick(100);
      assert.deepEqual(page.events.at(-1), ["result", "refused"]);
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(page.posts.length, 1);
      assert.deepEqual(page.events.at(-1), ["result", "success"]);
      assert.equal(page.went.length, 1);
    });

    test("a late complaint of the first window does not end the second", async () => {
      const page = await open();
      await page.click();
      await page.tick(100);
      await page.click();
      await page.reply({ error_msg: "first" }, page.opened[0]);
      assert.equal(page.said, "결제창에서 결제해 주세요.");
      assert.equal(page.button.disabled, true);
      await page.reply({ error_msg: "second" });
      assert.equal(page.said, "second");
    });

    test("the first window's failure does not end the second, nor its promise", async () => {
      const page = await open();
      await page.click();
      await page.tick(100);
      let ended = null;
      page.window.ImpVerify.pay(config()).then((result) => (ended = result));
      await page.settle();
      page.answers.push([400, { status: "failed" }], [200, { status: "success" }]);
      await page.reply({ imp_uid: IMP_UID }, page.opened[0]);
      await page.settle();
      assert.equal(ended, null);
      assert.equal(page.button.disabled, true);
      await page.reply({ imp_uid: OTHER }, page.opened[1]);
      await page.settle();
      assert.deepEqual([ended.status, ended.imp_uid], ["success", OTHER]);
    });

    test("two payments of one order are asked about one after the other", async () => {
      const page = await open();
      await page.click();
      await page.tick(100);
      await page.click();
      const answers = [[200, { status: "success" }], [409, { status: "duplicatePayment" }]];
      page.answers.push("fault", ...answers);
      await page.reply({ imp_uid: IMP_UID }, page.opened[0]);
      await page.reply({ imp_uid: OTHER }, page.opened[1]);
      assert.equal(page.posts.length, 1, "one in flight");
      await page.tick(1);
      assert.deepEqual(page.posts.map((post) => post.body.imp_uid), [IMP_UID, IMP_UID, OTHER]);
      assert.deepEqual(page.events.at(-1), ["result", "duplicatePayment"]);
      assert.equal(page.button.disabled, true);
    });

    test("a second window that takes up the first one's payment is asked about too", async () => {
      const page = await open();
      await page.pay([[400, { status: "failed" }]]);
      await page.click();
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(page.posts.length, 2);
      assert.deepEqual(page.events.at(-1), ["result", "success"]);
      assert.equal(page.went.length, 1);
    });

    describe("what another attempt of the order left is not undone", () => {
      // The first window was given up, and calls back while the second is open.
      const twoWindows = async (...answers) => {
        const page = await open();
        page.document.addEventListener("imp-verify:result", (event) => event.preventDefault());
        await page.click();
        await page.tick(100);
        await page.click();
        page.answers.push(...answers);
        await page.reply({ imp_uid: IMP_UID }, page.opened[0]);
        return page;
      };
      const failed = [400, { status: "failed" }];
      const stays = async (page, word) => {
        assert.deepEqual(page.events.at(-1), ["result", word]);
        assert.equal(page.button.disabled, true);
        await page.click();
        assert.equal(page.opened.length, 2, "it is not offered again");
      };

      for (const [what, reply] of [
        ["fails", { imp_uid: OTHER, error_msg: "한도 초과" }],
        ["is closed", { imp_uid: null, error_msg: "닫힘" }],
      ]) {
        test(`a paid order stays paid when the second window ${what}`, async () => {
          const page = await twoWindows([200, { status: "success" }], failed);
          await page.reply(reply);
          assert.equal(page.said, "결제가 완료되었습니다.");
          await stays(page, "success");
        });
      }

      test("a paid order stays paid when the second window is just gone", async () => {
        const page = await twoWindows([200, { status: "success" }]);
        await page.tick(100);
        await stays(page, "success");
      });

      test("what is not known of the first payment outlives the failure of a second", async () => {
        const page = await twoWindows(...Array(6).fill("fault"), failed);
        await page.reply({ imp_uid: OTHER });
        await page.tick(100);
        await stays(page, "unavailable");
        assert.equal(page.window.sessionStorage["imp-verify:ORD-1001"], IMP_UID);
        page.answers.push(failed);
        await page.pageshow(true);
        assert.equal(page.posts.at(-1).body.imp_uid, IMP_UID);
        assert.equal(page.button.disabled, false, "the server said that the first failed");
      });

      test("a paid order stays paid where an earlier payment is not known", async () => {
        const page = await twoWindows(...Array(6).fill("fault"));
        await page.reply({ imp_uid: OTHER });
        await page.tick(100);
        await stays(page, "success");
        await page.pageshow(true);
        await stays(page, "success");
        assert.equal(page.posts.length, 7);
      });

      test("a second window that is closed waits for what becomes of the first", async () => {
        const page = await twoWindows("fault");
        await page.reply({ imp_uid: null, error_msg: "닫힘" });
        assert.deepEqual(page.events.at(-1), ["change", "unavailable"]);
        await page.tick(1);
        await stays(page, "success");
      });
    });

    test("J03 back from the payment page without a result the button works again", async () => {
      const page = await open();
      await page.click();
      await page.pageshow(true);
      assert.match(page.said, /이미 결제했다면 다시 결제하지 말고/);
      assert.equal(page.button.disabled, false);
      await page.click();
      assert.equal(page.opened.length, 2);
    });

    test("a page that is shown for the first time forgets nothing", async () => {
      const page = await open();
      await page.click();
      await page.pageshow(false);
      assert.equal(page.button.disabled, true);
      assert.equal(page.opened.length, 1);
    });

    test("back on the page after paying nothing can be paid again", async () => {
      const page = await open();
      await page.pay();
      await page.pageshow(true);
      assert.equal(page.button.disabled, true);
      assert.equal(page.said, "결제가 완료되었습니다.");
      const again = await page.window.ImpVerify.pay(config());
      assert.equal(again.status, "success");
      assert.equal(page.opened.length, 1);
    });

    test("back on a page where nothing was known the server is asked again", async () => {
      const page = await open();
      await page.pay(Array(6).fill("fault"));
      await page.tick(100);
      assert.deepEqual(page.events.at(-1), ["result", "unavailable"]);
      await page.pageshow(true);
      assert.equal(page.posts.length, 7);
      assert.deepEqual(page.events.at(-1), ["result", "success"]);
    });

    for (const [what, comeBack] of Object.entries({
      "the net is": (page) => page.window.dispatchEvent(new page.window.Event("online")),
      "the buyer is": (page) => page.document.dispatchEvent(new page.window.Event("visibilitychange")),
    })) {
      test(`N14 when ${what} back the server is asked again`, async () => {
        const page = await open();
        await page.pay(Array(6).fill("fault"));
        await page.tick(40);
        assert.deepEqual(page.events.at(-1), ["result", "unavailable"]);
        comeBack(page);
        await page.settle();
        assert.equal(page.posts.length, 7);
        assert.deepEqual(page.events.at(-1), ["result", "success"]);
      });

      test(`N14 when ${what} back between two questions the next is asked at once`, async () => {
        const page = await open();
        await page.pay(["fault", "fault", "fault"]);
        await page.tick(3);
        assert.equal(page.posts.length, 3);
        comeBack(page);
        await page.settle();
        assert.equal(page.posts.length, 4);
        await page.tick(100);
        assert.equal(page.posts.length, 4, "and not once more by the clock");
        assert.equal(page.went.length, 1);
      });
    }

    test("a wait that the server asked for is kept", async () => {
      const page = await open();
      await page.pay([[503, { status: "unavailable" }, { "Retry-After": "20" }]]);
      page.window.dispatchEvent(new page.window.Event("online"));
      await page.tick(19);
      assert.equal(page.posts.length, 1);
      await page.tick(1);
      assert.equal(page.posts.length, 2);
    });

    test("where nothing gets known the buyer is given a way to the order", async () => {
      const page = await open();
      await page.pay(Array(6).fill([503, { status: "unavailable" }]));
      await page.tick(20);
      assert.equal(page.document.querySelector("#pay-status a"), null, "it is asking still");
      await page.tick(80);
      const link = page.document.querySelector("#pay-status a");
      assert.equal(link.textContent, "주문 확인하기");
      const query = `imp_uid=${IMP_UID}&merchant_uid=ORD-1001`;
      assert.equal(link.href, `https://shop.test/payments/redirect?${query}`);
      page.window.dispatchEvent(new page.window.Event("online"));
      await page.settle();
      assert.equal(page.document.querySelector("#pay-status a"), null);
      assert.equal(page.said, "결제가 완료되었습니다.");
    });

    test("a keyboard finds the button again after a failure", async () => {
      const page = await open();
      page.button.focus();
      page.answers.push([400, { status: "failed" }]);
      await page.click();
      page.button.blur(); // as browsers do when it is disabled
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(page.button.disabled, false);
      assert.equal(page.document.activeElement, page.button);
    });

    test("the focus is left where the buyer has put it meanwhile", async () => {
      const page = await open({ body: markup() + "<input>" });
      page.button.focus();
      page.answers.push([400, { status: "failed" }]);
      await page.click();
      page.document.querySelector("input").focus();
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(page.document.activeElement, page.document.querySelector("input"));
    });

    test("a reload while nothing is known asks on, and does not offer the payment", async () => {
      const first = await open();
      await first.pay(Array(6).fill("fault"));
      const kept = { ...first.window.sessionStorage };
      assert.deepEqual(kept, { "imp-verify:ORD-1001": IMP_UID });
      const page = await open({ storage: kept, before: (made) => made.answers.push("fault") });
      assert.equal(page.button.disabled, true);
      assert.match(page.said, /다시 결제하지 말고/);
      assert.deepEqual(page.posts[0].body, { imp_uid: IMP_UID, merchant_uid: "ORD-1001" });
      page.window.ImpVerify.mount();
      await page.tick(1);
      assert.equal(page.went.length, 1);
      await page.tick(100);
      assert.equal(page.posts.length, 2, "mounted again it asks no more than it did");
      assert.equal(page.window.sessionStorage["imp-verify:ORD-1001"], "");
      const after = await open({ storage: { ...page.window.sessionStorage } });
      assert.equal(after.posts.length, 0);
      assert.equal(after.button.disabled, false);
    });

    test("a reload asks about every payment of which nothing is known", async () => {
      const storage = { "imp-verify:ORD-1001": `${OTHER} ${IMP_UID}` };
      const first = [[400, { status: "failed" }], ...Array(6).fill("fault")];
      const page = await open({ storage, before: (made) => made.answers.push(...first) });
      await page.tick(200);
      assert.equal(page.posts[0].body.imp_uid, OTHER);
      assert.ok(page.posts.slice(1).every((post) => post.body.imp_uid === IMP_UID));
      assert.equal(page.button.disabled, true);
      assert.match(page.said, /다시 결제하지 말고/);
      assert.equal(page.window.sessionStorage["imp-verify:ORD-1001"], IMP_UID);
    });

    describe("a window that was closed while the payment was approved elsewhere", () => {
      // A code that the buyer's phone took a picture of: paid a moment after the button is back.
      const pending = [409, { status: "pending" }];
      const reply = { imp_uid: IMP_UID, success: false, error_msg: "닫힘" };
      const closed = async (options) => {
        const page = await open(options);
        await page.pay([pending, pending], reply);
        await page.tick(1);
        assert.deepEqual(page.events.at(-1), ["result", "closed"]);
        assert.match(page.said, /^닫힘\. 결제창이 닫혔습니다\. 이미 결제했다면 다시 결제하지 말고/);
        return page;
      };
      const comeBack = async (page) => {
        page.document.dispatchEvent(new page.window.Event("visibilitychange"));
        await page.settle();
      };

      test("is asked about again when the buyer is back", async () => {
        const page = await closed();
        await comeBack(page);
        assert.deepEqual(page.events.at(-1), ["result", "success"]);
        assert.equal(page.button.disabled, true);
        assert.equal(page.posts.length, 3);
      });

      test("is asked about no longer than the first time, and offered again", async () => {
        const page = await closed();
        page.answers.push(pending, pending);
        await comeBack(page);
        await page.tick(60);
        assert.equal(page.posts.length, 4);
        assert.deepEqual(page.events.at(-1), ["result", "closed"]);
        await page.click();
        assert.equal(page.opened.length, 2);
      });

      test("is not asked about over the next window", async () => {
        const page = await closed();
        await page.click();
        await comeBack(page);
        assert.equal(page.posts.length, 2);
        assert.equal(page.said, "결제창에서 결제해 주세요.");
      });

      test("is asked about after a reload", async () => {
        const first = await closed();
        const page = await open({ storage: { ...first.window.sessionStorage } });
        assert.deepEqual(page.posts[0].body, { imp_uid: IMP_UID, merchant_uid: "ORD-1001" });
        assert.deepEqual(page.events.at(-1), ["result", "success"]);
      });

      test("is offered again after a reload where it came to nothing", async () => {
        const first = await closed();
        const storage = { ...first.window.sessionStorage };
        const before = (made) => made.answers.push(pending, pending);
        const page = await open({ storage, before });
        assert.equal(page.button.disabled, true);
        await page.tick(60);
        assert.equal(page.posts.length, 2);
        assert.match(page.said, /^결제창이 닫혔습니다\. 이미 결제했다면 다시 결제하지 말고/);
        assert.equal(page.button.disabled, false);
      });
    });

    test("another order's unfinished payment is none of this button's business", async () => {
      const page = await open({ storage: { "imp-verify:ORD-2": OTHER } });
      assert.equal(page.posts.length, 0);
      assert.equal(page.button.disabled, false);
    });

    describe("a button that is given another order while its own is under way", () => {
      const NEXT = config({ params: { merchant_uid: "ORD-2" } });
      const failed = [400, { status: "failed" }];
      const unavailable = [503, { status: "unavailable" }];
      const mount = (page, settings) => page.window.ImpVerify.mount(page.button, settings);
      const given = async () => {
        const page = await open();
        await page.click();
        mount(page, NEXT);
        await page.settle();
        assert.equal(page.button.disabled, true);
        assert.equal(page.said, "결제창에서 결제해 주세요.");
        return page;
      };
      const opensNext = async (page) => {
        assert.equal(page.button.disabled, false);
        await page.click();
        assert.equal(page.opened.at(-1).params.merchant_uid, "ORD-2");
        assert.equal(page.said, "결제창에서 결제해 주세요.");
      };

      test("an outcome that says not to pay again is read until it is mounted again", async () => {
        const page = await given();
        page.answers.push([409, { status: "latePayment" }]);
        await page.reply({ imp_uid: IMP_UID });
        assert.match(page.said, /^마감되었거나 처리할 수 없는 주문이 결제되었습니다\. 다시 결제하지 말고/);
        assert.equal(page.button.disabled, true);
        mount(page, config({ params: { merchant_uid: "ORD-2" } }));
        assert.equal(page.said, "");
        await opensNext(page);
      });

      test("one that came to nothing is read, and the other order can be paid", async () => {
        const page = await given();
        await page.reply({ error_msg: "닫힘" });
        assert.equal(page.said, "닫힘");
        await opensNext(page);
      });

      test("while it is checked the other order waits, and nothing leaves its window", async () => {
        const page = await given();
        page.answers.push(unavailable);
        await page.reply({ imp_uid: IMP_UID });
        await page.click();
        assert.equal(page.opened.length, 1);
        await page.tick(1);
        assert.equal(page.went.length, 1);
        assert.deepEqual(page.events.at(-1), ["result", "success"]);
      });

      test("given its own order again it forgets the other", async () => {
        const page = await given();
        mount(page, config());
        await page.reply({ error_msg: "닫힘" });
        await page.click();
        assert.equal(page.opened.at(-1).params.merchant_uid, "ORD-1001");
      });

      for (const [word, answer] of [["failed", failed], ["forgery", [400, { status: "forgery" }]]]) {
        test(`a callback that comes after all is read on it: ${word}`, async () => {
          const page = await open();
          await page.click();
          await page.tick(100);
          mount(page, NEXT);
          page.answers.push(unavailable, answer);
          await page.reply({ imp_uid: IMP_UID }, page.opened[0]);
          assert.match(page.said, /결제를 확인하고 있습니다/);
          assert.equal(page.button.disabled, true);
          await page.tick(1);
          if (word === "failed") {
            assert.equal(page.said, "결제하지 못했습니다. 다시 시도할 수 있습니다.");
            await opensNext(page);
          } else {
            assert.match(page.said, /주문과 맞지 않는 결제입니다/);
            assert.equal(page.button.disabled, true);
          }
        });
      }
    });

    test("what is paid does not leave another order's window, but one of its own", async () => {
      for (const own of [false, true]) {
        const other = config({ params: { merchant_uid: "ORD-2" } });
        const page = await open({ body: markup() + markup(other, "second") });
        await page.click();
        await page.tick(100);
        await page.click(own ? page.button : page.document.getElementById("second"));
        assert.equal(page.opened.length, 2);
        await page.reply({ imp_uid: IMP_UID }, page.opened[0]);
        assert.deepEqual(page.events.at(-1), ["result", "success"]);
        assert.equal(page.said, "결제가 완료되었습니다.");
        assert.equal(page.went.length, own ? 1 : 0);
      }
    });

    test("what becomes of a button that has left the page is told by the document", async () => {
      const page = await open();
      await page.click();
      page.button.remove();
      page.answers.push([409, { status: "latePayment" }]);
      await page.reply({ imp_uid: IMP_UID });
      assert.deepEqual(page.events.slice(-2), [["change", "unavailable"], ["result", "latePayment"]]);
    });

    test("what becomes of a button that was drawn anew is told by the new one", async () => {
      const page = await open({ body: `<main>${markup()}</main>` });
      await page.click();
      page.document.querySelector("main").innerHTML = markup();
      page.window.ImpVerify.mount();
      const heard = [];
      page.button.addEventListener("imp-verify:result", (event) => heard.push(event.detail.status));
      await page.reply({ imp_uid: IMP_UID });
      assert.deepEqual(heard, ["success"]);
      assert.equal(page.went.length, 1);
    });

    test("a button that was kept off the page says what happens when it is back", async () => {
      const page = await open({ body: `<main>${markup()}</main>` });
      const kept = page.document.querySelector("main");
      kept.remove();
      page.window.ImpVerify.mount();
      page.document.body.append(kept);
      await page.click();
      assert.equal(page.said, "결제창에서 결제해 주세요.");
      page.answers.push(...Array(6).fill("fault"));
      await page.reply({ imp_uid: IMP_UID });
      await page.tick(100);
      assert.match(page.said, /결제를 확인하고 있습니다\. 다시 결제하지 말고/);
      assert.equal(page.button.disabled, true);
    });

    test("a button pressed while another order's window is open says so until that is gone", async () => {
      const other = config({ params: { merchant_uid: "ORD-2" } });
      const page = await open({ body: markup() + markup(other, "second") });
      const second = page.document.getElementById("second");
      const said = page.document.getElementById("second-status");
      await page.click();
      await page.click(second);
      assert.equal(said.textContent, "다른 결제창이 열려 있습니다.");
      assert.deepEqual(page.events.at(-1), ["change", "busy"]);
      assert.equal(page.said, "결제창에서 결제해 주세요.");
      await page.reply({ error_msg: "닫힘" });
      assert.equal(said.textContent, "");
      await page.click(second);
      assert.equal(page.opened.at(-1).params.merchant_uid, "ORD-2");
      await page.reply({ error_msg: "한도 초과" });
      await page.click();
      await page.click(second);
      page.answers.push("fault");
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(said.textContent, "한도 초과", "what was said of its own order before");
    });

    test("where storage is blocked a payment goes on as ever", async () => {
      const page = await open({
        before: ({ window }) =>
          Object.defineProperty(window, "sessionStorage", {
            get() {
              throw new Error("blocked");
            },
          }),
      });
      await page.pay();
      assert.equal(page.went.length, 1);
      assert.deepEqual(page.errors, []);
    });

    test("without AbortController a slow answer is given up all the same", async () => {
      const page = await open({
        before: ({ window }) => {
          const plain = window.fetch;
          window.AbortController = undefined;
          window.fetch = (address, options) =>
            plain(address, { ...options, signal: { addEventListener() {} } });
        },
      });
      await page.pay(["silence"]);
      await page.tick(21);
      assert.equal(page.went.length, 1);
    });
  });

  describe(`${file}, by promise`, () => {
    const shop = async (settings = config(), options = {}) => {
      const page = await open({ body: "<div></div>", ...options });
      const { ImpVerify } = page.window;
      return { page, pay: () => ImpVerify.pay(settings), ImpVerify };
    };

    test("pay resolves with the server's verdict and leaves the page to the shop", async () => {
      const { page, pay } = await shop();
      const promise = pay();
      assert.equal(page.opened.length, 1, "in the caller's turn");
      await page.reply({ imp_uid: IMP_UID });
      assert.deepEqual({ ...(await promise) }, {
        status: "success",
        message: "결제가 완료되었습니다.",
        imp_uid: IMP_UID,
        merchant_uid: "ORD-1001",
      });
      assert.deepEqual(page.went, []);
      assert.deepEqual(page.events, [
        ["change", "open"],
        ["change", "unavailable"],
        ["result", "success"],
      ]);
    });

    test("a second call while one is open gets the same result", async () => {
      const { page, pay } = await shop();
      const both = Promise.all([pay(), pay()]);
      await page.reply({ imp_uid: null, error_msg: "닫힘" });
      const [first, second] = await both;
      assert.equal(first, second);
      assert.equal(first.status, "refused");
      assert.equal(page.opened.length, 1);
    });

    test("another order waits its turn", async () => {
      const { page, pay, ImpVerify } = await shop();
      pay();
      const other = await ImpVerify.pay(config({ params: { merchant_uid: "ORD-2" } }));
      assert.equal(other.status, "busy");
      assert.equal(other.merchant_uid, "ORD-2");
      assert.equal(page.opened.length, 1);
    });

    test("a payment that failed can be tried again and succeed", async () => {
      const { page, pay } = await shop();
      page.answers.push([400, { status: "failed" }]);
      const first = pay();
      await page.reply({ imp_uid: IMP_UID });
      assert.equal((await first).status, "failed");
      const second = pay();
      await page.reply({ imp_uid: OTHER });
      const { status, imp_uid } = await second;
      assert.deepEqual([status, imp_uid], ["success", OTHER]);
    });

    test("a window that did not open carries no id of an earlier attempt", async () => {
      const { page, pay } = await shop();
      page.answers.push([400, { status: "failed" }]);
      const first = pay();
      await page.reply({ imp_uid: IMP_UID });
      assert.equal((await first).imp_uid, IMP_UID);
      const second = pay();
      await page.reply({ error_msg: "닫힘" });
      assert.equal((await second).imp_uid, null);
    });

    test("pay before the SDK is there says so and opens nothing", async () => {
      const { page, pay, ImpVerify } = await shop(config(), { ready: false });
      assert.equal((await pay()).status, "loading");
      assert.equal(page.sdkTags.length, 1);
      page.giveSdk();
      await page.arrive();
      await ImpVerify.load(config());
      pay();
      assert.equal(page.opened.length, 1);
    });

    for (const [what, wrong] of Object.entries({
      "a number as order number": { params: { merchant_uid: 1001 } },
      "text as amount": { params: { amount: "39000" } },
      "D02 a relative return address": { params: { m_redirect_url: "/payments/redirect" } },
      "D02 no return address": { params: { m_redirect_url: undefined } },
      "D02 a relative notice address": { params: { notice_url: "/payments/webhook" } },
      "D02 a relative one of several": {
        params: { notice_url: ["https://shop.test/w", "/payments/webhook"] },
      },
      "D02 a relative confirm address": { params: { confirm_url: "//shop.test/c" } },
      "nowhere to ask": { complete: undefined },
    })) {
      test(`a config that would fail later fails at once: ${what}`, async () => {
        const { page, pay, ImpVerify } = await shop(config(wrong));
        await assert.rejects(pay(), (error) => /^imp-verify: wrong /.test(error.message));
        await assert.rejects(ImpVerify.load(config(wrong)), (e) => e.name === "TypeError");
        assert.equal(page.opened.length, 0);
      });
    }
  });
}
