// Checked, not run: each line that must not compile says so.
import type Iamport from "iamport-typings/src/index";
import type { RequestPayParams } from "iamport-typings/src/index";

declare const published: RequestPayParams;
declare const sdk: Iamport;

// What the SDK's types describe goes in as it is; a return address is asked for besides.
const params = { ...published, m_redirect_url: "https://shop.test/payments/redirect" };
const config = { complete: "/payments/complete", userCode: "imp00000000", params };
const result: Promise<ImpVerify.Result> = window.ImpVerify.pay(config);
sdk.request_pay(params, (reply) => reply.imp_uid);

// What a server's JSON says, and any documented parameter.
const parsed: ImpVerify.Config = {
  complete: "/payments/complete",
  language: "en",
  params: {
    merchant_uid: "ORD-1001",
    amount: 10.99,
    m_redirect_url: "https://shop.test/payments/redirect",
    notice_url: ["https://shop.test/payments/webhook"],
    channelKey: "channel-key-1",
    bypass: { any: true },
  },
};
ImpVerify.mount(document.createElement("button"), parsed);
ImpVerify.mount();
ImpVerify.load(parsed).then(() => undefined);

async function pay(): Promise<string | null> {
  const { status, message, imp_uid } = await ImpVerify.pay(parsed);
  switch (status) {
    case "success":
    case "vbankIssued":
      return imp_uid;
    // @ts-expect-error no such word
    case "succes":
      return null;
    default:
      return message;
  }
}

document.addEventListener("imp-verify:result", (event) => {
  const status: ImpVerify.Result["status"] = event.detail.status;
  if (status === "success") event.preventDefault();
});

// @ts-expect-error the amount is a number
ImpVerify.pay({ ...parsed, params: { ...parsed.params, amount: "39000" } });
// @ts-expect-error the order number is text
ImpVerify.pay({ ...parsed, params: { ...parsed.params, merchant_uid: 1001 } });
// @ts-expect-error without a return address phones lose the result
ImpVerify.pay({ ...parsed, params: { merchant_uid: "ORD-1001", amount: 1 } });
// @ts-expect-error nowhere to ask
ImpVerify.pay({ params: parsed.params });

export { pay, result };
