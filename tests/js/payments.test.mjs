import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { config, FILES, IMP_UID, markup, Page } from "./page.mjs";

const answer = (code, status) => [code, { status, message: "서버의 말" }];
const AGAIN = "다시 결제하지 말고";
const CLOSED = "결제창이 닫혔습니다. 이미 결제했다면 다시 결제하지 말고 주문을 확인해 주세요.";

// The server's table, as the Python tests hand it over: [[code, word], ...].
const TABLE = JSON.parse(process.env.IMP_VERIFY_ANSWERS || "null") || [
  [200, "success"],
  [200, "vbankIssued"],
  [409, "pending"],
  [400, "failed"],
  [409, "cancelled"],
  [409, "duplicatePayment"],
  [409, "latePayment"],
  [400, "forgery"],
  [503, "unavailable"],
  [400, "invalid"],
  [413, "invalid"],
];

for (const file of FILES) {
  const open = (options) => Page.open({ file, ...options });

  describe(file, () => {
    test("J10 the window opens in the click's own turn", async () => {
      const page = await open();
      await page.click();
      assert.equal(page.opened.length, 1);
      assert.equal(page.opened[0].inClick, true);
    });

    test("J08 parameters reach the SDK as they are, but for null ones", async () => {
      const name = `O'Neil "A" \\ 주문 & 끝`;
      const params = { name, amount: 10.99, vbank_due: null, digital: false };
      const page = await open({ body: markup(config({ params })) });
      await page.click();
      const { params: given } = page.opened[0];
      const { vbank_due: left, ...expected } = config({ params }).params;
      assert.equal(left, null);
      assert.deepEqual({ ...given }, expected);
      assert.equal(typeof given.merchant_uid, "string");
      assert.equal(typeof given.amount, "number");
    });

    test("hole 23 the server is asked in JSON about the page's own order number", async () => {
      const page = await open();
      await page.pay([], { imp_uid: IMP_UID, merchant_uid: "ANOTHER" });
      const [post] = page.posts;
      assert.equal(post.address, "/payments/complete");
      assert.equal(post.method, "POST");
      assert.equal(post.headers["Content-Type"], "application/json");
      assert.deepEqual(post.body, { imp_uid: IMP_UID, merchant_uid: "ORD-1001" });
      assert.equal(post.keepalive, true);
      assert.equal(post.credentials, "same-origin"); // for a shop behind a password
    });

    for (const [what, reply] of Object.entries({
      "only ids": { imp_uid: IMP_UID, merchant_uid: "ORD-1001" },
      "success true": { imp_uid: IMP_UID, merchant_uid: "ORD-1001", success: true },
      "success false": { imp_uid: IMP_UID, merchant_uid: "ORD-1001", success: false },
      "imp_success false": { imp_uid: IMP_UID, imp_success: false },
      "an error beside the id": { imp_uid: IMP_UID, error_code: "X", error_msg: "m" },
    })) {
      test(`J01 hole 24 with an imp_uid the server decides, whatever is said: ${what}`, async () => {
        const page = await open();
        await page.pay([answer(200, "success")], reply);
        assert.equal(page.posts.length, 1);
        assert.deepEqual(page.events.at(-1), ["result", "success"]);
      });
    }

    for (const [what, reply, said] of [
      ["an error", { error_code: "X", error_msg: "한도 초과", imp_uid: null }, "한도 초과"],
      ["an error without words", { error_code: "F500" }, "결제창을 열지 못했습니다."],
      ["a flag alone", { imp_success: false }, "결제창을 열지 못했습니다."],
      ["an empty id", { imp_uid: "", error_msg: "m" }, "m"],
    ]) {
      test(`J01 J03 without an imp_uid the failure is shown, no more: ${what}`, async () => {
        const page = await open();
        await page.pay([], reply);
        assert.equal(page.posts.length, 0);
        assert.equal(page.said, said);
        assert.deepEqual(page.events.at(-1), ["result", "refused"]);
        await page.click();
        assert.equal(page.opened.length, 2);
      });
    }

    for (const [what, reply] of [
      ["success", { success: true }],
      ["its order's number", { merchant_uid: "ORD-1001" }],
      ["nothing", null],
    ]) {
      test(`a callback that has no imp_uid and no complaint may be of a payment: ${what}`, async () => {
        const page = await open();
        await page.pay([], reply);
        assert.match(page.said, /이미 결제했다면 다시 결제하지 말고/);
        assert.deepEqual(page.events.at(-1), ["result", "closed"]);
        assert.equal(page.button.disabled, false);
      });
    }

    for (const [code, word] of TABLE) {
      for (const language of ["ko", "en"]) {
        test(`hole 25 there is a sentence for ${code} ${word} in ${language}`, async () => {
          const page = await open({ body: markup(config({ language })) });
          await page.pay(Array(9).fill(answer(code, word)));
          await page.tick(200);
          assert.deepEqual(page.events.at(-1), ["result", word]);
          assert.ok(page.said.length > 10 && page.said !== "서버의 말", page.said);
          assert.equal(/[가-힣]/.test(page.said), language === "ko");
          assert.equal(page.button.disabled, word !== "failed");
        });
      }
    }

    test("sentences differ from word to word", async () => {
      const said = new Set();
      for (const [code, word] of TABLE) {
        const page = await open();
        await page.pay(Array(9).fill(answer(code, word)));
        await page.tick(200);
        said.add(page.said);
      }
      assert.equal(said.size, new Set(TABLE.map(([, word]) => word)).size);
    });

    for (const [language, words] of [["ko", "판매자에게 문의"], ["en", "contact the shop"]]) {
      test(`a second payment is not promised back by who cannot: ${language}`, async () => {
        const page = await open({ body: markup(config({ language })) });
        await page.pay([answer(409, "duplicatePayment")]);
        assert.match(page.said, new RegExp(words));
        assert.doesNotMatch(page.said, /환불됩니다|will be refunded/);
      });
    }

    for (const [language, words] of [["ko", "처리할 수 없는"], ["en", "cannot be fulfilled"]]) {
      test(`a payment that the shop itself gives back is not only called late: ${language}`, async () => {
        const page = await open({ body: markup(config({ language })) });
        await page.pay([answer(409, "latePayment")]);
        assert.match(page.said, new RegExp(words));
      });
    }

    for (const word of ["success", "vbankIssued"]) {
      test(`hole 26 ${word} goes where a buyer on a phone comes back to`, async () => {
        const page = await open();
        await page.pay([answer(200, word)]);
        const address = "https://shop.test/payments/redirect";
        assert.deepEqual(page.went, [`${address}?imp_uid=${IMP_UID}&merchant_uid=ORD-1001`]);
        assert.equal(page.button.disabled, true);
      });
    }

    test("a return address keeps its query and fragment, and numbers are encoded", async () => {
      const m_redirect_url = "https://shop.test/payments/redirect?a=1#b#c";
      const body = markup(config({ params: { m_redirect_url, merchant_uid: "주문 1&2#3" } }));
      const page = await open({ body });
      await page.pay();
      const [went] = page.went;
      const address = new URL(went);
      assert.equal(address.searchParams.get("a"), "1");
      assert.equal(address.searchParams.get("imp_uid"), IMP_UID);
      assert.equal(address.searchParams.get("merchant_uid"), "주문 1&2#3");
      assert.equal(address.hash, "#b#c");
    });

    test("the way back needs no class that the oldest browsers have not", async () => {
      const page = await open();
      delete page.window.URLSearchParams;
      await page.pay();
      const address = "https://shop.test/payments/redirect";
      assert.deepEqual(page.went, [`${address}?imp_uid=${IMP_UID}&merchant_uid=ORD-1001`]);
    });

    test("a listener that prevents the default keeps the buyer on the page", async () => {
      const page = await open();
      page.document.addEventListener("imp-verify:result", (event) => event.preventDefault());
      await page.pay();
      assert.deepEqual(page.went, []);
      assert.equal(page.said, "결제가 완료되었습니다.");
    });

    for (const [what, trouble] of Object.entries({
      503: answer(503, "unavailable"),
      "a 500 that says success": answer(500, "success"),
      "a 502 that says failed": answer(502, "failed"),
      "a 404 that says success": answer(404, "success"),
      "a 429 that says failed": answer(429, "failed"),
      "a 200 that says failed": answer(200, "failed"),
      "a 409 that says failed": answer(409, "failed"),
      "a 200 that says cancelled": answer(200, "cancelled"),
      "a 403 that says forgery": answer(403, "forgery"),
      "HTML": [200, "<html>"],
      "an array": [200, []],
      "null": [200, "null"],
      "a word that is no text": [200, { status: 7 }],
      "an object's own key": [200, { status: "constructor" }],
      "a word of ours": [200, { status: "closed" }],
      "a word that is not known": [200, { status: "somethingNew" }],
      "an empty body": [200, ""],
      "a network fault": "fault",
    })) {
      test(`what is not understood is asked again: ${what}`, async () => {
        const page = await open();
        await page.pay([trouble]);
        assert.match(page.said, /결제를 확인하고 있습니다\. 다시 결제하지 말고/);
        assert.equal(page.button.disabled, true);
        assert.equal(page.button.getAttribute("aria-busy"), "true");
        assert.equal(page.posts.length, 1);
        await page.tick(1);
        assert.equal(page.posts.length, 2);
        assert.equal(page.went.length, 1);
      });
    }

    test("an answer that never comes is given up, and asked again", async () => {
      const page = await open();
      await page.pay(["silence"]);
      await page.tick(20);
      assert.equal(page.posts[0].signal.aborted, true);
      assert.equal(page.posts.length, 1);
      await page.tick(1);
      assert.equal(page.went.length, 1);
    });

    test("questions come further and further apart, and end with the button closed", async () => {
      const page = await open();
      await page.pay(Array(20).fill("fault"));
      const times = [];
      for (let second = 0; second < 100; second += 1) {
        if (page.posts.length > times.length) times.push(second);
        await page.tick(1);
      }
      assert.deepEqual(times, [0, 1, 3, 7, 15, 31]);
      assert.deepEqual(page.events.at(-1), ["result", "unavailable"]);
      assert.match(page.said, /결제를 확인하고 있습니다/);
      assert.equal(page.button.disabled, true);
      assert.equal(page.button.getAttribute("aria-busy"), "false");
    });

    test("Retry-After is kept where a page of HTML says it, as a limit before the shop does", async () => {
      const page = await open();
      await page.pay([[429, "<html>", { "Retry-After": "10" }]]);
      await page.tick(9);
      assert.equal(page.posts.length, 1);
      await page.tick(1);
      assert.equal(page.posts.length, 2);
    });

    for (const [header, first] of [["10", 10], ["0", 1], ["-5", 1], ["9999", 30], ["1e999", 30],
      ["soon", 1], ["Wed, 21 Oct 2026 07:28:00 GMT", 1]]) {
      test(`Retry-After ${header} is kept within bounds`, async () => {
        const page = await open();
        await page.pay([[503, { status: "unavailable" }, { "Retry-After": header }]]);
        await page.tick(first - 0.5);
        assert.equal(page.posts.length, 1);
        await page.tick(0.5);
        assert.equal(page.posts.length, 2);
      });
    }

    test("J07 two clicks open one window", async () => {
      const page = await open();
      await page.click();
      await page.click();
      page.window.ImpVerify.pay(config());
      assert.equal(page.opened.length, 1);
    });

    test("J07 a callback that comes twice asks once", async () => {
      const page = await open();
      await page.pay(["fault"]);
      await page.reply({ imp_uid: IMP_UID, success: true });
      await page.reply({ error_msg: "late" });
      assert.match(page.said, /결제를 확인하고 있습니다/);
      await page.tick(100);
      assert.equal(page.posts.length, 2, "the one question, and again after the fault");
      assert.deepEqual(page.events.at(-1), ["result", "success"]);
    });

    test("J07 the file included twice and mounted again starts one payment", async () => {
      const page = await open();
      page.include();
      page.window.ImpVerify.mount();
      await page.settle();
      await page.click();
      assert.equal(page.opened.length, 1);
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
    });

    test("J07 in a form the button does not send it", async () => {
      const sent = [];
      const body = `<form id="f">${markup()}</form>`.replace('type="button"', 'type="submit"');
      const page = await open({ body, ready: false });
      page.document.getElementById("f").addEventListener("submit", (event) => {
        event.preventDefault();
        sent.push(event);
      });
      await page.arrive("error");
      await page.click();
      assert.equal(sent.length, 0, "not even where no window can open");
      page.giveSdk();
      await page.arrive();
      await page.click();
      assert.equal(page.opened.length, 1);
      assert.equal(sent.length, 0);
    });

    test("two buttons of one order pay it once", async () => {
      const vbank = config({ params: { pay_method: "vbank" } });
      const page = await open({ body: markup() + markup(vbank, "second") });
      const second = page.document.getElementById("second");
      await page.click();
      assert.equal(second.disabled, true);
      await page.reply({ imp_uid: IMP_UID });
      assert.equal(second.disabled, true);
      page.window.ImpVerify.pay(vbank);
      assert.equal(page.opened.length, 1);
      assert.equal(page.document.getElementById("second-status").textContent, page.said);
    });

    test("each button opens its own order with its own parameters", async () => {
      const other = config({ params: { merchant_uid: "ORD-2", amount: 500 } });
      const page = await open({ body: markup() + markup(other, "second") });
      await page.click(page.document.getElementById("second"));
      assert.equal(page.opened[0].params.merchant_uid, "ORD-2");
      await page.click();
      assert.equal(page.opened.length, 1, "one window at a time");
      await page.reply({ error_msg: "closed" });
      await page.click();
      assert.equal(page.opened[1].params.merchant_uid, "ORD-1001");
      assert.deepEqual(page.calls.inits, [["imp00000000"]]);
    });

    test("what the gateway says is shown as text, and clipped", async () => {
      const page = await open();
      const text = "<img src=x onerror=alert(1)>" + "가".repeat(1000);
      await page.pay([], { error_msg: text });
      assert.equal(page.said, text.slice(0, 200));
      assert.equal(page.document.querySelector("img"), null);
    });

    test("a declined payment shows the gateway's own words", async () => {
      const page = await open();
      const reply = { imp_uid: IMP_UID, error_code: "1", error_msg: "한도 초과" };
      await page.pay([answer(400, "failed")], reply);
      assert.equal(page.said, "한도 초과");
      assert.equal(page.button.disabled, false);
    });

    test("the gateway's words do not replace what matters more", async () => {
      const page = await open();
      await page.pay([answer(400, "forgery")], { imp_uid: IMP_UID, error_msg: "다시 결제하세요" });
      assert.match(page.said, /주문과 맞지 않는 결제입니다/);
    });

    test("a window closed by the buyer gives the button back after one more question", async () => {
      const page = await open();
      const reply = { imp_uid: IMP_UID, success: false, error_msg: "사용자가 결제를 취소하셨습니다" };
      await page.pay(Array(2).fill(answer(409, "pending")), reply);
      assert.equal(page.button.disabled, true);
      await page.tick(1);
      assert.equal(page.posts.length, 2);
      assert.equal(page.said, `${reply.error_msg}. ${CLOSED}`);
      assert.deepEqual(page.events.at(-1), ["result", "closed"]);
      await page.click();
      assert.equal(page.opened.length, 2);
    });

    for (const complaint of [
      { error_code: "X" },
      { success: false },
      { imp_success: false },
      { success: "False" },
      { imp_success: "false" },
    ]) {
      const what = JSON.stringify(complaint);
      test(`a complaint without words gives the button back as well: ${what}`, async () => {
        const page = await open();
        const reply = { imp_uid: IMP_UID, ...complaint };
        await page.pay(Array(2).fill(answer(409, "pending")), reply);
        await page.tick(1);
        assert.equal(page.said, CLOSED);
        assert.equal(page.button.disabled, false);
      });
    }

    test("a complaint without words about a payment that failed is told by our own", async () => {
      const page = await open();
      await page.pay([answer(400, "failed")], { imp_uid: IMP_UID, success: false });
      assert.equal(page.said, "결제하지 못했습니다. 다시 시도할 수 있습니다.");
    });

    test("a complaint about a payment that succeeds in the end is not believed", async () => {
      const page = await open();
      await page.pay([answer(409, "pending")], { imp_uid: IMP_UID, success: false });
      await page.tick(1);
      assert.deepEqual(page.events.at(-1), ["result", "success"]);
    });

    test("a payment that is pending without a complaint keeps the button closed", async () => {
      const page = await open();
      await page.pay(Array(9).fill(answer(409, "pending")));
      await page.tick(100);
      assert.equal(page.posts.length, 6);
      assert.match(page.said, new RegExp(AGAIN));
      assert.equal(page.button.disabled, true);
      assert.equal(page.window.sessionStorage.length, 1);
    });

    test("a server of another origin that no page may read is named with CORS in the console", async () => {
      const complete = "https://api.shop.test/payments/complete";
      const page = await open({ body: markup(config({ complete })) });
      await page.pay(["fault"]);
      assert.match(String(page.errors), /CORS at https:\/\/api\.shop\.test\?/);
      const own = await open();
      await own.pay(["fault"]);
      assert.deepEqual(own.errors, []);
    });

    test("a browser that sends no keepalive to another origin asks without it", async () => {
      const complete = "https://api.shop.test/payments/complete";
      const page = await open({
        body: markup(config({ complete })),
        before: ({ window }) => {
          const { fetch } = window;
          window.fetch = async (address, options) => {
            // As Chrome up to 80 has it, where the request needs a preflight.
            if (options.keepalive) throw new TypeError("Failed to fetch");
            return fetch(address, options);
          };
        },
      });
      await page.pay();
      await page.tick(1);
      assert.deepEqual(page.events.at(-1), ["result", "success"]);
    });

    test("an SDK that throws says so, and the button works", async () => {
      const page = await open();
      page.window.IMP.request_pay = () => {
        throw new Error("boom");
      };
      await page.click();
      assert.equal(page.said, "결제창을 열지 못했습니다.");
      assert.equal(page.button.disabled, false);
      assert.equal(page.errors.length, 1);
    });
  });
}
