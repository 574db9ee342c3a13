// A Chromium that lives through the page on its own, watched as its developer tools would: `node browse.mjs
// CONFIG.json`, in the client's namespace. Writes the HAR that the tools would export.
//
// `leave` goes elsewhere when so many polls were made; `after` opens addresses when nothing happened any more.

import { readFileSync, writeFileSync } from "node:fs";
import { Log, Protocol, exported } from "../support/standin/devtools.mjs";
import { harText } from "../support/standin/write_har.mjs";

const c = JSON.parse(readFileSync(process.argv[2], "utf8"));
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const cdp = new Protocol(c.args, { ...process.env, ...c.env });
const log = new Log();
log.frames = new Set();
const bodies = [];
log.body = (item) => bodies.push(cdp.send("Network.getResponseBody", { requestId: item.id }, item.session).then((r) => { item.body = r.base64Encoded ? Buffer.from(r.body, "base64").toString() : r.body; }, () => {}));
cdp.listeners.push((m) => {
  if (m.method === "Page.frameAttached") log.frames.add(m.params.frameId);
  if (m.method === "Target.attachedToTarget") {
    cdp.send("Network.enable", {}, m.params.sessionId).catch(() => {});
    cdp.send("Runtime.runIfWaitingForDebugger", {}, m.params.sessionId).catch(() => {});
  }
  log.on(m);
});
const { targetId } = await cdp.send("Target.createTarget", { url: "about:blank" });
const { sessionId } = await cdp.send("Target.attachToTarget", { targetId, flatten: true });
for (const [m, p] of [["Network.enable", { maxTotalBufferSize: 2e7, maxResourceBufferSize: 1e7 }], ["Page.enable", {}], ["Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }]]) await cdp.send(m, p, sessionId);
const go = (url) => cdp.send("Page.navigate", { url }, sessionId).catch(() => {});
const polls = () => log.items.filter((i) => /EndAuth/.test(i.request.url)).length;
const end = Date.now() + c.limit;

async function quiet() {
  for (;;) {
    await sleep(100);
    if (c.leave && polls() >= c.leave.polls) { await sleep(c.leave.ms ?? 400); await go(c.leave.to); delete c.leave; }
    const pending = log.items.some((i) => i.end === undefined);
    if (Date.now() - log.seen > (pending ? c.idle * 3 : c.idle) || Date.now() > end) return;
  }
}

await go(c.url);
await quiet();
for (const url of c.after || []) { await go(url); await quiet(); }
await Promise.all(bodies);
writeFileSync(c.out, harText(exported(log, { sanitized: c.sanitized !== false })));
await cdp.close();
process.exit(0);
