// A shop's server in TypeScript, as the client's types have it: each line that it prints is what came
// of one step, for an account that has no payment yet. A line of input says that the deposit is there.
import imp from "iamport-server-api";
import { IIamportPayment } from "iamport-server-api/lib/structures/IIamportPayment";
import { IIamportPaymentCancel } from "iamport-server-api/lib/structures/IIamportPaymentCancel";
import { IIamportSubscription } from "iamport-server-api/lib/structures/IIamportSubscription";
import { IIamportVBankPayment } from "iamport-server-api/lib/structures/IIamportVBankPayment";

declare const process: {
  env: Record<string, string>;
  stdin: { once(event: "data", then: () => void): void; unref(): void };
};
declare const console: { log(text: string): void };

const { subscribe, payments, vbanks } = imp.functional;
const connector = new imp.IamportConnector(process.env.SANDBOX_URL, {
  imp_key: process.env.SANDBOX_KEY,
  imp_secret: process.env.SANDBOX_SECRET,
});

function told(step: string, payment: IIamportPayment): void {
  const { status, amount, cancel_amount, pay_method, customer_uid } = payment;
  const refunds = payment.cancel_history.map((each) => each.amount);
  console.log(JSON.stringify({ step, status, amount, cancel_amount, pay_method, customer_uid, refunds }));
}

async function refused(step: string, call: Promise<{ code: number; message: string | null }>) {
  const { code, message } = await call;
  console.log(JSON.stringify({ step, code, message }));
}

const CARD = {
  card_number: "4242-4242-4242-4242",
  expiry: "2099-12",
  birth: "880101",
  pwd_2digit: "12",
} as const;

async function card(): Promise<void> {
  const input: IIamportSubscription.IOnetime = {
    ...CARD,
    merchant_uid: "ORD-CARD",
    amount: 39_000,
    name: "의자",
  };
  const { response: paid } = await subscribe.payments.onetime(await connector.get(), input);
  told("card", paid);
  if (paid.pay_method === "card") console.log(JSON.stringify({ step: "its number", number: paid.card_number }));
  const back = async (amount: number | undefined, checksum: number | null) => {
    const asked: IIamportPaymentCancel.ICreate = {
      imp_uid: paid.imp_uid,
      merchant_uid: paid.merchant_uid,
      amount,
      checksum,
      reason: "반품",
    };
    return payments.cancel(await connector.get(), asked);
  };
  told("a part back", (await back(10_000, 39_000)).response);
  told("another part", (await back(9_000, 29_000)).response);
  await refused("too much", back(20_001, null));
  await refused("on a wrong sum", back(1_000, 39_000));
  told("the rest", (await back(undefined, 20_000)).response);
  await refused("once more", back(undefined, null));
  told("in the end", (await payments.at(await connector.get(), paid.imp_uid, {})).response);
}

async function stored(): Promise<void> {
  const customer_uid = "cu1";
  const input: IIamportSubscription.ICreate = { ...CARD, customer_uid, customer_name: "홍길동" };
  const { response } = await subscribe.customers.create(await connector.get(), customer_uid, input);
  console.log(JSON.stringify({ step: "stored", number: response.card_number, name: response.customer_name }));
  const charge = async (uid: string) =>
    subscribe.payments.again(await connector.get(), {
      customer_uid: uid,
      merchant_uid: "ORD-STORED",
      amount: 12_000,
      name: "정기배송",
    });
  told("charged", (await charge(customer_uid)).response);
  await refused("charged twice", charge(customer_uid));
  await subscribe.customers.erase(await connector.get(), customer_uid);
  await refused("forgotten", charge(customer_uid));
}

async function account(): Promise<void> {
  const input: IIamportVBankPayment.ICreate = {
    merchant_uid: "ORD-ACCOUNT",
    amount: 50_000,
    vbank_code: "004",
    vbank_due: 4_102_444_800,
    vbank_holder: "가게",
  };
  const { response: issued } = await vbanks.create(await connector.get(), input);
  told("issued", issued);
  console.log(JSON.stringify({ step: "its account", imp_uid: issued.imp_uid, due: issued.vbank_date }));
  await new Promise<void>((then) => process.stdin.once("data", then));
  process.stdin.unref();
  told("deposited", (await payments.at(await connector.get(), issued.imp_uid, {})).response);
  const asked: IIamportPaymentCancel.ICreate = {
    imp_uid: issued.imp_uid,
    merchant_uid: issued.merchant_uid,
    checksum: 50_000,
    reason: "반품",
  };
  await refused("to nowhere", payments.cancel(await connector.get(), asked));
  const to = { refund_holder: "홍길동", refund_bank: "04", refund_account: "110123456789" };
  told("sent back", (await payments.cancel(await connector.get(), { ...asked, ...to })).response);
}

async function main(): Promise<void> {
  await card();
  await stored();
  await account();
}

main();
