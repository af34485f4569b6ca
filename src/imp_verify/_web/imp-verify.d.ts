/**
 * Types of `imp-verify.js`: what a page gives it, and what it tells. To stand among a page's sources:
 *
 *     imp-verify snippet --flavor types > src/imp-verify.d.ts
 *
 * The file itself exports nothing, for it is a classic script as well. Load it from the shop's own
 * server, past the bundler, and use the global:
 *
 *     const address = "/payments/imp-verify.js";
 *     await import(address);   // with the comments that `imp-verify snippet` prints
 *     const { status, message } = await ImpVerify.pay(config);
 *
 * The addresses in a Config come from one setting of the shop, `public_url`, never from the
 * request's Host header. See the head of `imp-verify.js` for how a page is marked up.
 */
declare namespace ImpVerify {
  /**
   * What `IMP.request_pay` gets, as it is. Any documented parameter may be in it; keys that are
   * null are left out.
   */
  interface RequiredParams {
    /** The order number, made by the server. Text, also where it is digits. */
    merchant_uid: string;
    /** In the currency's main unit (won, dollars). A JSON number without exponent. */
    amount: number;
    /** `{public_url}{prefix}/redirect`: absolute. */
    m_redirect_url: string;
    /** Absolute. Takes the place of the address in the gateway's console. */
    notice_url?: string | string[];
    /** `{public_url}{prefix}/confirm`: absolute. */
    confirm_url?: string;
  }

  /** The JSON in `<script type="application/json" data-imp-verify="BUTTON_ID">`. */
  interface Config<P extends RequiredParams = RequiredParams & Record<string, unknown>> {
    /**
     * Where `{imp_uid, merchant_uid}` is POSTed: `{prefix}/complete`, best without a host, so that
     * it is of the page's own origin.
     */
    complete: string;
    params: P;
    /** For `IMP.init`. Left out where the page has called that by itself. */
    userCode?: string;
    /** A sub-store's code: `IMP.agency` takes the place of `IMP.init`. */
    tier?: string;
    /** The SDK's address; left out `https://cdn.iamport.kr/v1/iamport.js`. */
    sdk?: string;
    /** Loaded before the SDK where the page has no jQuery; for `iamport.payment-{version}.js`. */
    jquery?: string;
    /** Of the sentences. Left out it follows `<html lang>`. */
    language?: "ko" | "en";
  }

  /** What the server answered: the words of its table. */
  type Answer =
    | "success"
    | "vbankIssued"
    | "pending"
    | "failed"
    | "cancelled"
    | "duplicatePayment"
    | "latePayment"
    | "forgery"
    | "invalid"
    /** Nothing is known yet: 503, no answer, or one that could not be read. */
    | "unavailable";

  /** What ended before there was anything to ask the server about, or was not begun. */
  type Ended =
    /**
     * The SDK called back without an id and complained, `message` is its `error_msg`; or no window
     * came for a minute.
     */
    | "refused"
    /**
     * The window is gone and nothing was paid, as far as the server or nobody knows; or the SDK
     * called back with neither an id nor a complaint; or nothing was heard of a popup for a minute.
     * A payment that the window named is asked about again when the buyer or the net is back, and
     * after a reload: a result may follow.
     */
    | "closed"
    /** The SDK is still loading, or failed to: nothing was opened. */
    | "loading"
    /** Another order's window is open: nothing was opened. Said until that window is gone. */
    | "busy";

  interface Result {
    /**
     * `open` and `slow` in `imp-verify:change` only: the window was asked for; it is long in coming.
     * A button says `busy` there too, `pay` by its promise.
     */
    status: Answer | Ended | "open" | "slow";
    /** A sentence for the buyer, in the config's language. Text, never HTML; clipped. */
    message: string;
    imp_uid: string | null;
    merchant_uid: string;
  }

  interface Api {
    /**
     * Load the SDK and initialise it, once. To be called when the page is shown: a window must be
     * opened within the click, when there is no time left for loading.
     *
     * Rejects with a TypeError for a config that the gateway would refuse, and with an Error where
     * the SDK does not load or another user code was used on this page.
     */
    load<P extends RequiredParams>(config: Config<P>): Promise<void>;

    /**
     * Open the window, within the click, and resolve with how it ended. Nothing is shown and the
     * page stays. One window at a time; while an order is under way each call gives the same
     * promise's result, and after it is settled its result again.
     *
     * A window that goes without a callback resolves as `closed`. Should its callback come later,
     * the `imp-verify:result` event on `document` tells what became of it: listen to that too.
     *
     * Rejects as `load` does.
     */
    pay<P extends RequiredParams>(config: Config<P>): Promise<Result>;

    /** Wire every button under `root`, or of the whole page; again for what was added later. */
    mount(root?: Element | Document): void;
    /**
     * Wire one button with a config at hand. Again with another config: that one counts. While the
     * window of the first order is open, or its payment is being checked, the button goes on with
     * it, and takes the other up once it came to nothing; after an outcome that says not to pay
     * again only when it is mounted once more.
     */
    mount<P extends RequiredParams>(button: HTMLElement, config: Config<P>): void;
  }

  /** On the pressed button; on `document` for `pay`, and where the button has left the page. */
  interface Events {
    /** The state or its sentence changed. */
    "imp-verify:change": CustomEvent<Result>;
    /**
     * It ended. `preventDefault()` keeps a pressed button from going to `m_redirect_url`, and so
     * does another order's window that is open.
     */
    "imp-verify:result": CustomEvent<Result>;
  }
}

declare const ImpVerify: ImpVerify.Api;

interface Window {
  ImpVerify: ImpVerify.Api;
}
interface DocumentEventMap extends ImpVerify.Events {}
interface HTMLElementEventMap extends ImpVerify.Events {}
