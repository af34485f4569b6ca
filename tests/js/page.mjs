/*
 * A page in jsdom with imp-verify on it: a stub SDK, a server that answers from a list, and a clock
 * that is moved by hand. Nothing of the file under test is replaced, but for one call: jsdom cannot
 * leave a page, so `location.assign` notes where to.
 */
import { JSDOM, VirtualConsole } from "jsdom";
import { read } from "./build.mjs";

export const FILES = ["imp-verify.js", "imp-verify.min.js"];
export const SDK = "https://cdn.iamport.kr/v1/iamport.js";
export const IMP_UID = "imp_100000000001";

export function config(changes = {}) {
  const { params, ...rest } = changes;
  return {
    userCode: "imp00000000",
    complete: "/payments/complete",
    language: "ko",
    ...rest,
    params: {
      channelKey: "channel-key-1",
      pay_method: "card",
      merchant_uid: "ORD-1001",
      name: "참나무 의자",
      amount: 39000,
      buyer_tel: "010-0000-0000",
      m_redirect_url: "https://shop.test/payments/redirect",
      ...params,
    },
  };
}

/** The markup that a server renders for one button. */
export function markup(settings = config(), id = "pay") {
  const data = JSON.stringify(settings).replace(/</g, "\\u003c");
  return `<button type="button" id="${id}">결제하기</button>
<p id="${id}-status" role="status"></p>
<script type="application/json" data-imp-verify="${id}">${data}</script>`;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The older and newer SDKs as far as a page sees them. */
export function stub(calls) {
  const start = (...given) => {
    if (calls.inits.length) throw new Error("IMP.init was called already");
    calls.inits.push(given);
  };
  return {
    init: (code) => start(code),
    agency: (code, tier) => start(code, tier),
    request_pay(params, callback) {
      if (!calls.inits.length) throw new Error("IMP.init was not called");
      calls.opened.push({ params, callback, inClick: calls.clicking });
    },
  };
}

export class Page {
  constructor(options = {}) {
    const { file, body = markup(), head = "", ready = true, storage = {}, before } = options;
    this.file = file;
    this.calls = { inits: [], opened: [], clicking: false };
    this.posts = [];
    this.answers = [];
    this.events = [];
    this.went = [];
    this.errors = [];
    this.now = 0;
    this.timers = [];
    this.focused = true;
    const console = new VirtualConsole();
    console.on("error", (error) => this.errors.push(error));
    console.on("jsdomError", (error) => this.errors.push(error));
    const html = `<!doctype html><html lang="ko"><head>${head}</head><body>${body}</body>`;
    this.dom = new JSDOM(html, {
      url: "https://shop.test/orders/ORD-1001/pay",
      runScripts: "dangerously",
      pretendToBeVisual: true,
      virtualConsole: console,
    });
    this.window = this.dom.window;
    this.document = this.window.document;
    this.#replaceTheOutside();
    if (options.phone) {
      Object.defineProperty(this.window.navigator, "userAgent", { value: "Android Mobile" });
    }
    for (const [key, value] of Object.entries(storage)) {
      this.window.sessionStorage.setItem(key, value);
    }
    if (ready) this.giveSdk();
    if (before) before(this);
  }

  /** Load imp-verify as a classic script and let the page finish. */
  static async open(options) {
    const page = new Page(options);
    if (page.document.readyState === "loading") {
      await new Promise((resolve) => page.window.addEventListener("load", resolve));
    }
    page.include();
    await page.settle();
    return page;
  }

  include(attributes = {}) {
    const tag = this.document.createElement("script");
    Object.assign(tag, attributes);
    tag.textContent = read(this.file).replace(/\.location\.assign\(/, ".leave(");
    this.document.head.append(tag);
  }

  #replaceTheOutside() {
    const { window, document } = this;
    window.leave = (address) => this.went.push(address);
    window.setTimeout = (run, milliseconds) => {
      this.timers.push({ run, at: this.now + milliseconds / 1000 });
    };
    window.fetch = (address, options) => this.#answer(address, options);
    window.AbortController = AbortController;
    document.hasFocus = () => this.focused;
    window.HTMLIFrameElement.prototype.getClientRects = function () {
      return this.hidden ? [] : [this.getBoundingClientRect()];
    };
    window.HTMLIFrameElement.prototype.getBoundingClientRect = function () {
      const [width, height] = this.hidden ? [0, 0] : [this.width || 460, this.height || 680];
      return { width: Number(width), height: Number(height) };
    };
    for (const kind of ["change", "result"]) {
      document.addEventListener(`imp-verify:${kind}`, (event) => {
        this.events.push([kind, event.detail.status]);
      });
    }
  }

  /** What the server answers next: [status, body, headers], "fault", or "silence" for never. */
  async #answer(address, options) {
    this.posts.push({ address, ...options, body: JSON.parse(options.body) });
    const next = this.answers.shift() || [200, { status: "success", message: "일반 결제 성공" }];
    if (next === "fault") throw new TypeError("Failed to fetch");
    if (next === "silence") {
      return new Promise((_, reject) => {
        options.signal.addEventListener("abort", () => reject(new Error("aborted")));
      });
    }
    const [status, body, headers = {}] = next;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(text, { status, headers });
  }

  giveSdk() {
    this.window.IMP = stub(this.calls);
  }

  /** Let everything run that is not waiting for the clock. */
  async settle() {
    for (let n = 0; n < 10; n += 1) await turn();
  }

  async tick(seconds) {
    const end = this.now + seconds;
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers.splice(this.timers.indexOf(due), 1);
      this.now = due.at;
      due.run();
      await this.settle();
    }
    this.now = end;
  }

  get button() {
    return this.document.getElementById("pay");
  }

  get said() {
    return this.document.getElementById("pay-status").textContent;
  }

  get opened() {
    return this.calls.opened;
  }

  get sdkTags() {
    return [...this.document.querySelectorAll("script[src]")].map((tag) => tag.src);
  }

  async click(button = this.button) {
    this.calls.clicking = true;
    button.click();
    this.calls.clicking = false;
    await this.settle();
  }

  /** Let the SDK call back, from the window opened last or from an earlier one. */
  async reply(answer, window = this.opened.at(-1)) {
    window.callback(answer);
    await this.tick(0);
    await this.settle();
  }

  /** Pay, and let the server answer so. */
  async pay(answers = [], reply = { imp_uid: IMP_UID, merchant_uid: "ORD-1001" }) {
    this.answers.push(...answers);
    await this.click();
    await this.reply(reply);
  }

  /** The script element that loads the SDK: it came, or it did not. */
  async arrive(how = "load", address = SDK) {
    const tag = [...this.document.querySelectorAll("script[src]")].filter((t) => t.src === address);
    tag.at(-1).dispatchEvent(new this.window.Event(how));
    await this.settle();
  }

  async pageshow(persisted) {
    this.window.dispatchEvent(new this.window.PageTransitionEvent("pageshow", { persisted }));
    await this.settle();
  }
}
