/*
 * The browser's half of a payment: opens the window and tells the server that it ended.
 *
 * It decides nothing. Whatever the SDK's callback says, the server looks the payment up and its
 * answer is what the buyer is shown.
 *
 * One file, used as a classic script or as an ES module:
 *
 *     <script src="/payments/imp-verify.js" defer></script>
 *     import "/payments/imp-verify.js";              // then the same window.ImpVerify
 *
 * It has no `export`, which a classic script may not hold. However often and in whatever way it is
 * loaded, there is one `window.ImpVerify` on a page. To be served with `charset=utf-8`: as a classic
 * script it would otherwise be read in the page's own encoding.
 *
 * Syntax is ES2017: Chrome 55, Edge 15, Firefox 52, Safari 10.1 (iOS 10.3), Samsung Internet 6.2;
 * as a module Chrome 61, Edge 16, Firefox 60, Safari 10.1, Samsung Internet 8.2.
 * Anything newer is looked for before it is used.
 *
 * A page holds a button, an element for what is said, and inert data that names the button:
 *
 *     <button type="button" id="pay" disabled>Pay</button>   (enabled once it works)
 *     <p id="pay-status" role="status"></p>          (made after the button where there is none)
 *     <script type="application/json" data-imp-verify="pay">{ ...CONFIG }</script>
 *
 * CONFIG, a JSON object:
 *
 *   complete  text, required. Where `{imp_uid, merchant_uid}` is POSTed: `{prefix}/complete`,
 *             best without a host, so that it is of the page's own origin on every host.
 *   params    object, required. What `IMP.request_pay` gets, as it is; keys that are null are left
 *             out. Three of them are required here: `merchant_uid`, text; `amount`, a JSON number
 *             in the currency's main unit; `m_redirect_url`, `{prefix}/redirect` as an absolute
 *             address. `notice_url` and `confirm_url`, where given, are absolute too.
 *   userCode  text. For `IMP.init`; left out where the page has called `IMP.init` by itself.
 *   tier      text. A sub-store's code: `IMP.agency` takes the place of `IMP.init`.
 *   sdk       text. The SDK's address; left out it is SDK below. A page that has `window.IMP`, or a
 *             script tag with this address, is not given a second one.
 *   jquery    text. Loaded before the SDK where there is no `window.jQuery`; for the SDK
 *             `iamport.payment-{version}.js`, which needs it.
 *   language  "ko" or "en". Left out it follows `<html lang>`.
 *
 * What happens is told by events on the pressed button (on `document` for `pay()`, and where the
 * button has left the page); they bubble:
 *
 *   imp-verify:change  the state or its sentence changed
 *   imp-verify:result  it ended. A button then goes to `m_redirect_url` on `success` and
 *                      `vbankIssued`, where the server looks again and lands on the shop's page;
 *                      `event.preventDefault()` keeps the buyer here, and so does another
 *                      order's window that is open.
 *
 * A button that is given another order while its own is under way goes on with its own, and takes
 * the other up once that came to nothing. After an outcome that says not to pay again the buyer
 * reads that until the button is mounted again.
 *
 * `event.detail` is the Result of imp-verify.d.ts, which types all of this.
 */
