// Uses the drop page in a Chromium without a window and tells what it showed: `node serve.mjs CONFIG.json` prints one
// line of JSON.
//
// CONFIG: { "url", "runs": [{ "name", "how": "drop" | "choose" | "keys", "files", "keylogs", "password" }], "axe", "pictures" }.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Protocol } from "../support/standin/devtools.mjs";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const cdp = new Protocol(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]);
const { targetId } = await cdp.send("Target.createTarget", { url: "about:blank" });
const { sessionId } = await cdp.send("Target.attachToTarget", { targetId, flatten: true });
const send = (method, params) => cdp.send(method, params, sessionId);

const origin = new URL(config.url).origin;
const events = { errors: [], requests: [], frames: [], chooser: () => {}, loaded: () => {} };
const COUNT = `globalThis.violations = []; document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI));`;
cdp.listeners.push(({ method, params, sessionId: session }) => {
  if (method === "Page.loadEventFired" && session === sessionId) events.loaded();
  if (method === "Page.fileChooserOpened") events.chooser(params.backendNodeId);
  if (method === "Network.requestWillBeSent" && /^(?!data:|blob:)/.test(params.request.url) && !params.request.url.startsWith(origin)) events.requests.push(params.request.url);
  if (method === "Runtime.exceptionThrown") events.errors.push(params.exceptionDetails.text);
  if (method === "Runtime.consoleAPICalled" && params.type === "error") events.errors.push("console.error");
  if (method === "Log.entryAdded" && params.entry.level === "error") events.errors.push(`${params.entry.text} ${params.entry.url ?? ""}`);
  if (method === "Target.attachedToTarget" && params.targetInfo.type === "iframe") {
    events.frames.push(params.sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) cdp.send(`${domain}.enable`, {}, params.sessionId).catch(() => {});
  }
});
for (const domain of ["Page", "Runtime", "Network", "Log", "DOM"]) await send(`${domain}.enable`);
await send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
await send("Page.addScriptToEvaluateOnNewDocument", { source: COUNT });

