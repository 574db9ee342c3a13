// Drives a real Firefox over Marionette and takes the HAR that its own network monitor exports.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const PREFS = {
  "marionette.port": 2828, "app.update.disabledForTesting": true, "browser.startup.homepage": "about:blank", "browser.startup.page": 0, "browser.safebrowsing.malware.enabled": false, "browser.safebrowsing.phishing.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false, "devtools.netmonitor.persistlog": true, "devtools.browserconsole.contentMessages": false, "dom.security.https_first": false, "extensions.update.enabled": false, "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false, "network.manage-offline-status": false, "network.trr.mode": 5, "network.http.speculative-parallel-limit": 0, "security.OCSP.enabled": 0, "services.settings.server": "data:,", "toolkit.telemetry.enabled": false,
  "network.dns.disablePrefetch": true, "network.predictor.enabled": false, "browser.aboutwelcome.enabled": false,
};

class Marionette {
  async open() {
    for (let tries = 0; tries < 100; tries++) {
      await sleep(200);
      const ok = await new Promise((r) => {
        this.socket = net.connect(2828, "127.0.0.1", () => r(true));
        this.socket.on("error", () => r(false));
      });
      if (ok) break;
    }
    this.waiting = new Map();
    this.next = 1;
    let rest = Buffer.alloc(0);
    this.socket.on("data", (d) => {
      rest = Buffer.concat([rest, d]);
      for (;;) {
        const colon = rest.indexOf(58);
        if (colon < 0) return;
        const size = +rest.toString("latin1", 0, colon);
        if (rest.length < colon + 1 + size) return;
        const m = JSON.parse(rest.toString("utf8", colon + 1, colon + 1 + size));
        rest = rest.subarray(colon + 1 + size);
        if (!Array.isArray(m)) continue;
        const w = this.waiting.get(m[1]);
        m[2] ? w.no(new Error(m[2].message)) : w.yes(m[3]);
      }
    });
    await this.send("WebDriver:NewSession", { capabilities: { alwaysMatch: { pageLoadStrategy: "none" } } });
    await this.send("WebDriver:SetTimeouts", { script: 60000 });
    await this.send("Marionette:SetContext", { value: "chrome" });
  }

  send(command, params) {
    const id = this.next++;
    const text = JSON.stringify([0, id, command, params]);
    this.socket.write(`${Buffer.byteLength(text)}:${text}`);
    return new Promise((yes, no) => this.waiting.set(id, { yes, no }));
  }

  /** Runs in the browser's own context; `tab` and `devtools` are there. */
  async run(body, ...args) {
    const script = `const done = arguments[arguments.length - 1]; const args = arguments;
      const { require } = ChromeUtils.importESModule("resource://devtools/shared/loader/Loader.sys.mjs");
      const { gDevTools } = require("devtools/client/framework/devtools");
      const tab = Services.wm.getMostRecentWindow("navigator:browser").gBrowser.selectedTab;
      (async () => { ${body} })().then((v) => done({ v }), (e) => done({ e: String(e) }));`;
    const { value } = await this.send("WebDriver:ExecuteAsyncScript", { script, args, newSandbox: true, sandbox: "system" });
    if (value.e) throw new Error(value.e);
    return value.v;
  }
}

/** One story; returns the HAR as the network monitor exports it. */
export async function firefox(story, site, certs, live) {
  const profile = mkdtempSync(join(tmpdir(), "standin-firefox-"));
  writeFileSync(join(profile, "user.js"), Object.entries(PREFS).map(([k, v]) => `user_pref(${JSON.stringify(k)}, ${JSON.stringify(v)});`).join("\n"));
  const child = spawn(process.env.STANDIN_FIREFOX, ["--headless", "--marionette", "--remote-allow-system-access", "--profile", profile], { stdio: "ignore", env: { ...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" } });
  const gone = new Promise((r) => child.on("exit", r));
  const m = new Marionette();
  await m.open();
  await m.run(`Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(args[0], "C,,");`, certs.ca);
  if (story.gateway) await m.run(`Services.prefs.setIntPref("network.proxy.type", 1); Services.prefs.setStringPref("network.proxy.ssl", args[0]); Services.prefs.setIntPref("network.proxy.ssl_port", args[1]);`, story.gateway.split(":")[0], +story.gateway.split(":")[1]);
  await m.run(`await gDevTools.showToolboxForTab(tab, { toolId: "netmonitor" });`);
  await sleep(800);
  const go = (url) => m.run(`tab.linkedBrowser.fixupAndLoadURIString(args[0], { triggeringPrincipal: Services.scriptSecurityManager.getSystemPrincipal() });`, url);
  const offline = () => m.run(`Services.io.manageOfflineStatus = false; Services.io.offline = true;`);
  await live(story, site, go, () => site.seen, offline);
  const har = await m.run(`const api = await gDevTools.getToolboxForTab(tab).getNetMonitorAPI(); return JSON.stringify(await api.getHar());`);
  m.send("Marionette:Quit", { flags: ["eForceQuit"] }).catch(() => {});
  await gone;
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  const value = JSON.parse(har);
  return value.log ? value : { log: value };
}
