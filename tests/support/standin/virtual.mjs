// A scripted browser with a clock of its own. It walks the same stand-in and the same page script as the
// live browser, and records neutral exchanges that the writers turn into a producer's layout.

import { ADDRESSES, APP, STS, seeded } from "./ids.mjs";
import { Service } from "./service.mjs";
import { runPage } from "./page.mjs";

/** What a fault looks like to each producer is in the writers; here is only the kind. */
export const NET = {
  dns: "net::ERR_NAME_NOT_RESOLVED", refused: "net::ERR_CONNECTION_REFUSED", reset: "net::ERR_CONNECTION_RESET",
  timeout: "net::ERR_CONNECTION_TIMED_OUT", cert: "net::ERR_CERT_AUTHORITY_INVALID", tls: "net::ERR_SSL_PROTOCOL_ERROR", tlsreset: "net::ERR_CONNECTION_RESET",
  blocked: "net::ERR_BLOCKED_BY_CLIENT", aborted: "net::ERR_ABORTED", offline: "net::ERR_INTERNET_DISCONNECTED", proxy: "net::ERR_TUNNEL_CONNECTION_FAILED", csp: "net::ERR_BLOCKED_BY_CSP",
  dnstimeout: "net::ERR_DNS_TIMED_OUT", dnsfail: "net::ERR_DNS_SERVER_FAILED", unreachable: "net::ERR_ADDRESS_UNREACHABLE", local: "net::ERR_NETWORK_ACCESS_DENIED",
  gateway: "net::ERR_PROXY_CONNECTION_FAILED", gatewayname: "net::ERR_PROXY_CONNECTION_FAILED", tlsplain: "net::ERR_SSL_PROTOCOL_ERROR", tlsversion: "net::ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
  certrefused: "net::ERR_BAD_SSL_CLIENT_AUTH_CERT", certneeded: "net::ERR_SSL_CLIENT_AUTH_CERT_NEEDED",
};
/** No connection was tried, so there is no address. */
const NOWHERE = new Set(["dns", "dnstimeout", "dnsfail", "blocked", "offline", "csp", "local", "gateway", "gatewayname"]);

class Left extends Error {}

const AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0";

export class VirtualBrowser {
  constructor(story, start, exchanges = []) {
    this.story = story;
    this.t = start;
    this.random = seeded(`browser ${story.id}`);
    this.exchanges = exchanges;
    this.pages = exchanges.pages || (exchanges.pages = []);
    this.service = new Service(story, () => this.t);
    this.connections = new Map();
    this.cookies = new Map();
    this.nextConnection = 100 + exchanges.length;
    this.used = new Map();
  }

  fault(url) {
    return (this.story.faults || []).find((f) => {
      if (f.host && f.host !== url.hostname) return false;
      if (f.path && !f.path.test(url.pathname)) return false;
      if (f.when === "mfa" && !this.service.mfaShown) return false;
      if (f.when === "begun" && !this.service.begun) return false;
      if (f.when === "passed" && !this.service.passed) return false;
      if (f.polls && this.service.polls < f.polls) return false;
      if (f.until && this.failures >= f.until) return false;
      if (f.scheme && f.scheme !== url.protocol) return false;
      if (f.times && (this.used.get(f) || 0) >= f.times) return false;
      this.used.set(f, (this.used.get(f) || 0) + 1);
      return true;
    });
  }

  advance(ms) {
    if (this.leave && this.t + ms >= this.leave) { this.t = Math.max(this.t, this.leave); throw new Left(); }
    this.t += ms;
  }

