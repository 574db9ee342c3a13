// Records the browser stories with a real Chromium: `node live.mjs [story ...]`.
//
// Runs in a network namespace of its own (nothing can leave), serves the stand-in over TLS on the addresses of
// the made-up hosts, and lets Chromium live through each story twice: watched over the DevTools protocol, and
// driven by Playwright with its own recorder. A SAZ is transcoded from the first.

import { execFileSync, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { ADDRESSES, APP } from "./ids.mjs";
import { Log, Protocol, exported } from "./devtools.mjs";
import { firefox } from "./firefox.mjs";
import { Service } from "./service.mjs";
import { STORIES } from "./stories.mjs";
import { saz } from "./write_saz.mjs";
import { harText } from "./write_har.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const CHROMIUM = process.env.STANDIN_CHROMIUM || "/usr/bin/chromium";
const root = join(here, "..", "..", "..", "captures");
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const REFUSING = "20.190.160.15";

/** A leaf for all hosts that the browser is told to accept, and one of an issuer that it does not know. */
function certificates() {
  const dir = mkdtempSync(join(tmpdir(), "standin-"));
  const run = (...args) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  writeFileSync(join(dir, "san"), `subjectAltName=${Object.keys(ADDRESSES).map((h) => "DNS:" + h).join(",")}\nextendedKeyUsage=serverAuth\n`);
  const issue = (ca, leaf, subject) => {
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", `${ca}.key`, "-out", `${ca}.pem`, "-days", "90", "-subj", subject);
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", `${leaf}.key`, "-out", `${leaf}.csr`, "-subj", "/CN=login.microsoftonline.com");
    run("x509", "-req", "-in", `${leaf}.csr`, "-CA", `${ca}.pem`, "-CAkey", `${ca}.key`, "-out", `${leaf}.pem`, "-days", "60", "-extfile", "san");
    return { ca: readFileSync(join(dir, `${ca}.pem`), "latin1").replace(/-----[^-]*-----|\s/g, ""), key: readFileSync(join(dir, `${leaf}.key`)), cert: readFileSync(join(dir, `${leaf}.pem`)) };
  };
  const good = issue("ca", "leaf", "/CN=Stand-in CA");
  const bad = issue("gateway", "forged", "/C=US/O=Zscaler Inc./OU=Zscaler Inc./CN=Zscaler Intermediate Root CA (zscalerthree.net)");
  rmSync(dir, { recursive: true });
  const spki = createHash("sha256").update(new X509Certificate(good.cert).publicKey.export({ type: "spki", format: "der" })).digest("base64");
  return { good, bad, spki, ca: good.ca };
}

/** The host name in a ClientHello, or null. */
function serverName(b) {
  try {
    let at = 5 + 4 + 2 + 32;
    at += 1 + b[at];
    at += 2 + b.readUInt16BE(at);
    at += 1 + b[at];
    const end = at + 2 + b.readUInt16BE(at);
    at += 2;
    while (at < end) {
      const type = b.readUInt16BE(at), size = b.readUInt16BE(at + 2);
      if (type === 0) return b.toString("latin1", at + 9, at + 9 + b.readUInt16BE(at + 7));
      at += 4 + size;
    }
  } catch { /* not a hello */ }
  return null;
}

class Site {
  constructor(certs) {
    this.forged = tls.createSecureContext(certs.bad);
    this.trusted = tls.createSecureContext(certs.good);
    this.server = http2.createSecureServer({
      ...certs.good, allowHTTP1: true,
      SNICallback: (name, done) => done(null, this.fault(name, "cert") ? this.forged : this.trusted),
      ALPNCallback: ({ servername, protocols }) => (/aadcdn|events/.test(servername) && protocols.includes("h2") ? "h2" : "http/1.1"),
    }, (req, res) => this.answer(req, res));
    this.server.on("tlsClientError", () => {});
    this.server.on("sessionError", () => {});
    this.open = new Set();
    this.fronts = Object.values(ADDRESSES).map((address) => {
      const front = net.createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", (hello) => {
          const name = serverName(hello);
          if (this.fault(name, "reset") || this.fault(name, "tlsreset")) return socket.resetAndDestroy();
          socket.pause();
          socket.unshift(hello);
          socket.host = name;
          this.open.add(socket);
          socket.on("close", () => this.open.delete(socket));
          this.server.emit("connection", socket);
        });
      });
      front.listen(443, address);
      return front;
    });
  }

  begin(story) {
    this.story = story;
    this.seen = Date.now();
    this.answers = [];
    this.service = new Service({ ...story, service: structuredClone(story.service || {}) }, () => Date.now());
  }

  fault(host, what) {
    return (this.story.faults || []).find((f) => f.host === host && f.what === what && !f.path && (!f.when || this.service.mfaShown));
  }

  /** A fault on one path only, or null. */
  onPath(host, path) {
    return (this.story.faults || []).find((f) => f.host === host && f.path?.test(path) && (f.what === "reset" || f.http) && !(this.service.polls < f.polls));
  }

  answer(req, res) {
    const chunks = [];
    req.on("data", (c) => chunks.push(c));
    req.on("error", () => {});
    this.seen = Date.now();
    req.on("end", async () => {
      const host = (req.headers[":authority"] || req.headers.host).replace(/:443$/, "");
      const bad = this.onPath(host, req.url);
      if (bad?.what === "reset") return [...this.open].find((s) => s.remotePort === req.socket.remotePort)?.resetAndDestroy();
      if (bad) { res.writeHead(bad.http.status, Object.fromEntries([["Content-Type", bad.http.mime], ...bad.http.headers])); this.answers.push([`${req.method} https://${host}${req.url}`, bad.http.body]); return res.end(bad.http.body); }
      if (this.story.slow?.path.test(req.url)) await sleep(this.story.slow.ms);
      const a = this.service.handle({ method: req.method, url: `https://${host}${req.url}`, body: Buffer.concat(chunks).toString() || null });
      this.answers.push([`${req.method} https://${host}${req.url}`, a.body || ""]);
      if (this.firefox && req.url.endsWith(".js")) a.body = `window.__user=${JSON.stringify(this.story.user)};\n${a.body}`;
      await sleep(host.startsWith("aadcdn") ? 8 : 55);
      let body = Buffer.from(a.body || "");
      for (const [k, v] of a.headers) res.appendHeader ? res.appendHeader(k, v) : res.setHeader(k, [...[res.getHeader(k) || []].flat(), v]);
      if (body.length > 400 && /gzip/.test(req.headers["accept-encoding"] || "")) { body = gzipSync(body); res.setHeader("Content-Encoding", "gzip"); }
      if (body.length % 2 || req.httpVersionMajor === 2) res.setHeader("Content-Length", body.length);
      res.statusCode = a.status;
      res.end(body);
      this.seen = Date.now();
      for (const s of this.open) if (this.fault(s.host, "reset")) s.resetAndDestroy();
    });
  }
}

