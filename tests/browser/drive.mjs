// Opens documents in a Chromium without a window and tells what it did with them: `node drive.mjs CONFIG.json`
// prints one line of JSON.
//
// CONFIG: { "documents": [{ "name", "path", "whole" }], "axe": PATH or null }. Pages come from files; nothing is fetched.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Protocol } from "../support/standin/devtools.mjs";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const cdp = new Protocol(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]);
const { targetId } = await cdp.send("Target.createTarget", { url: "about:blank" });
const { sessionId } = await cdp.send("Target.attachToTarget", { targetId, flatten: true });
const send = (method, params) => cdp.send(method, params, sessionId);

const events = { requests: [], exceptions: [], dialogs: 0, loaded: () => {} };
cdp.listeners.push(({ method, params }) => {
  if (method === "Page.loadEventFired") events.loaded();
  if (method === "Network.requestWillBeSent") events.requests.push(params.request.url);
  if (method === "Runtime.exceptionThrown") events.exceptions.push(params.exceptionDetails.text);
  if (method === "Page.javascriptDialogOpening") { events.dialogs++; send("Page.handleJavaScriptDialog", { accept: false }); }
});
for (const domain of ["Page", "Runtime", "Network"]) await send(`${domain}.enable`);
// Runs before the page does: counts what the policy stopped, and takes what the buttons copy.
await send("Page.addScriptToEvaluateOnNewDocument", { source: `
  globalThis.violations = [];
  document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI));
  Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { globalThis.copied = text; } } });
` });

async function evaluate(expression) {
  const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(`${expression.slice(0, 80)}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
  return result.value;
}

async function look({ width, scheme }) {
  await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  await send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
}

async function open(path) {
  const done = new Promise((yes) => { events.loaded = yes; });
  await send("Page.navigate", { url: pathToFileURL(path).href });
  await done;
}

async function press(key, code, text) {
  await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", key, code: key, windowsVirtualKeyCode: code, text });
  await send("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode: code });
}

/** Goes through the page with the Tab key, opens what is folded, and copies with Enter once for each kind of button. */
async function walk() {
  const all = await evaluate(`globalThis.stops = [...document.querySelectorAll("a[href], button, summary, pre[tabindex='0']")]; stops.length`);
  const reached = new Set();
  const copied = {};
  for (let step = 0; step < all + 30; step++) {
    await press("Tab", 9);
    const at = await evaluate(`(() => { const e = document.activeElement; return { index: stops.indexOf(e), name: e.tagName, kind: e.className, copy: e.dataset?.copy,
      seen: e.matches(":focus-visible"), label: e.getAttribute("aria-label") ?? e.textContent.trim() }; })()`);
    if (at.index < 0) continue;
    reached.add(at.index);
    if (at.name === "SUMMARY" && !(await evaluate("document.activeElement.parentElement.open"))) await press("Enter", 13, "\r");
    if (at.name === "BUTTON" && !copied[at.kind]) {
      await evaluate("globalThis.copied = undefined");
      await press("Enter", 13, "\r");
      // What is told stands for a second and a half; a busy machine takes its time to come to it.
      let told = "";
      for (let look = 0; look < 100 && told === ""; look++) {
        await new Promise((yes) => setTimeout(yes, 15));
        told = await evaluate("document.getElementById('said').textContent");
      }
      copied[at.kind] = { same: (await evaluate("globalThis.copied")) === at.copy, told, label: at.label, seen: at.seen };
    }
    if (reached.size === all) break;
  }
  return { all, reached: reached.size, copied: Object.values(copied) };
}

/** How many pages the document has on paper. */
async function print() {
  await send("Emulation.setEmulatedMedia", { features: [] });
  const { data } = await send("Page.printToPDF", { preferCSSPageSize: true, paperWidth: 8.27, paperHeight: 11.69 });
  const pdf = Buffer.from(data, "base64").toString("latin1");
  return pdf.startsWith("%PDF") ? (pdf.match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length : 0;
}

const answers = [];
for (const document of config.documents) {
  const answer = { name: document.name, overflow: [], axe: [] };
  events.requests.length = events.exceptions.length = events.dialogs = 0;
  await look({ width: 1280, scheme: "light" });
  await open(document.path);
  if (document.whole) answer.walk = await walk();
  for (const width of [380, 1280]) {
    for (const scheme of ["light", "dark"]) {
      await look({ width, scheme });
      const wide = await evaluate("document.documentElement.scrollWidth");
      if (wide > width) answer.overflow.push(`${wide} at ${width}, ${scheme}`);
    }
  }
  answer.violations = await evaluate("violations");
  answer.owned = await evaluate("typeof globalThis.owned");
  answer.exceptions = [...events.exceptions];
  answer.dialogs = events.dialogs;
  answer.requests = events.requests.filter((url) => url !== pathToFileURL(document.path).href);
  answer.landmarks = await evaluate(`["header", "main", "footer", "h1"].map((name) => document.querySelectorAll(name).length)`);
  if (config.axe) {
    await evaluate(readFileSync(config.axe, "utf8") + "; 1");
    for (const [width, scheme] of document.whole ? [[1280, "light"], [380, "dark"]] : [[1280, "light"]]) {
      await look({ width, scheme });
      answer.axe.push(...await evaluate(`axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => v.impact + " " + v.id + " (${scheme}): " + v.nodes.slice(0, 3).map((n) => n.target + " " + (n.any[0]?.message ?? "")).join("; ")))`));
    }
  }
  if (document.whole) answer.pages = await print();
  answers.push(answer);
}
console.log(JSON.stringify(answers));
await cdp.close();
process.exit(0);
