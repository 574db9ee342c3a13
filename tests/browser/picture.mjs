// Makes the picture that the README opens with: `node tests/browser/picture.mjs REPORT.html PICTURE.png`.
//
// The report is that of a capture in the corpus; the README names the command.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Protocol } from "../support/standin/devtools.mjs";

const [report, picture] = process.argv.slice(2);
const [width, height] = [1280, 1180];
readFileSync(report);
const cdp = new Protocol(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]);
const { targetId } = await cdp.send("Target.createTarget", { url: "about:blank" });
const { sessionId } = await cdp.send("Target.attachToTarget", { targetId, flatten: true });
const send = (method, params) => cdp.send(method, params, sessionId);
await send("Page.enable");
await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: "light" }] });
await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
const loaded = new Promise((done) => cdp.listeners.push(({ method }) => method === "Page.loadEventFired" && done()));
await send("Page.navigate", { url: pathToFileURL(report).href });
await loaded;
const { data } = await send("Page.captureScreenshot", { format: "png", clip: { x: 0, y: 0, width, height, scale: 1 } });
writeFileSync(picture, Buffer.from(data, "base64"));
cdp.close?.();
process.exit(0);
