// The stand-in for the sign-in service over TLS on the addresses of the lab: `node login.mjs CONFIG.json`.
//
// The browser's part stands at the head of each page script, so that any browser lives through the story on its
// own. What the stand-in does not know is answered with a small page. With `log` every exchange is written down
// as the server saw it, one JSON a line.

import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { Service } from "../support/standin/service.mjs";
import { tokenError } from "../support/standin/calls.mjs";

const c = JSON.parse(readFileSync(process.argv[2], "utf8"));
const read = (pair) => ({ cert: readFileSync(pair[0]), key: readFileSync(pair[1]) });
const protocol = { minVersion: c.min, maxVersion: c.max, ...(c.ciphers ? { ciphers: c.ciphers } : {}), ...(c.groups ? { ecdhCurve: c.groups } : {}), ...(c.secure ? { secureOptions: c.secure } : {}) };
const contexts = new Map(Object.entries(c.certs).map(([host, pair]) => [host, tls.createSecureContext({ ...read(pair), ...protocol })]));
const story = { id: c.id, user: c.user, service: c.service };
const service = new Service(story, () => Date.now());
const seen = { polls: 0, tokens: 0 };

function ask(request) {
  const path = new URL(request.url).pathname;
  if (c.tokens && path.endsWith("/devicecode")) return service.json({ user_code: "FAKESECRET7", device_code: service.random.secret("GAQABIQ", 160), verification_uri: "https://microsoft.com/devicelogin", expires_in: 900, interval: 5, message: "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code." });
  if (c.tokens && path.endsWith("/token")) {
    const planned = c.tokens[Math.min(seen.tokens++, c.tokens.length - 1)];
    return planned ? tokenError(service, planned.code, { ...planned, claims: planned.claims && JSON.stringify({ access_token: { capolids: { essential: true, values: [service.random.guid()] } } }) }) : service.token();
  }
  if (c.tokens && /userrealm|openid-configuration|discovery\/instance/.test(path)) return service.json({ tenant_discovery_endpoint: `https://${new URL(request.url).hostname}/organizations/v2.0/.well-known/openid-configuration`, account_type: "Managed", domain_name: "contoso.example", cloud_instance_name: "microsoftonline.com" });
  try {
    return service.handle(request);
  } catch {
    return { status: 200, headers: [["Content-Type", "application/json"]], body: JSON.stringify({ Success: false, Retry: true, ResultValue: "AuthenticationPending", Message: null, Ctx: "FAKESECRETctx".repeat(8) }) };
  }
}

const CODINGS = {
  gzip: (b) => gzipSync(b), deflate: (b) => deflateSync(b), br: (b) => brotliCompressSync(b),
  zstd: (b) => execFileSync("zstd", ["-q", "-c", "-5"], { input: b }),
};

/** A body in the first of the planned codings that the client takes, in turn. */
let turn = 0;
function coded(body, accepts) {
  const can = (c.encode || []).filter((one) => new RegExp(`\\b${one}\\b`).test(accepts || ""));
  if (!can.length || body.length < 200) return [body, null];
  const coding = can[turn++ % can.length];
  return [CODINGS[coding](body), coding];
}

/** What the plan says of this request on an HTTP/2 stream; true when it is not answered. */
function spoiled(req, res, host) {
  if (!res.stream) return false;
  const poll = /EndAuth/.test(req.url) ? seen.polls : 0;
  if (c.streamReset && poll >= c.streamReset.polls) { res.stream.close(c.streamReset.code); return true; }
  if (c.http1?.includes(host)) { res.stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED); return true; }
  if (c.goaway && poll === c.goaway) { seen.polls++; res.stream.session.goaway(0, res.stream.id - 2); res.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM); return true; }
  return false;
}

function answer(req, res) {
  const chunks = [];
  const started = Date.now();
  req.on("data", (d) => chunks.push(d));
  req.on("error", () => {});
  req.on("end", () => {
    const host = (req.headers[":authority"] || req.headers.host || "").replace(/:\d+$/, "");
    const url = `https://${host}${req.url}`;
    if (/EndAuth/.test(req.url)) seen.polls++;
    const sent = Buffer.concat(chunks).toString() || null;
    if (spoiled(req, res, host)) return console.log(req.method, host, req.url.slice(0, 80), "refused");
    const a = ask({ method: req.method, url, body: sent });
    let body = a.body || "";
    if (req.url.endsWith(".js")) body = `window.__user=${JSON.stringify(c.user)};\n${body}`;
    if (c.pad?.[host]) body += " ".repeat(c.pad[host]);
    if (res.stream?.destroyed) return;
    const headers = new Map();
    for (const [k, v] of a.headers || []) headers.set(k, headers.has(k) ? [headers.get(k), v].flat() : v);
    if (c.offer?.includes(host)) headers.set("Alt-Svc", 'h3=":443"; ma=86400');
    if (c.long?.includes(host)) headers.set("x-lab-long", "long header ".repeat(2600));
    const [bytes, coding] = coded(Buffer.from(body), req.headers["accept-encoding"]);
    if (coding) headers.set("Content-Encoding", coding);
    const parts = c.chunked && !res.stream && bytes.length > 2;
    if (!parts && req.method !== "HEAD") headers.set("Content-Length", bytes.length);
    if (c.closes && /EndAuth/.test(req.url) && !res.stream) headers.set("Connection", "close");
    for (const [k, v] of headers) res.setHeader(k, v);
    res.statusCode = a.status || 200;
    if (c.hints) res.writeEarlyHints?.({ link: "</shared/1.0/>; rel=preconnect" });
    setTimeout(() => {
      if (parts) res.write(bytes.subarray(0, bytes.length >> 1));
      res.end(req.method === "HEAD" ? undefined : parts ? bytes.subarray(bytes.length >> 1) : bytes);
      if (c.log) appendFileSync(c.log, JSON.stringify({ started, ended: Date.now(), method: req.method, url, version: req.httpVersion, address: req.socket.localAddress, port: req.socket.remotePort, sent: Object.entries(req.headers).filter(([k]) => !k.startsWith(":")), body: sent, mime: req.headers["content-type"], status: res.statusCode, got: a.headers || [], answer: body }) + "\n");
    }, c.think ?? 25);
    console.log(req.method, host, req.url.slice(0, 80), res.statusCode);
  });
}

const offers = c.http === 1 ? () => false : c.http === 2 ? () => true : (name) => /aadcdn|events|office/.test(name);
const server = (address) => {
  const s = http2.createSecureServer({
    ...read(c.certs["*"]), allowHTTP1: true, ...protocol, ...(c.ask?.includes(address) ? { requestCert: true, rejectUnauthorized: false } : {}),
    ...(c.padding ? { paddingStrategy: http2.constants.PADDING_STRATEGY_MAX } : {}),
    SNICallback: (name, done) => done(null, contexts.get(name) || contexts.get("*")),
    ALPNCallback: ({ servername, protocols }) => (offers(servername) && protocols.includes("h2") ? "h2" : protocols.includes("http/1.1") ? "http/1.1" : undefined),
  }, answer);
  s.keepAliveTimeout = c.keep ?? 60000;
  for (const event of ["tlsClientError", "sessionError", "clientError"]) s.on(event, () => {});
  s.on("error", (e) => { console.error(String(e)); process.exit(1); });
  s.listen(443, address);
};
for (const address of c.listen) server(address);
for (const address of c.plain || []) http.createServer((req, res) => { res.setHeader("Content-Type", "text/plain"); res.end("Microsoft Connect Test"); }).listen(80, address);
console.log("ready");
