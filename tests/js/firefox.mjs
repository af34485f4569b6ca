/*
 * Buys in Firefox, which Playwright cannot drive as Debian builds it:
 *
 *     node firefox.mjs /usr/bin/firefox-esr ADDRESS-OF-THE-PAY-PAGE ADDRESS-OF-THE-SANDBOX
 *
 * Prints {url, text, complaints}: the page that the buyer came to, and what went wrong. The SDK's
 * real address is the sandbox's stand-in; nothing else but loopback is reached.
 */
import puppeteer from "puppeteer-core";

const [executablePath, address, sandbox] = process.argv.slice(2);
const SDK = "https://cdn.iamport.kr/v1/iamport.js";
const stand_in = await (await fetch(`${sandbox}/v1/iamport.js`)).text();
const complaints = [];
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (note) => {
    if (["error", "warn"].includes(note.type())) complaints.push(note.text());
  });
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    if (request.url() === SDK) {
      return request.respond({ contentType: "text/javascript; charset=utf-8", body: stand_in });
    }
    if (new URL(request.url()).hostname === "127.0.0.1") return request.continue();
    complaints.push(request.url());
    return request.abort();
  });
  await page.goto(address);
  const button = await page.waitForSelector("button.imp-verify-button:not([disabled])");
  await button.click();
  const window = await page.waitForFrame((frame) => frame.url().startsWith(`${sandbox}/window/`));
  const approve = await window.waitForSelector("button[formaction$='/approve']");
  const landed = page.waitForNavigation();
  await approve.click();
  await landed;
  const text = await page.evaluate(() => document.body.textContent);
  console.log(JSON.stringify({ url: page.url(), text, complaints }));
} finally {
  await browser.close();
}