(function (window, document) {
  "use strict";

  if (window.ImpVerify) {
    window.ImpVerify.mount();
    return;
  }

  const SDK = "https://cdn.iamport.kr/v1/iamport.js";
  const WAITS = [1, 2, 4, 8, 16]; // seconds before each further question
  const LONGEST_WAIT = 30; // seconds, whatever Retry-After says
  const LONGEST_ANSWER = 20; // seconds for one answer; the server's own limits are shorter
  const LONGEST_TEXT = 200; // characters of what the gateway says
  const SLOW = 10; // seconds after which a buyer who sees no window is told to wait
  const UNSEEN = 60; // seconds after which a window that was never seen has not opened
  const PAYABLE = 200; // pixels that a frame has at least, each way, in which a buyer can pay
  const CLOSING = 3; // seconds that the SDK may take to close its own window
  // Seconds without a window after which it counts as gone: a frame was seen and the buyer is back
  // on a page that stays; it was not seen itself, or the page may be about to leave; it is leaving.
  const GONE = 3;
  const UNSURE = 15;
  const LEAVING = 60;
  // The SDK posts the page itself to the PG there, some time after its own dialog has gone.
  const PHONE = /Android|iPhone|iPad|iPod|Mobi/i.test(window.navigator.userAgent);

  // Korean, English, and the end of a sentence that several share.
  const LOOK = ["다시 결제하지 말고 주문을 확인해 주세요.", "do not pay again; look at your order."];
  const CONTACT = ["다시 결제하지 말고 판매자에게 문의해 주세요.", "do not pay again but contact the shop."];
  const TEXTS = {
    // Words of the server's table, all of them, in the order of CODES.
    success: ["결제가 완료되었습니다.", "The payment is complete."],
    vbankIssued: [
      "발급된 가상계좌로 입금해 주세요.",
      "Please pay into the virtual account.",
    ],
    pending: ["결제가 아직 끝나지 않았습니다.", "The payment is not finished yet:", LOOK],
    cancelled: [
      "취소된 결제입니다. 주문을 확인해 주세요.", // it may be paid by another
      "The payment was cancelled. Please look at your order.",
    ],
    duplicatePayment: [
      "이미 결제된 주문입니다. 두 번째 결제의 환불은 판매자에게 문의해 주세요.",
      "This order is paid already. Please contact the shop about a refund of the second payment.",
    ],
    latePayment: [
      "마감되었거나 처리할 수 없는 주문이 결제되었습니다.", // or the shop itself gives it back
      "You paid for an order that is closed or cannot be fulfilled:",
      CONTACT,
    ],
    failed: [
      "결제하지 못했습니다. 다시 시도할 수 있습니다.",
      "The payment failed. You can try again.",
    ],
    forgery: ["주문과 맞지 않는 결제입니다.", "The payment does not match the order:", CONTACT],
    invalid: ["결제를 확인할 수 없습니다.", "The payment cannot be checked:", CONTACT],
    unavailable: ["결제를 확인하고 있습니다.", "The payment is being checked:", LOOK],
    // Our own.
    open: ["결제창에서 결제해 주세요.", "Pay in the payment window."],
    slow: [
      "결제창이 아직 열리지 않았습니다. 잠시만 기다려 주세요.",
      "The payment window has not opened yet. Please wait.",
    ],
    refused: ["결제창을 열지 못했습니다.", "The payment window did not open."],
    closed: [
      "결제창이 닫혔습니다. 이미 결제했다면",
      "The payment window is gone. If you have paid,",
      LOOK,
    ],
    loading: [
      "결제 준비 중입니다. 잠시 뒤 다시 눌러 주세요.",
      "Still loading. Press again soon.",
    ],
    notLoaded: [
      "결제 모듈을 불러오지 못했습니다. 다시 눌러 주세요.",
      "Loading failed. Press again.",
    ],
    busy: ["다른 결제창이 열려 있습니다.", "Another payment window is open."],
    look: ["주문 확인하기", "See the order"],
  };
  const ANSWERS = Object.keys(TEXTS);
  const CODES = [200, 200, 409, 409, 409, 409, 400, 400, 400];
  // After these no money is under way, so that the buyer may press again.
  const AGAIN = ["failed", "refused", "closed"];
  // And these are asked about again.
  const OPEN_ENDED = ["unavailable", "pending"];

  const script = document.currentScript; // null in a module
  const orders = new Map(); // by merchant_uid
  const known = new WeakMap(); // by button: its view, also while it is not on the page
  let views = []; // what is on the page: {button, said, config, order, next, loads}
  let current = null; // the one attempt whose window is open
  let loading = null;
  let trouble = ""; // why the SDK opens no window, of any order: a key of TEXTS
  let wakes = []; // ends the wait before a further question
  let initialised = null; // the SDK object that was given a user code
  let account;
  let policy;

  const warn = (error) => window.console.error(error);
  const sleep = (seconds) => new Promise((wake) => window.setTimeout(wake, seconds * 1000));
  const list = (selector, root) => [...root.querySelectorAll(selector)];
  const opened = (order) => current && current.order === order;
  const over = (order) => order.result && !AGAIN.includes(order.result.status);
  const underWay = (order) => opened(order) || order.checks;
  const locked = (order) => underWay(order) || over(order);
  const here = (button) => button.isConnected !== false; // old browsers do not say

  function say(status, config) {
    const text = TEXTS[status];
    const n = /^en/i.test(config.language || document.documentElement.lang) ? 1 : 0;
    return text[2] ? text[n] + " " + text[2][n] : text[n];
  }

  function checked(config) {
    const params = config.params;
    const optional = [].concat(params.notice_url || [], params.confirm_url || []);
    const addresses = [params.m_redirect_url, ...optional];
    const wrong = (what) => {
      throw new TypeError("imp-verify: wrong " + what);
    };
    // The gateway refuses other types since 2024-03-15, and a return address that is relative or
    // missing loses the result on phones.
    if (typeof params.merchant_uid !== "string") wrong("merchant_uid");
    if (typeof params.amount !== "number") wrong("amount");
    if (!addresses.every((address) => /^https?:\/\//.test(address))) wrong("address");
    if (!config.complete) wrong("complete");
    return config;
  }

  function orderOf(config) {
    const number = checked(config).params.merchant_uid;
    const order = orders.get(number) || {
      number,
      checks: 0,
      asked: new Set(),
      unknown: new Map(), // asked, and without a last answer: what the callback complained of
      last: {},
    };
    orders.set(number, order);
    order.config = config;
    return order;
  }

  // A buyer who reloads while nothing is known must not be offered the payment again. Gives the
  // payments without a last answer, or takes them; with "!" where the callback complained.
  function remembered(order, unknown) {
    const key = "imp-verify:" + order.number;
    try {
      const storage = window.sessionStorage;
      const mark = ([impUid, complaint]) => impUid + (complaint ? "!" : "");
      if (unknown) storage.setItem(key, [...unknown].map(mark).join(" "));
      return storage.getItem(key).split(" ");
    } catch (blocked) {
      // Nothing yet, or storage is switched off: only this convenience is lost.
      return [];
    }
  }

  // ---- What is shown and told

  function draw(view) {
    const { order, button, said } = view;
    const message = order.last.message || (trouble && say(trouble, order.config)) || view.before;
    const unknown = unsure(order) && !underWay(order);
    const disabled = Boolean(view.loads || locked(order));
    const focused = document.activeElement;
    // A button that is disabled loses the focus: a keyboard would be sent to the top of the page.
    if (disabled && !button.disabled) view.focused = focused === button;
    button.disabled = disabled;
    if (!disabled && view.focused && (!focused || focused === document.body)) button.focus();
    if (!disabled) view.focused = false;
    button.setAttribute("aria-busy", Boolean(underWay(order)));
    // Written only when it is news, or a screen reader says it again.
    if (view.message === message + unknown) return;
    view.message = message + unknown;
    said.textContent = message;
    said.lang = /[가-힣]/.test(message) ? "ko" : "en"; // the gateway's are Korean on any page
    if (!unknown) return;
    const link = document.createElement("a");
    link.href = wayBack(order);
    link.textContent = say("look", order.config);
    said.appendChild(document.createTextNode(" "));
    said.appendChild(link);
  }

  const unsure = (order) => order.result && OPEN_ENDED.includes(order.result.status);

  // The same way that a buyer on a phone comes back, with the same landing.
  function wayBack(order) {
    const [address, ...fragment] = order.config.params.m_redirect_url.split("#");
    const query = (address.includes("?") ? "&imp_uid=" : "?imp_uid=") + order.impUid +
      "&merchant_uid=" + encodeURIComponent(order.number);
    return [address + query, ...fragment].join("#");
  }

  const result = (order, status, message) => ({
    status,
    message: message || say(status, order.config),
    imp_uid: order.impUid || null,
    merchant_uid: order.number,
  });

  const drawAll = (order) => views.filter((view) => view.order === order).forEach(draw);

  function tell(order, kind, status, message) {
    const detail = (order.last = result(order, status, message));
    drawAll(order);
    const { button } = order;
    return (button && here(button) ? button : document).dispatchEvent(
      new window.CustomEvent("imp-verify:" + kind, { bubbles: true, cancelable: true, detail })
    );
  }

  function end(order, status, message, impUid) {
    const before = order.result;
    // What came to nothing does not end it while another payment may come of it.
    if (AGAIN.includes(status) && (order.checks || opened(order))) return;
    // And what is paid, or may be, is not undone by another attempt that came to nothing.
    if (over(order) && AGAIN.includes(status) && before.imp_uid !== impUid) {
      ({ status, message } = before);
      order.impUid = before.imp_uid;
    }
    order.promise = null;
    order.result = result(order, status, message);
    const go = tell(order, "result", status, message);
    order.resolve(order.last);
    // Leaving would take another order's window along.
    const free = !current || opened(order);
    if (go && free && order.button && ANSWERS.indexOf(status) < 2) {
      window.location.assign(wayBack(order));
    }
    if (over(order)) return;
    views.forEach((view) => {
      if (view.order === order && view.next) attach(view.button, view.next);
    });
  }

  function begin(order) {
    order.promise = order.promise || new Promise((resolve) => (order.resolve = resolve));
    return order.promise;
  }

  // ---- Asking the server

  async function post(order, impUid, again, signal) {
    const answer = await window.fetch(order.config.complete, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ imp_uid: impUid, merchant_uid: order.number }),
      credentials: "same-origin",
      // It arrives though the buyer closes the page. Not the second time: Chrome up to 80 refuses
      // it where another origin is asked.
      keepalive: !again,
      signal,
    });
    const wait = Number(answer.headers.get("Retry-After")) || 0;
    // A word counts with its own code only: what stands between may answer in our place.
    const code = answer.status === 413 ? 400 : answer.status;
    const word = CODES.includes(code) && (await answer.json()).status;
    const known = code === CODES[ANSWERS.indexOf(word)];
    return { word: known ? word : "unavailable", wait };
  }

  function ask(order, impUid, again) {
    const stop = window.AbortController && new window.AbortController();
    const unknown = { word: "unavailable", wait: 0 };
    return Promise.race([
      post(order, impUid, again, stop ? stop.signal : undefined).catch(() => {
        const server = document.createElement("a"); // it takes any text for an address
        server.href = order.config.complete;
        if (server.origin !== window.location.origin) {
          warn("imp-verify: no answer that the page may read. CORS at " + server.origin + "?");
        }
        return unknown;
      }),
      sleep(LONGEST_ANSWER).then(() => {
        if (stop) stop.abort();
        return unknown;
      }),
    ]);
  }

  /*
   * Ask until the answer is final. A payment that is still `ready` may be on its way, also where
   * the callback complained: the PG's notice and the browser race. One more question is enough
   * there, for mostly the buyer just closed the window and waits for the button. It may have been
   * approved on a phone that very moment, so it is not forgotten: see askAgain.
   */
  async function check(order, impUid, complaint) {
    for (let asked = 0; ; asked += 1) {
      const { word, wait } = await ask(order, impUid, asked);
      const again = OPEN_ENDED.includes(word);
      const status = word === "pending" && complaint && asked ? "closed" : word;
      order.impUid = impUid;
      if (!again || status === "closed" || asked === WAITS.length) {
        let said = typeof complaint === "string" && AGAIN.includes(status) ? complaint : "";
        if (said && again) said = said.replace(/[^.!?]$/, "$&.") + " " + say(status, order.config);
        order.checks -= 1;
        if (!again) order.unknown.delete(impUid);
        remembered(order, order.unknown);
        return end(order, status, said, impUid);
      }
      tell(order, "change", word);
      const waits = [sleep(Math.min(LONGEST_WAIT, Math.max(WAITS[asked], wait)))];
      if (!wait) waits.push(new Promise((wake) => wakes.push(wake)));
      await Promise.race(waits);
    }
  }

  // Never twice for one id, and one question at a time: a second imp_uid waits for the first.
  function complete(order, impUid, complaint) {
    begin(order);
    order.checks += 1;
    order.impUid = impUid;
    order.asked.add(impUid);
    // Its button may show another order by now: the buyer is to read what becomes of this one.
    views.forEach((view) => {
      if (view.button !== order.button || view.order === order || underWay(view.order)) return;
      view.next = view.config;
      show(view, order, order.config);
    });
    remembered(order, order.unknown.set(impUid, complaint));
    tell(order, "change", "unavailable");
    order.work = Promise.resolve(order.work).then(() => check(order, impUid, complaint));
  }

  // ---- The payment window

  function answered(attempt, reply) {
    const order = attempt.order;
    const said = reply || {};
    const impUid = said.imp_uid;
    const message = String(said.error_msg || "").trim().slice(0, LONGEST_TEXT);
    const wrong = said.error_code || /\b(false|0)\b/i.test([said.success, said.imp_success]);
    const waited = current === attempt;
    if (impUid) {
      if (waited) gone();
      // Also where the window was given up before; and a window that takes up an earlier attempt
      // has news of it.
      const complaint = message || Boolean(wrong);
      if (waited || !order.asked.has(impUid)) complete(order, impUid, complaint);
    } else if (waited) {
      // Of no complaint either nothing is known, and it may be paid.
      const status = message || wrong ? "refused" : "closed";
      closed(attempt).then(() => give(attempt, status, message));
    }
  }

  const frames = () => list("iframe", document).filter((frame) => frame.getClientRects().length);

  // A page's counters and banners come and go in frames too.
  function payable(frame) {
    const { width, height } = frame.getBoundingClientRect();
    return width >= PAYABLE && height >= PAYABLE;
  }

  const shows = (attempt) =>
    frames().some((frame) => payable(frame) && !attempt.before.includes(frame));

  /*
   * The SDK calls back first, then hides its frame and builds it anew: a payment that is begun
   * before that is closed with it.
   */
  async function closed(attempt) {
    await sleep(0);
    for (let waited = 0; shows(attempt) && waited < CLOSING; waited += 0.1) await sleep(0.1);
  }

  // Who was told that it is in the way may press again.
  function gone() {
    current = null;
    orders.forEach((order) => {
      if (order.last.status !== "busy") return;
      order.last = order.result || {};
      drawAll(order);
    });
  }

  function give(attempt, status, message) {
    if (current !== attempt) return;
    gone();
    end(attempt.order, status, message);
  }

  /*
   * Some windows go without a callback, some never come, and some come late: a service's frame can
   * take seconds, and on a phone the page itself leaves some time after a dialog. The button comes
   * back once none can be open any more. Where a frame was seen, it is that frame that is gone;
   * else the buyer was away (a popup, another app) and is back: then the focus tells, which the page
   * of an app may never have. Where a popup was asked for on a desktop a frame may be anybody's,
   * and ends nothing. A callback that comes later is still heard.
   */
  function watch(attempt) {
    const seen = { frame: false, away: false, leaving: false };
    const marks = { blur: "away", beforeunload: "leaving" };
    const note = (event) => (seen[marks[event.type]] = true);
    let age = 0;
    let quiet = 0;
    Object.keys(marks).forEach((type) => window.addEventListener(type, note));
    (function look() {
      const order = attempt.order;
      const shown = shows(attempt);
      if (shown) seen.frame = true;
      // In Chromium a frame that is removed takes the focus with it, until the page has it again.
      else if (seen.frame && !quiet) window.focus();
      const focused = document.hasFocus();
      if (document.hidden) seen.away = true;
      const any = seen.frame || seen.away || seen.leaving;
      const framed = seen.frame && (PHONE || !attempt.popup);
      const away = !framed && seen.away && !focused;
      quiet = !any || shown || document.hidden || away ? 0 : quiet + 1;
      const sure = framed && focused && !PHONE;
      if (current === attempt) {
        if (quiet > (seen.leaving ? LEAVING : sure ? GONE : UNSURE)) give(attempt, "closed");
        // A popup may have been there all the same, where nothing tells of the focus.
        else if (!any && age === UNSEEN) give(attempt, attempt.popup ? "closed" : "refused");
        else if (!any && age === SLOW) tell(order, "change", "slow");
        else if (any && order.last.status === "slow") tell(order, "change", "open");
      }
      age += 1;
      if (current === attempt) window.setTimeout(look, 1000);
      else Object.keys(marks).forEach((type) => window.removeEventListener(type, note));
    })();
  }

  function request(order) {
    const given = order.config.params;
    const attempt = { order, before: frames(), popup: given.popup };
    const params = {};
    Object.keys(given).forEach((name) => {
      if (given[name] !== null) params[name] = given[name];
    });
    const promise = begin(order);
    current = attempt;
    order.impUid = null;
    tell(order, "change", "open");
    watch(attempt);
    try {
      window.IMP.request_pay(params, (reply) => answered(attempt, reply));
    } catch (error) {
      warn(error);
      give(attempt, "refused");
    }
    return promise;
  }

  /*
   * Everything up to request_pay happens in the caller's turn: a browser blocks a window that opens
   * later than the click.
   */
  function press(config, button) {
    const order = orderOf(config);
    if (order.promise) return order.promise;
    if (locked(order)) return order.result;
    order.button = button;
    if (current) {
      if (button) tell(order, "change", "busy");
      return result(order, "busy");
    }
    if (window.IMP) {
      initialise(config);
      return request(order);
    }
    order.last = {};
    stillLoading();
    load(config).catch(warn);
    return result(order, "loading");
  }

  // ---- The SDK

  // For pages that enforce Trusted Types: `trusted-types imp-verify`.
  function trusted(address) {
    const types = window.trustedTypes;
    if (!types) return address;
    policy = policy || types.createPolicy("imp-verify", { createScriptURL: (text) => text });
    return policy.createScriptURL(address);
  }

  function bring(address, name) {
    return new Promise((resolve, reject) => {
      const tag = document.createElement("script");
      tag.src = trusted(address);
      tag.onerror = () => reject(new Error("imp-verify: no " + name + " from " + address));
      tag.onload = () => (window[name] ? resolve() : tag.onerror());
      const insert = () => {
        if (window[name]) return resolve();
        // A policy with nonces asks for it. Browsers hide the attribute, older ones have only that.
        const named = script && script.nonce ? script : document.querySelector("script[nonce]");
        if (named) tag.setAttribute("nonce", named.nonce || named.getAttribute("nonce"));
        document.head.appendChild(tag);
      };
      // A second copy would put an uninitialised object into the place of the page's own.
      const own = list("script", document).find((there) => there.src === tag.src);
      if (!own || document.readyState === "complete") return insert();
      own.addEventListener("load", insert);
      window.addEventListener("load", insert);
    });
  }

  function stillLoading() {
    trouble = "loading";
    views.forEach(draw);
  }

  async function fetchSdk(config) {
    // A button that stays disabled without a word looks broken.
    sleep(SLOW).then(() => loading && !window.IMP && stillLoading());
    if (config.jquery) await bring(config.jquery, "jQuery");
    await bring(config.sdk || SDK, "IMP");
  }

  async function load(config) {
    loading = loading || (window.IMP ? Promise.resolve() : fetchSdk(config));
    try {
      await loading;
      trouble = "";
    } catch (error) {
      loading = null; // the next press tries again
      trouble = "notLoaded";
      throw error;
    } finally {
      views.forEach((view) => {
        view.loads = false;
        draw(view);
      });
    }
    initialise(config);
  }

  function initialise(config) {
    const wanted = config.userCode + " " + (config.tier || "");
    if (!config.userCode) return;
    if (initialised !== window.IMP) {
      initialised = window.IMP;
      account = wanted;
      try {
        if (config.tier) window.IMP.agency(config.userCode, config.tier);
        else window.IMP.init(config.userCode);
      } catch (error) {
        warn(error); // the page did it: once is enough, and request_pay says if not
      }
    } else if (account !== wanted) {
      throw new Error("imp-verify: two user codes");
    }
  }

  // ---- Buttons

  const add = (view) => views.includes(view) || views.push(view);

  function show(view, order, config) {
    view.order = order;
    view.config = config;
  }

  function attach(button, config) {
    const order = orderOf(config);
    let view = known.get(button);
    if (!view) {
      view = { button, loads: !window.IMP, said: document.getElementById(button.id + "-status") };
      known.set(button, view);
      if (!view.said) {
        view.said = document.createElement("p");
        button.parentNode.insertBefore(view.said, button.nextSibling);
      }
      view.said.setAttribute("role", "status");
      view.said.setAttribute("aria-live", "polite");
      button.addEventListener("click", (event) => {
        event.preventDefault(); // it may stand in a form
        add(view); // it may have been kept off the page, and be back
        try {
          press(view.config, button);
        } catch (error) {
          warn(error);
          tell(view.order, "result", "refused");
        }
      });
    }
    add(view);
    if (view.order && view.order !== order && underWay(view.order)) {
      view.next = config;
      return draw(view);
    }
    // What was said of the order before is to be read still.
    view.before = view.next === config ? view.order.last.message : "";
    view.next = null;
    if (order.button && !here(order.button)) order.button = button; // drawn anew meanwhile
    show(view, order, config);
    remembered(order).forEach((kept) => {
      const impUid = kept.replace("!", "");
      if (!impUid || order.asked.has(impUid)) return;
      order.button = button;
      complete(order, impUid, kept !== impUid);
    });
    draw(view);
    load(config).catch(warn);
  }

  function mount(root, config) {
    // Buttons that a page has thrown away are forgotten.
    views = views.filter((view) => here(view.button));
    if (config) return attach(root, config);
    const found = root && root.dataset && root.dataset.impVerify
      ? [root]
      : list("script[data-imp-verify]", root || document);
    found.forEach((data) => {
      try {
        attach(document.getElementById(data.dataset.impVerify), JSON.parse(data.textContent));
      } catch (error) {
        warn(error); // the other buttons work
      }
    });
  }

  // The net is back, or the buyer: whatever is not known yet is asked about at once.
  function askAgain() {
    if (document.hidden) return;
    wakes.splice(0).forEach((wake) => wake());
    orders.forEach((order) => {
      if (order.checks || opened(order) || (over(order) && !unsure(order))) return;
      [...order.unknown].forEach(([impUid, complaint]) => complete(order, impUid, complaint));
    });
  }

  window.addEventListener("online", askAgain);
  document.addEventListener("visibilitychange", askAgain);
  // The browser brought the page back as it was left for the window.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (current) give(current, "closed");
    askAgain();
  });

  window.ImpVerify = {
    load: async (config) => load(checked(config)),
    mount,
    pay: async (config) => press(config),
  };

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", () => mount());
  } else {
    mount();
  }
})(window, document);
