// Runs one client: `node --require ./guard.js runner.js iamport`. Each line of the input is a call,
// each line of the output what the client shows of the gateway's answer, as far as it shows it:
// status, code, message and response; or `value`, what a method of its own gives; or `itself`, the
// client's own error. Without an address the client keeps the one that it comes with.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const NAME = process.argv[2];
const load = createRequire(path.join(__dirname, NAME, "package.json"));

const functions = (of) =>
  Object.getOwnPropertyNames(of).filter(
    (name) => typeof of[name] === "function" && !/^_|^constructor$/.test(name),
  );
const within = (group, of) => functions(of).map((name) => `${group}.${name}`);
const at = (root, name) => {
  const parts = name.split(".");
  const last = parts.pop();
  const owner = parts.reduce((from, part) => from[part], root);
  return (...given) => owner[last](...given);
};

const CLIENTS = {
  iamport() {
    const Iamport = load("iamport");
    return {
      methods: () =>
        Object.entries(Iamport.resources).flatMap(([name, { prototype }]) =>
          within(name[0].toLowerCase() + name.slice(1), prototype).filter(
            (method) => !method.endsWith(".path"),
          ),
        ),
      make({ url, key, secret }) {
        if (url) Iamport.DEFAULT_HOST = url;
        return new Iamport({ impKey: key, impSecret: secret });
      },
      call: (client, { method, args }) => at(client, method)(...args),
      shown: (response) => ({ response }),
      refused({ code, message }) {
        if (/^HTTP_/.test(code)) return { status: Number(code.slice(5)) };
        return { code: Number(code.slice("IAMPORT_".length)), message };
      },
    };
  },

  iamporter() {
    const { Iamporter, IamporterError } = load("iamporter");
    return {
      methods: () => functions(Iamporter.prototype),
      make: ({ url, key, secret }) =>
        new Iamporter({ apiKey: key, secret, ...(url && { host: url }) }),
      call: (client, { method, args }) => at(client, method)(...args),
      shown: (given) => (given.raw ? { status: given.status, ...given.raw } : { value: given }),
      refused(error) {
        if (!(error instanceof IamporterError) || !error.raw) throw error;
        return { status: error.status, ...error.raw };
      },
    };
  },

  "iamport-rest-client-nodejs"() {
    const { Iamport, Request } = load("iamport-rest-client-nodejs");
    return {
      methods: () => [
        ...functions(Iamport.prototype),
        ...Object.entries(Request).flatMap(([name, each]) => within(name, each)),
      ],
      make: ({ url, key, secret }) => new Iamport({ apiKey: key, apiSecret: secret, baseUrl: url }),
      async call(client, { method, args }) {
        if (!method.includes(".")) return at(client, method)(...args);
        return at(Request, method)(...args).request(client);
      },
      shown: (given) =>
        given.data && given.status ? { status: given.status, ...given.data } : { value: given },
      refused({ response }) {
        return { ...(response.status && { status: response.status }), ...response.data };
      },
    };
  },

  "iamport-server-api"() {
    const { IamportConnector, HttpError, functional } = load("iamport-server-api");
    const all = (group, of) =>
      Object.entries(of).flatMap(([name, each]) => {
        if (typeof each === "function") return [`${group}${name}`];
        return all(`${group}${name}.`, each);
      });
    return {
      methods: () => [...all("", functional), ...within("connector", IamportConnector.prototype)],
      make({ url = "https://api.iamport.kr", key, secret }) {
        const accessor = { imp_key: key, imp_secret: secret };
        return new IamportConnector(url, accessor);
      },
      async call(connector, { method, args }) {
        if (method.startsWith("connector.")) return at({ connector }, method)(...args);
        const open = method === "users.getToken";
        const connection = open ? { host: connector.host } : await connector.get();
        return at(functional, method)(connection, ...args);
      },
      shown: (given) => (given && "response" in given ? given : { value: given }),
      refused(error) {
        if (!(error instanceof HttpError)) throw error;
        return { status: error.status, ...JSON.parse(error.message) };
      },
    };
  },
};

const client = CLIENTS[NAME]();

async function answer(line) {
  if (line.list) return client.methods();
  try {
    return client.shown(await client.call(client.make(line), line));
  } catch (error) {
    try {
      return client.refused(error);
    } catch {
      return { itself: String(error.message) };
    }
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
})();