const flags = (story, spki) => {
  const rules = Object.entries(ADDRESSES).map(([host, address]) => {
    const f = (story.faults || []).find((x) => x.host === host && !x.when);
    if (f?.what === "dns") return `MAP ${host} ~NOTFOUND`;
    return `MAP ${host} ${f?.what === "refused" ? REFUSING : address}`;
  });
  return ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-features=HttpsUpgrades,OptimizationHints,DisableLoadExtensionCommandLineSwitch", "--disable-dev-shm-usage", story.careless ? "--ignore-certificate-errors" : `--ignore-certificate-errors-spki-list=${spki}`, `--host-resolver-rules=${rules.join(", ")}`, ...(story.gateway ? [`--proxy-server=http://${story.gateway}`] : [])];
};

/** A proxy that tunnels to the stand-in and refuses what the story says. */
function proxy(site) {
  const server = http.createServer((_req, res) => res.writeHead(400).end());
  server.on("connect", (req, socket) => {
    socket.on("error", () => {});
    const host = req.url.split(":")[0];
    if ((site.story.faults || []).some((f) => f.host === host && f.what === "proxy")) return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 34\r\nConnection: close\r\n\r\n<html>Not allowed by policy.</html>".slice(0, -1));
    const to = net.connect(443, ADDRESSES[host] || REFUSING, () => { socket.write("HTTP/1.1 200 Connection established\r\n\r\n"); to.pipe(socket); socket.pipe(to); });
    to.on("error", () => socket.destroy());
  });
  server.listen(8080, "10.10.0.8");
}

