/*
 * Buys in Firefox, which Playwright cannot drive as Debian builds it:
 *
 *     node firefox.mjs /usr/bin/firefox-esr PAY-PAGE SANDBOX SCRIPT
 *
 * The buyer is declined, closes the window and then pays. Prints {url, text, said, complaints}: the
 * page that the buyer came to, what stood below the button before, and what went wrong. The SDK's
 * real addresses give the sandbox's SCRIPT; nothing else but loopback is reached.
 */
import { readFile } from "node:fs/promises";
import puppeteer from "puppeteer-core";

const [executablePath, address, sandbox, script] = process.argv.slice(2);
const stand_in = await (await fetch(`${sandbox}/${script}`)).text();
const jquery = await readFile(new URL("node_modules/jquery3/dist/jquery.min.js", import.meta.url), "utf8");
const javascript = "text/javascript; charset=utf-8";
const complaints = [];
const said = [];
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (note) => {
    if (["error", "warn"].includes(note.type())) complaints.push(note.text());
  });
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    const { hostname } = new URL(request.url());
    if (hostname === "127.0.0.1") return request.continue();
    if (hostname === "cdn.iamport.kr") {
      return request.respond({ contentType: javascript, body: stand_in });
    }
    if (hostname === "code.jquery.com") {
      return request.respond({ contentType: javascript, body: jquery });
    }
    complaints.push(request.url());
    return request.abort();
  });
  await page.goto(address);
  const usable = "button.imp-verify-button:not([disabled])";
  const press = async (action) => {
    const button = await page.waitForSelector(usable);
    await button.click();
    const window = await page.waitForFrame(
      (frame) => frame.url().startsWith(`${sandbox}/window/`) && !frame.detached,
    );
    const wanted = await window.waitForSelector(`button[formaction$='/${action}']`);
    await wanted.click();
  };
  for (const action of ["decline", "close"]) {
    await press(action);
    await page.waitForSelector("#imp-sandbox-window", { hidden: true });
    await page.waitForSelector(usable);
    const [text, focused] = await page.evaluate(() => [
      document.querySelector("[role=status]").textContent,
      document.activeElement === document.querySelector("button.imp-verify-button"),
    ]);
    said.push([text, focused]);
  }
  const landed = page.waitForNavigation();
  await press("approve");
  await landed;
  const text = await page.evaluate(() => document.body.textContent);
  console.log(JSON.stringify({ url: page.url(), text, said, complaints }));
} finally {
  await browser.close();
}