async function evaluate(expression, session = sessionId, contextId = undefined) {
  const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", { expression, contextId, returnByValue: true, awaitPromise: true }, session);
  if (exceptionDetails) throw new Error(`${expression.slice(0, 80)}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
  return result.value;
}

async function until(what, expression) {
  for (let tries = 0; tries < 600; tries++) {
    if (await evaluate(expression)) return;
    await new Promise((yes) => setTimeout(yes, 50));
  }
  throw new Error(`${what} did not come: ${await evaluate("document.body.innerText")}`);
}

async function press(key, code, text) {
  await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", key, code: key, windowsVirtualKeyCode: code, text });
  await send("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode: code });
}

async function tabTo(id) {
  for (let step = 0; step < 40; step++) {
    if (await evaluate(`document.activeElement?.id`) === id) return evaluate(`document.activeElement.matches(":focus-visible")`);
    await press("Tab", 9);
  }
  throw new Error(`the Tab key does not reach ${id}`);
}

async function put(id, files) {
  const { root } = await send("DOM.getDocument");
  const { nodeId } = await send("DOM.querySelector", { nodeId: root.nodeId, selector: `#${id}` });
  await send("DOM.setFileInputFiles", { nodeId, files });
}

/** With the keyboard alone, as far as the window of the system, which no page sees. */
async function choose(id, files) {
  await tabTo(id);
  const opened = new Promise((yes) => { events.chooser = yes; });
  await press("Enter", 13, "\r");
  const backendNodeId = await opened;
  await send("DOM.setFileInputFiles", { backendNodeId, files });
}

async function drop(id, files) {
  const { x, y } = await evaluate(`(() => { const r = document.getElementById("${id}").getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 }; })()`);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await send("Input.dispatchDragEvent", { type, x, y, data });
}

async function open(url) {
  const done = new Promise((yes) => { events.loaded = yes; });
  await send("Page.navigate", { url });
  await done;
}

/** What stands in the frame, wherever the browser runs it. */
async function report() {
  const look = `({ text: document.body.innerText, title: document.title, owned: typeof globalThis.owned, origin: globalThis.origin })`;
  for (const session of [...events.frames].reverse()) {
    try { return await evaluate(look, session); } catch { /* A frame that is gone. */ }
  }
  const { frameTree } = await send("Page.getFrameTree");
  const frame = frameTree.childFrames?.at(-1)?.frame.id;
  const { executionContextId } = await send("Page.createIsolatedWorld", { frameId: frame });
  return evaluate(look, sessionId, executionContextId);
}

async function picture(name) {
  if (!config.pictures) return;
  const { data } = await send("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(config.pictures, `${name}.png`), Buffer.from(data, "base64"));
}

const answers = [];
await send("Page.setInterceptFileChooserDialog", { enabled: true });
await send("Emulation.setDeviceMetricsOverride", { width: 1280, height: 900, deviceScaleFactor: 1, mobile: false });
await open(config.url);
const address = await evaluate("location.href");
for (const [index, run] of config.runs.entries()) {
  const answer = { name: run.name };
  if (index) await open(`${origin}/`);
  events.frames.length = 0;
  const keys = run.keylogs ?? [];
  if (run.how === "drop") {
    await drop("drop-file", run.files);
    if (keys.length) await drop("drop-keylog", keys);
    if (run.password) await evaluate(`document.getElementById("password").value = ${JSON.stringify(run.password)}`);
    await until("the files", `document.querySelectorAll("#files li").length === ${run.files.length}`);
    await evaluate(`document.getElementById("start").click()`);
  } else if (run.how === "keys") {
    await choose("file", run.files);
    if (keys.length) await choose("keylog", keys);
    await until("the files", `document.querySelectorAll("#files li").length === ${run.files.length}`);
    if (run.password) {
      await tabTo("password");
      await send("Input.insertText", { text: run.password });
    }
    answer.seen = await tabTo("start");
    await press("Enter", 13, "\r");
  } else {
    await put("file", run.files);
    if (keys.length) await put("keylog", keys);
    await evaluate(`document.getElementById("start").click()`);
  }
  await until("the report", `document.body.dataset.shown !== undefined || document.getElementById("wrong").textContent !== ""`);
  await new Promise((yes) => setTimeout(yes, 150));
  answer.wrong = await evaluate(`document.getElementById("wrong").textContent`);
  answer.focus = await evaluate("document.activeElement.id");
  answer.said = await evaluate(`document.getElementById("said").textContent`);
  answer.violations = await evaluate("violations");
  answer.report = await report();
  // Each form is fetched as its link would be.
  answer.forms = await evaluate(`Promise.all([...document.querySelectorAll("#forms a")].map(async (a) => { const r = await fetch(a.href); const t = await r.text(); return [a.textContent, a.download, r.status, t.length > 0]; }))`);
  answer.overflow = [];
  for (const width of [1280, 380]) for (const scheme of ["light", "dark"]) {
    await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
    const wide = await evaluate("document.documentElement.scrollWidth");
    if (wide > width) answer.overflow.push(`${wide} at ${width}`);
    if (index === 0) await picture(`serve-${width}-${scheme}`);
    if (index === 0 && config.axe) {
      // The report in the frame is asked by a test of its own.
      if (!(await evaluate("typeof axe === 'object'"))) await evaluate(readFileSync(config.axe, "utf8") + "; 1");
      (answer.axe ??= []).push(...await evaluate(`axe.run(document, { iframes: false, resultTypes: ["violations"] }).then((r) => r.violations.map((v) => v.impact + " " + v.id + " (${scheme}): " + v.nodes.slice(0, 3).map((n) => n.target).join("; ")))`));
    }
  }
  await send("Emulation.setDeviceMetricsOverride", { width: 1280, height: 900, deviceScaleFactor: 1, mobile: false });
  answer.errors = events.errors.splice(0);
  answer.requests = events.requests.splice(0);
  answers.push(answer);
}
console.log(JSON.stringify({ address, answers }));
await cdp.close();
process.exit(0);
