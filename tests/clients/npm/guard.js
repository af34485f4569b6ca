// Keeps a client on this machine, as tests/support/outward does in Python: each attempt to leave is
// a line in the file that IMP_VERIFY_OUTWARD names, and fails. Every connection of node, TLS and
// fetch too, goes through Socket.connect; names are asked for there, or by dns itself.
"use strict";

const dns = require("node:dns");
const fs = require("node:fs");
const net = require("node:net");

const HERE = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i;

function refuse(what, host) {
  fs.appendFileSync(process.env.IMP_VERIFY_OUTWARD, `${what} '${host}'\n`);
  return new Error(`${what} '${host}' would leave this machine`);
}

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  // node itself hands over what it has read of the arguments already: a list in the list.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof first === "object" ? first : { port: first, host: second };
  const host = typeof options.host === "string" ? options.host : "localhost";
  if (options.path === undefined && !HERE.test(host)) throw refuse("net.connect", host);
  return connect.apply(this, given);
};

for (const module of [dns, dns.promises]) {
  for (const name of Object.keys(module)) {
    if (!/^(lookup|resolve|reverse)/.test(name)) continue;
    const asked = module[name];
    module[name] = function (host, ...rest) {
      if (!HERE.test(host)) throw refuse(`dns.${name}`, host);
      return asked.call(this, host, ...rest);
    };
  }
}
