// The stand-in for the sign-in service over TLS on the addresses of the lab: `node login.mjs CONFIG.json`.
//
// The browser's part stands at the head of each page script, so that any browser lives through the story on its
// own. What the stand-in does not know is answered with a small page.

import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import { Service } from "../support/standin/service.mjs";

const c = JSON.parse(readFileSync(process.argv[2], "utf8"));
const read = (pair) => ({ cert: readFileSync(pair[0]), key: readFileSync(pair[1]) });
const contexts = new Map(Object.entries(c.certs).map(([host, pair]) => [host, tls.createSecureContext({ ...read(pair), minVersion: c.min, maxVersion: c.max })]));
const story = { id: c.id, user: c.user, service: c.service };
const service = new Service(story, () => Date.now());

function ask(request) {
  try {
    return service.handle(request);
  } catch {
    return { status: 200, headers: [["Content-Type", "application/json"]], body: JSON.stringify({ Success: false, Retry: true, ResultValue: "AuthenticationPending", Message: null, Ctx: "FAKESECRETctx".repeat(8) }) };
  }
}

function answer(req, res) {
  const chunks = [];
  req.on("data", (d) => chunks.push(d));
  req.on("error", () => {});
  req.on("end", () => {
    const host = (req.headers[":authority"] || req.headers.host || "").replace(/:\d+$/, "");
    const a = ask({ method: req.method, url: `https://${host}${req.url}`, body: Buffer.concat(chunks).toString() || null });
    let body = a.body || "";
    if (req.url.endsWith(".js")) body = `window.__user=${JSON.stringify(c.user)};\n${body}`;
    if (c.pad?.[host]) body += " ".repeat(c.pad[host]);
    if (!res.stream || !res.stream.destroyed) {
      const headers = new Map();
      for (const [k, v] of a.headers || []) headers.set(k, headers.has(k) ? [headers.get(k), v].flat() : v);
      if (c.offer?.includes(host)) headers.set("Alt-Svc", 'h3=":443"; ma=86400');
      for (const [k, v] of headers) res.setHeader(k, v);
      res.setHeader("Content-Length", Buffer.byteLength(body));
      res.statusCode = a.status || 200;
      setTimeout(() => res.end(body), c.think ?? 25);
    }
    console.log(req.method, host, req.url.slice(0, 80), res.statusCode);
  });
}

const server = (address) => {
  const s = http2.createSecureServer({
    ...read(c.certs["*"]), allowHTTP1: true, minVersion: c.min, maxVersion: c.max, ...(c.ask?.includes(address) ? { requestCert: true, rejectUnauthorized: false } : {}),
    SNICallback: (name, done) => done(null, contexts.get(name) || contexts.get("*")),
    ALPNCallback: ({ servername, protocols }) => (/aadcdn|events|office/.test(servername) && protocols.includes("h2") ? "h2" : protocols.includes("http/1.1") ? "http/1.1" : undefined),
  }, answer);
  s.keepAliveTimeout = c.keep ?? 60000;
  for (const event of ["tlsClientError", "sessionError", "clientError"]) s.on(event, () => {});
  s.on("error", (e) => { console.error(String(e)); process.exit(1); });
  s.listen(443, address);
};
for (const address of c.listen) server(address);
for (const address of c.plain || []) http.createServer((req, res) => { res.setHeader("Content-Type", "text/plain"); res.end("Microsoft Connect Test"); }).listen(80, address);
console.log("ready");