  /** One request and what came of it; the clock moves on. */
  request(method, url, { body = null, headers = [], type = "fetch", mime = null, initiator = "script" } = {}) {
    const u = new URL(url);
    const fault = this.fault(u);
    const started = this.t;
    const times = { blocked: 1 + this.random.int(0, 30) / 10, dns: -1, connect: -1, ssl: -1, send: 0.2 + this.random.int(0, 20) / 100, wait: 0, receive: 0 };
    let connection = this.connections.get(u.hostname);
    const fresh = !connection;
    const jar = this.cookies.get(u.hostname);
    const sent = [
      ["Accept", type === "document" ? "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8" : type === "script" ? "*/*" : "application/json"],
      ["Accept-Encoding", "gzip, deflate, br, zstd"], ...(jar ? [["Cookie", jar]] : []),
      ["Host", u.host], ...(method === "POST" && type === "document" ? [["Origin", "https://" + (this.at ? new URL(this.at).host : u.host)]] : []), ...(this.at ? [["Referer", new URL(this.at).origin + "/"]] : []),
      ["Sec-Fetch-Mode", type === "document" ? "navigate" : "cors"], ["User-Agent", AGENT],
      ...(body !== null ? [["Content-Type", mime || "application/x-www-form-urlencoded"], ["Content-Length", String(Buffer.byteLength(body))]] : []), ...headers,
    ];
    const x = { started, times, type, initiator, pageref: this.pages.length, from: this.at, request: { method, url: u.href.replace(/#.*$/, ""), version: "HTTP/1.1", headers: sent, body, mime }, response: null, error: null, address: fault?.address || this.story.addresses?.[u.hostname] || this.story.addresses?.["*"] || ADDRESSES[u.hostname] || "203.0.113.7", fresh };
    this.exchanges.push(x);
    const fail = (kind, ms) => {
      x.error = { kind, net: fault?.net || NET[kind] };
      times.blocked = ms;
      times.send = 0;
      if (NOWHERE.has(kind)) x.address = "";
      this.connections.delete(u.hostname);
      this.failures = (this.failures || 0) + 1;
      this.t += ms;
      return x;
    };
    if (fault && !fault.http) return fail(fault.what, fault.ms ?? { timeout: 21042, dns: 46, blocked: 1, reset: 88, refused: 2034, aborted: 300, dnstimeout: 12030, unreachable: 3041, local: 2, gateway: 2047, gatewayname: 51 }[fault.what] ?? 60);
    if (fresh) {
      connection = { id: this.nextConnection++, port: 52000 + this.nextConnection };
      this.connections.set(u.hostname, connection);
      times.dns = 4 + this.random.int(0, 200) / 10;
      times.connect = 30 + this.random.int(0, 300) / 10;
      times.ssl = u.protocol === "http:" ? -1 : times.connect - 12;
    }
    x.connection = connection.id;
    x.port = connection.port;
    const script = u.hostname.startsWith("aadcdn");
    times.wait = fault?.ms ?? (script ? 12 : 70) + this.random.int(0, 900) / 10;
    times.receive = 0.4 + this.random.int(0, 40) / 10;
    this.t += times.blocked + Math.max(0, times.dns) + Math.max(0, times.connect) + times.send + times.wait;
    this.t = Math.round(this.t);
    const answer = fault ? { status: fault.http.status, headers: [["Content-Type", fault.http.mime || "text/html"], ...(fault.http.headers || []), ["Date", new Date(this.t).toUTCString()]], body: fault.http.body, location: fault.http.location } : this.override ? this.override(this.service) : this.service.handle({ method, url, body });
    this.override = null;
    if (fault) this.failures = (this.failures || 0) + 1;
    this.t = Math.round(this.t + times.receive);
    for (const [k, v] of answer.headers) {
      if (k !== "Set-Cookie") continue;
      const pair = v.split(";")[0];
      const held = (this.cookies.get(u.hostname) || "").split("; ").filter((c) => c && c.split("=")[0] !== pair.split("=")[0]);
      this.cookies.set(u.hostname, [...held, pair].join("; "));
    }
    x.response = { status: answer.status, text: fault?.http?.text ?? TEXT[answer.status] ?? "OK", version: "HTTP/1.1", headers: answer.headers, body: answer.body ?? "", mime: (answer.headers.find(([k]) => k === "Content-Type") || [])[1] || "" };
    x.answer = answer;
    return x;
  }

  /** A request outside any page, with the answer the story gives for it. */
  call(method, url, options, answer) {
    this.override = answer;
    return this.request(method, url, { type: "fetch", initiator: "other", ...options });
  }

  /** A main-frame navigation: redirects, the page's parts, its script, and where that leads. */
  async navigate(url, { method = "GET", fields = null, initiator = "other" } = {}) {
    for (let hops = 0; url && hops < 40; hops++) {
      this.pages.push({ started: this.t, title: url.replace(/#.*$/, "") });
      const x = this.request(method, url, { body: fields ? new URLSearchParams(fields).toString() : null, type: "document", initiator });
      if (x.error) return;
      const a = x.answer;
      if (a.location) {
        this.pages.pop();
        this.pages.push({ started: x.started, title: x.request.url });
        url = a.location; method = "GET"; fields = null; initiator = "redirect";
        continue;
      }
      this.at = url;
      this.hops = 0;
      let next = null;
      try { next = await this.parts(a); } catch (e) {
        if (!(e instanceof Left)) throw e;
        this.leave = null;
        if (!this.story.user.leaveTo) return;
        this.at = null;
        next = { url: this.story.user.leaveTo };
      }
      if (!next) return;
      ({ url, method = "GET", fields = null } = next);
      initiator = "script";
    }
  }

  frame(url) {
    for (let hops = 0; url && hops < 5; hops++) {
      const x = this.request("GET", url, { type: "document", initiator: "parser" });
      url = x.answer?.location;
    }
  }

  async parts(a) {
    const u = this.story.user || {};
    for (const f of a.frames || []) this.frame(f);
    if (a.post) { this.advance(a.post.after || 15); return { url: a.post.url, method: "POST", fields: a.post.fields }; }
    if (!a.roots) return null;
    for (const p of this.story.pictures || []) this.request("GET", p, { type: "image", initiator: "parser" });
    let loaded = false;
    for (const src of a.roots) {
      const x = this.request("GET", src, { type: "script" });
      if (x.response?.status === 200 && /javascript/.test(x.response.mime)) { loaded = true; break; }
    }
    for (const b of a.beacons || []) this.request("POST", b, { body: "{}", mime: "text/plain;charset=UTF-8" });
    if (!loaded) return null;
    if (u.scriptError && u.scriptError === a.config.pgid) {
      this.request("POST", `https://${STS}/common/handlers/watson`, { body: JSON.stringify({ sc: "script error", pgid: a.config.pgid }), mime: "application/json; charset=UTF-8" });
      return null;
    }
    if (u.reports && u.reports === a.config.pgid) this.request("POST", `https://${STS}/common/handlers/watson`, { body: JSON.stringify({ sc: "script warning", pgid: a.config.pgid }), mime: "application/json; charset=UTF-8" });
    if (u.skips && u.skips === a.config.pgid) { this.advance(2600); return { url: a.config.urlSkipMfaRegistration, method: "POST", fields: { ctx: a.config.sCtx, flowToken: a.config.sFT, canary: a.config.canary } }; }
    let next = null;
    const failed = (x) => !x.response || x.response.status >= 400 || !/json/.test(x.response.mime);
    const env = {
      sleep: async (ms) => this.advance(ms), now: () => this.t,
      go: (url) => { next = { url }; },
      submit: (url, fields) => { next = { url, method: "POST", fields }; },
      beacon: async (url) => { this.request("POST", url, { body: JSON.stringify({ error: "env" }), mime: "application/json; charset=UTF-8" }); },
      json: async (method, url, body, headers = {}) => {
        if (u.leaveAfter && /BeginAuth/.test(url)) this.leave = this.t + u.leaveAfter;
        if (u.cutAfter && /BeginAuth/.test(url)) this.leave = this.t + u.cutAfter;
        const x = this.request(method, url, { body: body ? JSON.stringify(body) : null, mime: "application/json; charset=UTF-8", headers: Object.entries(headers) });
        return failed(x) ? null : JSON.parse(x.answer.body);
      },
    };
    await runPage(a.script, a.config, u, env);
    if (!next && u.stays && a.config.pgid === u.stays.on) {
      this.t += u.stays.ms;
      for (const url of u.stays.then || []) {
        const away = url.includes("news.");
        if (away) { this.at = null; this.pages.push({ started: this.t, title: url }); }
        this.request("GET", url, away ? { type: "document", initiator: "other" } : { type: "fetch" });
      }
    }
    if (!next && u.after) { const again = u.after.shift?.(); if (again) { this.t += again.ms; return { url: again.url }; } }
    return next;
  }
}

const TEXT = { 200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 407: "Proxy Authentication Required", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 511: "Network Authentication Required" };

/** Runs one story (or its parts, one after the other) and returns the exchanges. */
export async function play(story, start = Date.UTC(2030, 0, 15, 9, 30, 0)) {
  const exchanges = [];
  let t = start;
  for (const part of story.parts || [story]) {
    const one = { ...story, parts: null, ...part, id: story.id + (part.suffix || ""), user: { ...story.user, ...part.user }, service: { ...story.service, ...part.service } };
    one.service = structuredClone(one.service);
    if (one.user.after) one.user.after = [...one.user.after];
    const browser = new VirtualBrowser(one, t, exchanges);
    if (one.open !== null) await browser.navigate(one.open || `https://${APP}/`);
    for (const call of one.calls || []) call(browser);
    for (const later of one.afterwards || []) { browser.leave = null; browser.t += later.ms; browser.at = null; await browser.navigate(later.url); }
    t = browser.t + (part.gap || 4000);
  }
  return exchanges;
}