/** A real extension that blocks what the story says, or no arguments. */
function extension(story) {
  const blocked = (story.faults || []).filter((f) => f.what === "blocked");
  if (!blocked.length) return [];
  const dir = mkdtempSync(join(tmpdir(), "standin-extension-"));
  writeFileSync(join(dir, "manifest.json"), JSON.stringify({ manifest_version: 3, name: "Content filter", version: "1.0", permissions: ["declarativeNetRequest"], host_permissions: ["<all_urls>"], declarative_net_request: { rule_resources: [{ id: "r", enabled: true, path: "rules.json" }] } }));
  writeFileSync(join(dir, "rules.json"), JSON.stringify(blocked.map((f, n) => ({ id: n + 1, action: { type: "block" }, condition: { urlFilter: `||${f.host}/*${f.path.source}`, resourceTypes: ["script"] } }))));
  return [`--load-extension=${dir}`, `--disable-extensions-except=${dir}`];
}

async function devtools(story, site, certs) {
  site.begin(story);
  const cdp = new Protocol([...flags(story, certs.spki), ...extension(story)]);
  const log = new Log();
  log.frames = new Set();
  const bodies = [];
  log.body = (item) => bodies.push(cdp.send("Network.getResponseBody", { requestId: item.id }, item.session).then((r) => { item.body = r.base64Encoded ? Buffer.from(r.body, "base64").toString() : r.body; }, (e) => { item.noBody = e.message; }));
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
  for (const [m, p] of [["Network.enable", { maxTotalBufferSize: 2e7, maxResourceBufferSize: 1e7 }], ["Page.enable", {}], ["Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true }], ["Page.addScriptToEvaluateOnNewDocument", { source: `window.__user=${JSON.stringify(story.user)};` }]]) await cdp.send(m, p, sessionId);
  const go = (url) => cdp.send("Page.navigate", { url }, sessionId);
  const offline = () => cdp.send("Network.emulateNetworkConditions", { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 }, sessionId);
  await live(story, site, go, () => log.seen, offline);
  await Promise.all(bodies);
  // What the tools would have got if asked only now, at export time.
  for (const i of log.items) if (i.body !== undefined) await cdp.send("Network.getResponseBody", { requestId: i.id }, i.session).catch(() => { i.lateMissing = true; });
  await cdp.close();
  return log;
}

/** Lets the story happen: the page acts by itself, only leaving it is done from here. */
async function live(story, site, go, seen, offline) {
  const cut = (story.faults || []).find((f) => f.what === "offline");
  let isCut = false;
  await go(story.open || `https://${APP}/`).catch(() => {});
  const u = story.user || {};
  let left = false;
  for (;;) {
    await sleep(100);
    if (u.leaveAfter && !left && site.service.begun && Date.now() - site.service.begun > u.leaveAfter) { left = true; await go(u.leaveTo).catch(() => {}); }
    if (cut && !isCut && site.service.polls >= cut.polls) { isCut = true; await offline(); }
    if (Date.now() - seen() > 3200) break;
  }
  for (const later of story.afterwards || []) { await sleep(later.ms - 3200); await go(later.url).catch(() => {}); await sleep(800); }
}

/** The story through a real mitmproxy; returns the HAR that it writes. */
async function mitmproxy(story, site, certs) {
  const dir = mkdtempSync(join(tmpdir(), "standin-mitm-"));
  writeFileSync(join(dir, "ca.pem"), `-----BEGIN CERTIFICATE-----\n${certs.ca.replace(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`);
  const child = spawn(process.env.STANDIN_MITMDUMP, ["-q", "--listen-host", "10.10.0.8", "-p", "8081", "--set", `confdir=${dir}`, "--set", `hardump=${dir}/out.har`, "--set", `ssl_verify_upstream_trusted_ca=${dir}/ca.pem`, "--set", "connection_strategy=lazy"], { stdio: "inherit" });
  for (let ok = false; !ok;) { await sleep(300); ok = await new Promise((r) => { const s = net.connect(8081, "10.10.0.8", () => { s.destroy(); r(true); }); s.on("error", () => r(false)); }); }
  await devtools({ ...story, gateway: "10.10.0.8:8081", careless: true }, site, certs);
  const gone = new Promise((r) => child.on("exit", r));
  child.kill("SIGINT");
  await gone;
  const har = JSON.parse(readFileSync(join(dir, "out.har"), "utf8"));
  rmSync(dir, { recursive: true });
  // The browser's own update calls, which go nowhere here, describe the machine: left out.
  har.log.entries = har.log.entries.filter((e) => !/update\.googleapis/.test(e.request.url));
  return har;
}

/** The same traffic as neutral exchanges, for the SAZ writer; a body the browser gave up is taken from the server. */
function neutral(log, site) {
  const served = (e) => { const n = site.answers.findIndex(([k]) => k === `${e.request.method} ${e.request.url}`); return n < 0 ? "" : site.answers.splice(n, 1)[0][1]; };
  const full = exported(log, { sanitized: false }).log;
  const kinds = { NAME_NOT_RESOLVED: "dns", CONNECTION_REFUSED: "refused", CONNECTION_RESET: "reset", CONNECTION_CLOSED: "reset", CERT_AUTHORITY_INVALID: "cert", ABORTED: "aborted", HTTP2_PROTOCOL_ERROR: "reset", EMPTY_RESPONSE: "reset", TUNNEL_CONNECTION_FAILED: "proxy", INTERNET_DISCONNECTED: "offline", BLOCKED_BY_CLIENT: "blocked" };
  const xs = full.entries.map((e, n) => {
    const pairs = (h) => h.map((x) => [x.name, x.value]).filter(([k]) => !k.startsWith(":"));
    const kind = e.response._error && kinds[e.response._error.replace("net::ERR_", "")];
    const host = new URL(e.request.url).hostname;
    return {
      started: Math.round(Date.parse(e.startedDateTime)), times: e.timings, type: e._resourceType, request: { method: e.request.method, url: e.request.url, headers: pairs(e.request.headers), body: e.request.postData?.text ?? null, mime: e.request.postData?.mimeType },
      response: e.response.status ? { status: e.response.status, text: e.response.statusText || "OK", headers: pairs(e.response.headers), body: ((b) => log.items[n].body ?? b)(served(e)), mime: e.response.content.mimeType } : null,
      error: e.response.status ? null : { kind: kind || "aborted", net: e.response._error }, address: ADDRESSES[host], connection: e._connectionId, port: 50000 + n,
    };
  });
  return Object.assign(xs.sort((a, b) => a.started - b.started), { pages: [] });
}

async function playwright(story, site, certs, path) {
  const require = createRequire(join(process.env.STANDIN_PLAYWRIGHT || here, "x.js"));
  const { chromium } = require("playwright-core");
  site.begin(story);
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: flags(story, certs.spki).filter((f) => !f.startsWith("--headless")), ignoreDefaultArgs: ["--hide-scrollbars"] });
  const context = await browser.newContext({ recordHar: { path, content: "embed", mode: "full" } });
  await context.addInitScript(`window.__user=${JSON.stringify(story.user)};`);
  for (const f of (story.faults || []).filter((x) => x.what === "blocked")) await context.route((u) => u.hostname === f.host && f.path.test(u.pathname), (r) => r.abort("blockedbyclient"));
  const page = await context.newPage();
  let seen = Date.now();
  for (const e of ["request", "response", "requestfailed", "requestfinished"]) page.on(e, () => { seen = Date.now(); });
  await live(story, site, (url) => page.goto(url, { waitUntil: "commit", timeout: 15000 }), () => seen, () => context.setOffline(true));
  await context.close();
  await browser.close();
}

async function main() {
  const ip = (...a) => execFileSync("ip", a);
  ip("link", "set", "lo", "up");
  for (const a of [...new Set([...Object.values(ADDRESSES), REFUSING, "10.10.0.8"])]) ip("addr", "add", `${a}/32`, "dev", "lo");
  const certs = certificates();
  const site = new Site(certs);
  proxy(site);
  const hosts = join(mkdtempSync(join(tmpdir(), "standin-hosts-")), "hosts");
  writeFileSync(hosts, "");
  execFileSync("mount", ["--bind", hosts, "/etc/hosts"]);
  const wanted = process.argv.slice(2);
  for (const story of STORIES.filter((s) => s.driven && (!wanted.length || wanted.includes(s.id)))) {
    const dir = join(root, story.family);
    mkdirSync(dir, { recursive: true });
    const log = process.env.STANDIN_ONLY_OTHERS ? null : await devtools(story, site, certs);
    if (log) {
      writeFileSync(join(dir, `${story.id}.devtools.har`), harText(exported(log, { sanitized: !story.sensitive })));
      if (!story.keep) writeFileSync(join(dir, `${story.id}.saz`), saz(neutral(log, site), { story }));
      const late = log.items.filter((i) => i.lateMissing).length;
      console.log(`${story.id}: ${log.items.length} requests, ${log.items.filter((i) => i.noBody).length} bodies refused at once, ${late} at export time`);
      if (story.late) writeFileSync(join(dir, `${story.id}.late.devtools.har`), harText(exported(log, { late: true })));
      for (const i of log.items.filter((x) => x.noBody || x.error || x.lateMissing)) console.log(`   ${i.request.method} ${i.request.url.slice(0, 90)} ${i.error || ""} ${i.noBody || ""} ${i.lateMissing ? "late" : ""}`);
    }
    writeFileSync(hosts, Object.entries(ADDRESSES).map(([host, address]) => {
      const f = (story.faults || []).find((x) => x.host === host && !x.when && !x.path);
      return f?.what === "dns" ? "" : `${f?.what === "refused" ? REFUSING : address} ${host}\n`;
    }).join(""));
    if (process.env.STANDIN_MITMDUMP && story.mitm) {
      const har = await mitmproxy(story, site, certs);
      writeFileSync(join(dir, `${story.id}.mitmproxy.har`), harText(har));
      console.log(`   mitmproxy: ${har.log.entries.length} requests`);
    }
    if (process.env.STANDIN_FIREFOX && story.firefox) {
      site.begin(story);
      site.firefox = true;
      const har = await firefox(story, site, certs, live);
      site.firefox = false;
      writeFileSync(join(dir, `${story.id}.firefox.har`), harText(har));
      console.log(`   firefox: ${har.log.entries.length} requests`);
    }
    if (process.env.STANDIN_ONLY_OTHERS) continue;
    const file = join(dir, `${story.id}.playwright.har`);
    await playwright(story, site, certs, file);
    writeFileSync(file, harText(JSON.parse(readFileSync(file, "utf8"))));
  }
  process.exit(0);
}

if (!process.env.STANDIN_INSIDE) {
  const child = spawn("unshare", ["-n", "-m", process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit", env: { ...process.env, STANDIN_INSIDE: "1" } });
  process.exitCode = await new Promise((r) => child.on("exit", r));
} else {
  await main();
}
