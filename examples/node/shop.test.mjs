import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { shop } from "./shop.mjs";

const orders = new Map();
let sandbox, server, url;

before(async () => {
  const python = process.env.PYTHON ?? "python3";
  sandbox = spawn(python, ["-m", "imp_verify.sandbox", "--port", "0"]);
  sandbox.stderr.pipe(process.stderr);
  [url] = await once(createInterface(sandbox.stdout), "line");
  server = shop({ api: url, key: "sandbox_key", secret: "sandbox_secret", orders });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const webhook_url = `http://127.0.0.1:${server.address().port}/webhook`;
  await control("PATCH", "/settings", { webhook_url });
});

after(() => {
  sandbox?.kill();
  server?.close();
  server?.closeAllConnections();
});

async function control(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const init = { method, headers, body: JSON.stringify(body) };
  const answer = await fetch(`${url}/sandbox/v1${path}`, init);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function pay(merchant_uid, amount) {
  const { imp_uid } = await control("POST", "/windows", { merchant_uid, amount });
  await control("POST", `/payments/${imp_uid}/approve`, {});
  const { list } = await control("POST", "/deliveries/release", {});
  return { imp_uid, said: list.at(-1).answer };
}

const order = (open = true) => ({ amount: 39000, open, shipped: 0 });

test("no order is paid but by its own money, once", async () => {
  orders.set("A-1", order()).set("A-2", order()).set("A-3", order(false));

  assert.equal((await pay("A-1", 100)).said, "forgery");

  const { imp_uid, said } = await pay("A-2", 39000);
  assert.equal(said, "paid");
  const again = await control("POST", "/deliveries/resend", { imp_uid });
  assert.equal(again.list[0].answer, "repeated");
  const stolen = { imp_uid, merchant_uid: "A-1", status: "paid" };
  await control("POST", "/deliveries/trigger", stolen);

  assert.equal((await pay("A-3", 39000)).said, "late");
  assert.deepEqual([...orders.values()].map((each) => each.shipped), [0, 1, 0]);
});

test("a notice that came while the gateway was down pays when it comes again", async () => {
  orders.set("B-1", order());
  await control("POST", "/faults", { call: "payment", status: 503 });

  const { imp_uid, said } = await pay("B-1", 39000);
  assert.equal(said, "unavailable");
  const again = await control("POST", "/deliveries/resend", { imp_uid });
  assert.equal(again.list[0].answer, "paid");
});
