// The webhook of a shop in Node, without a dependency. `orders` stands for its database, where the
// last look at the order and the change of it are one transaction under a lock on its row.
import { createServer } from "node:http";

function named(body) {
  try {
    return JSON.parse(body)?.imp_uid;
  } catch {
    return null;
  }
}

export function shop({ api, key, secret, orders }) {
  async function ask(path, init) {
    const answer = await fetch(api + path, { ...init, signal: AbortSignal.timeout(5000) });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
    const { code, response } = await answer.json();
    if (code !== 0) throw new Error(`the gateway answered code ${code}`);
    return response;
  }

  async function look(impUid) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ imp_key: key, imp_secret: secret });
    const token = await ask("/users/getToken", { method: "POST", headers, body });
    if (!token) throw new Error("the gateway gives no token");
    const authorization = { Authorization: `Bearer ${token.access_token}` };
    return ask(`/payments/${impUid}`, { headers: authorization });
  }

  async function verify(impUid) {
    if (typeof impUid !== "string" || !/^\w{1,32}$/.test(impUid)) return "invalid";
    const paid = await look(impUid); // what the notice says besides is not believed
    if (!paid || paid.imp_uid !== impUid) return "unknown";
    const order = orders.get(paid.merchant_uid);
    if (!order) return "unknown";
    if (paid.status !== "paid" || paid.cancel_amount > 0) return "not paid";
    if (paid.amount !== order.amount || paid.currency !== "KRW") return "forgery";
    if (order.paidBy) return order.paidBy === paid.imp_uid ? "repeated" : "duplicate";
    if (!order.open) return "late"; // money to give back, as a duplicate is
    order.paidBy = paid.imp_uid;
    order.shipped += 1;
    return "paid";
  }

  return createServer(async (request, response) => {
    let said = "unavailable"; // 503: the gateway may send it again
    try {
      let body = "";
      for await (const part of request.setEncoding("utf8")) body += part;
      said = await verify(named(body));
    } catch (error) {
      console.error(error.message);
    }
    const refused = { unavailable: 503, invalid: 400, unknown: 400, forgery: 400 };
    response.writeHead(refused[said] ?? 200).end(said);
  });
}
