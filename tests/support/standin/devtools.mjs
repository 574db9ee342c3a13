// A Chromium watched over the DevTools protocol, and what its developer tools would export of that.
//
// Knows nothing of the stand-in: `live.mjs` and the lab (`tests/lab/browse.mjs`) drive it.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM = process.env.STANDIN_CHROMIUM || "/usr/bin/chromium";

/** The DevTools protocol over a pipe. */
export class Protocol {
  constructor(args, env = process.env) {
    this.profile = mkdtempSync(join(tmpdir(), "standin-profile-"));
    this.child = spawn(CHROMIUM, [...args, "--remote-debugging-pipe", `--user-data-dir=${this.profile}`, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], env });
    this.next = 1;
    this.waiting = new Map();
    this.listeners = [];
    let rest = "";
    this.child.stdio[4].on("data", (d) => {
      rest += d;
      const parts = rest.split("\0");
      rest = parts.pop();
      for (const p of parts) {
        const m = JSON.parse(p);
        if (m.id) { const w = this.waiting.get(m.id); this.waiting.delete(m.id); m.error ? w.no(new Error(m.error.message)) : w.yes(m.result); } else for (const l of this.listeners) l(m);
      }
    });
  }

  send(method, params = {}, sessionId) {
    const id = this.next++;
    this.child.stdio[3].write(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }) + "\0");
    return new Promise((yes, no) => this.waiting.set(id, { yes, no }));
  }

  async close() {
    const gone = new Promise((r) => this.child.on("exit", r));
    this.send("Browser.close").catch(() => {});
    await gone;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Keeps the network events as the developer tools' network log does: one item per request, redirects apart. */
export class Log {
  constructor() { this.items = []; this.byId = new Map(); this.pages = []; this.seen = Date.now(); this.extra = new Map(); }

  on({ method, params: p, sessionId }) {
    const [domain] = method.split(".");
    if (domain !== "Network" && domain !== "Page") return;
    if (domain === "Network") this.seen = Date.now();
    if (method === "Page.domContentEventFired" && this.pages.length) this.pages.at(-1).content ??= p.timestamp;
    if (method === "Page.loadEventFired" && this.pages.length) this.pages.at(-1).load ??= p.timestamp;
    if (method === "Network.requestWillBeSent") {
      if (p.request.url.startsWith("data:")) return;
      if (p.redirectResponse) {
        const before = this.byId.get(p.requestId);
        before.response = p.redirectResponse;
        before.responseTime = before.end = p.timestamp;
        before.redirected = true;
        before.transfer = p.redirectResponse.encodedDataLength;
      }
      const main = p.type === "Document" && !this.frames.has(p.frameId);
      if (main && !p.redirectResponse) this.pages.push({ wall: p.wallTime, issue: p.timestamp, title: p.request.url });
      const item = { id: p.requestId, session: sessionId, request: p.request, issue: p.timestamp, wall: p.wallTime, type: (p.type || "Other").toLowerCase(), initiator: p.initiator, page: this.pages.length, wire: {} };
      this.items.push(item);
      this.byId.set(p.requestId, item);
      this.flush(p.requestId);
    }
    if (/ExtraInfo$/.test(method)) { const q = this.extra.get(p.requestId) || []; q.push([method, p]); this.extra.set(p.requestId, q); this.flush(p.requestId); }
    const item = this.byId.get(p.requestId);
    if (!item) return;
    if (method === "Network.responseReceived") { item.response = p.response; item.responseTime = p.timestamp; }
    if (method === "Network.loadingFinished") { item.end = p.timestamp; item.transfer = p.encodedDataLength; if (!item.redirected) this.body(item); }
    if (method === "Network.loadingFailed") { item.end = p.timestamp; item.error = p.errorText; item.canceled = p.canceled; item.blocked = p.blockedReason; }
  }

  /** Extra-info events carry the headers as they were on the wire; they come in the order of the hops. */
  flush(id) {
    const hops = this.items.filter((i) => i.id === id);
    for (const [method, p] of this.extra.get(id)?.splice(0) || []) {
      const key = method.includes("requestWillBeSent") ? "sent" : "got";
      const hop = hops.find((h) => !h.wire[key]);
      if (hop) hop.wire[key] = p; else { const q = this.extra.get(id); q.push([method, p]); break; }
    }
  }
}

const list = (o) => Object.entries(o || {}).flatMap(([name, value]) => String(value).split("\n").map((v) => ({ name, value: v })));
const HIDDEN = /^(cookie|set-cookie|authorization)$/i;

/** The export of the developer tools' front end, sanitised as it is by default. */
export function exported(log, { sanitized = true, late = false } = {}) {
  const wall = (item, t) => new Date((item.wall + (t - item.issue)) * 1000).toJSON();
  const entries = log.items.map((i) => {
    const r = i.response, timing = r?.timing;
    const ms = (s) => (s === -1 ? -1 : s * 1000);
    const start = timing ? timing.requestTime : i.issue;
    const queued = i.issue < start ? ms(start - i.issue) : -1;
    const t = { blocked: queued, dns: -1, ssl: -1, connect: -1, send: 0, wait: 0, receive: 0, _blocked_queueing: queued };
    if (timing) {
      const from = Math.min(...[timing.dnsStart, timing.connectStart, timing.sendStart].filter((v) => v >= 0));
      if (Number.isFinite(from)) t.blocked = Math.max(0, t.blocked) + from;
      const dnsEnd = timing.dnsEnd >= 0 ? timing.dnsEnd : -1, sslEnd = timing.sslEnd > 0 ? timing.sslEnd : -1, connectEnd = timing.connectEnd >= 0 ? timing.connectEnd : -1;
      t.dns = dnsEnd - (timing.dnsEnd >= 0 ? from : 0);
      t.ssl = sslEnd - (timing.sslEnd > 0 ? timing.sslStart : 0);
      t.connect = connectEnd - (timing.connectEnd >= 0 ? Math.min(...[dnsEnd, from].filter((v) => v >= 0)) : 0);
      t.send = Math.max(0, timing.sendEnd - Math.max(connectEnd, dnsEnd, from));
      const high = Math.max(timing.sendEnd, connectEnd, sslEnd, dnsEnd, from, 0);
      t.wait = Math.max(0, ms(i.responseTime - timing.requestTime) - high);
      t.receive = Math.max(0, ms((i.end ?? i.responseTime) - i.responseTime));
      Object.assign(t, { _workerStart: timing.workerStart, _workerReady: timing.workerReady, _workerFetchStart: timing.workerFetchStart, _workerRespondWithSettled: timing.workerRespondWithSettled });
    } else t.blocked = ms((i.end ?? i.issue) - i.issue);
    const protocol = r?.protocol === "h2" ? "http/2.0" : r?.protocol || "";
    const sent = list(i.wire.sent?.headers || r?.requestHeaders || i.request.headers), got = list(i.wire.got?.headers || r?.headers);
    const show = (h) => (sanitized ? h.filter((x) => !HIDDEN.test(x.name)) : h);
    const mime = (sent.find((h) => h.name.toLowerCase() === "content-type") || {}).value || "";
    const url = i.request.url + (i.request.urlFragment || "");
    const cookie = (h) => ({ name: h.split("=")[0], value: h.slice(h.indexOf("=") + 1) });
    const total = ["blocked", "dns", "connect", "send", "wait", "receive"].reduce((a, k) => a + Math.max(0, t[k]), 0);
    const text = i.body !== undefined && !(late && i.lateMissing) ? { text: i.body } : {};
    return {
      ...(r?.connectionId ? { _connectionId: String(r.connectionId) } : {}),
      _initiator: i.initiator.type === "script" ? { type: "script", stack: i.initiator.stack } : { type: i.initiator.type, ...(i.initiator.url ? { url: i.initiator.url, lineNumber: i.initiator.lineNumber } : {}) },
      _priority: i.request.initialPriority, _resourceType: i.type, cache: {}, ...(r?.remotePort ? { connection: String(r.remotePort) } : {}), pageref: `page_${Math.max(1, i.page)}`,
      request: {
        method: i.request.method, url: url.replace(/#.*$/, ""), httpVersion: protocol, headers: show(sent), queryString: [...new URL(url).searchParams].map(([name, value]) => ({ name, value: encodeURIComponent(value) })),
        cookies: sanitized ? [] : sent.filter((h) => /^cookie$/i.test(h.name)).flatMap((h) => h.value.split("; ").map(cookie)), headersSize: r ? (protocol === "http/1.1" ? sent.reduce((a, h) => a + h.name.length + h.value.length + 4, 40) : -1) : -1, bodySize: Buffer.byteLength(i.request.postData || ""),
        ...(i.request.postData !== undefined ? { postData: { mimeType: mime, text: i.request.postData, ...(mime.startsWith("application/x-www-form-urlencoded") ? { params: [...new URLSearchParams(i.request.postData)].map(([name, value]) => ({ name, value: encodeURIComponent(value) })) } : {}) } } : {}),
      },
      response: r
        ? { status: i.wire.got?.statusCode || r.status, statusText: r.statusText, httpVersion: protocol, headers: show(got), cookies: sanitized ? [] : got.filter((h) => /^set-cookie$/i.test(h.name)).map((h) => cookie(h.value.split(";")[0])), content: { size: i.body !== undefined ? Buffer.byteLength(i.body) : 0, mimeType: r.mimeType || "x-unknown", ...text }, redirectURL: (got.find((h) => h.name.toLowerCase() === "location") || {}).value || "", headersSize: protocol === "http/1.1" ? got.reduce((a, h) => a + h.name.length + h.value.length + 4, 20) : -1, bodySize: i.redirected ? 0 : Math.max(0, (i.transfer || 0) - 300), _transferSize: i.transfer || 0, _error: i.error || null, _fetchedViaServiceWorker: false }
        : { status: 0, statusText: "", httpVersion: "", headers: [], cookies: [], content: { size: 0, mimeType: "x-unknown" }, redirectURL: "", headersSize: -1, bodySize: -1, _transferSize: 0, _error: i.error ?? null, _fetchedViaServiceWorker: false },
      serverIPAddress: (r?.remoteIPAddress || "").replace(/[[\]]/g, ""), startedDateTime: wall(i, i.issue), time: total, timings: t,
    };
  });
  const pages = log.pages.map((p, n) => ({ startedDateTime: new Date(p.wall * 1000).toJSON(), id: `page_${n + 1}`, title: p.title, pageTimings: { onContentLoad: p.content ? (p.content - p.issue) * 1000 : null, onLoad: p.load ? (p.load - p.issue) * 1000 : null } }));
  return { log: { version: "1.2", creator: { name: "WebInspector", version: "537.36" }, pages, entries } };
}
