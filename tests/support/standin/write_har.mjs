// HAR in the layouts of several producers, written from neutral exchanges.

const iso = (ms) => new Date(ms).toISOString();
const offset = (ms, minutes) => new Date(ms + minutes * 60000).toISOString().replace("Z", `+${String(minutes / 60).padStart(2, "0")}:00`);
const list = (pairs) => pairs.map(([name, value]) => ({ name, value }));
const query = (url) => [...new URL(url).searchParams].map(([name, value]) => ({ name, value: encodeURIComponent(value) }));
const total = (t) => Object.values(t).reduce((a, b) => a + Math.max(0, b), 0);
const location = (x) => (x.response.headers.find(([k]) => k.toLowerCase() === "location") || [])[1] || "";
const form = (text) => [...new URLSearchParams(text)].map(([name, value]) => ({ name, value: encodeURIComponent(value) }));
const cookies = (pairs, name) => pairs.filter(([k]) => k.toLowerCase() === name).flatMap(([, v]) => (name === "cookie" ? v.split("; ") : [v.split(";")[0]])).map((c) => ({ name: c.split("=")[0], value: c.slice(c.indexOf("=") + 1) }));
const SECRET = new Set(["cookie", "set-cookie", "authorization"]);
const hidden = (pairs, sanitized) => (sanitized ? pairs.filter(([k]) => !SECRET.has(k.toLowerCase())) : pairs);
const bytes = (text) => Buffer.byteLength(text || "");

function postData(x, mime = "application/x-www-form-urlencoded") {
  if (x.request.body === null || x.request.body === undefined) return {};
  const type = x.request.mime || mime;
  return { postData: { mimeType: type, text: x.request.body, ...(type.startsWith(mime) ? { params: form(x.request.body) } : {}) } };
}

function pages(exchanges, prefix, when) {
  return (exchanges.pages || []).map((p, i) => ({ startedDateTime: when(p.started), id: `${prefix}${i + 1}`, title: p.title, pageTimings: { onContentLoad: 120.5 + i, onLoad: 180.25 + i } }));
}

function devtools(exchanges, { sanitized = true, bodies = true } = {}) {
  const entries = exchanges.map((x) => {
    const t = { blocked: x.times.blocked, dns: x.times.dns, ssl: x.times.ssl, connect: x.times.connect, send: x.times.send, wait: x.times.wait, receive: x.times.receive, _blocked_queueing: 0.7, _workerStart: -1, _workerReady: -1, _workerFetchStart: -1, _workerRespondWithSettled: -1 };
    const text = x.response && bodies && !x.missing && !location(x) ? { text: x.response.body } : {};
    return {
      ...(x.connection ? { _connectionId: String(x.connection) } : {}),
      _initiator: x.initiator === "script" ? { type: "script", stack: { callFrames: [{ functionName: "", scriptId: "7", url: "", lineNumber: 6, columnNumber: 211 }] } } : { type: x.initiator === "parser" ? "parser" : "other" },
      _priority: x.type === "document" ? "VeryHigh" : "High", _resourceType: x.type, cache: {},
      ...(x.response ? { connection: x.request.url.startsWith("http:") ? "80" : "443" } : {}), pageref: `page_${Math.max(1, x.pageref)}`,
      request: { method: x.request.method, url: x.request.url, httpVersion: x.response ? "http/1.1" : "", headers: list(hidden(x.request.headers, sanitized)), queryString: query(x.request.url), cookies: sanitized ? [] : cookies(x.request.headers, "cookie"), headersSize: x.response ? 900 : -1, bodySize: bytes(x.request.body), ...postData(x) },
      response: x.response
        ? { status: x.response.status, statusText: x.response.text, httpVersion: "http/1.1", headers: list(hidden(x.response.headers, sanitized)), cookies: sanitized ? [] : cookies(x.response.headers, "set-cookie"), content: { size: location(x) ? 0 : bytes(x.response.body), mimeType: x.response.mime.split(";")[0], ...text }, redirectURL: location(x), headersSize: 800, bodySize: location(x) ? 0 : 1200, _transferSize: 2000, _error: null, _fetchedViaServiceWorker: false }
        : { status: 0, statusText: "", httpVersion: "", headers: [], cookies: [], content: { size: 0, mimeType: "x-unknown" }, redirectURL: "", headersSize: -1, bodySize: -1, _transferSize: 0, _error: x.error.net, _fetchedViaServiceWorker: false },
      serverIPAddress: x.response ? x.address : "", startedDateTime: iso(x.started), time: total(x.times), timings: t,
    };
  });
  return { log: { version: "1.2", creator: { name: "WebInspector", version: "537.36" }, pages: pages(exchanges, "page_", iso), entries } };
}

function firefox(exchanges) {
  const when = (ms) => offset(ms, 60);
  const entries = exchanges.map((x) => ({
    startedDateTime: when(x.started),
    request: { bodySize: bytes(x.request.body), method: x.request.method, url: x.request.url, httpVersion: x.response ? "HTTP/1.1" : "", headers: list(x.request.headers), cookies: cookies(x.request.headers, "cookie"), queryString: query(x.request.url).map((q) => ({ ...q, value: decodeURIComponent(q.value) })), headersSize: 700, ...(x.request.body !== null ? { postData: { mimeType: x.request.mime || "application/x-www-form-urlencoded", params: x.request.mime ? [] : form(x.request.body).map((p) => ({ ...p, value: decodeURIComponent(p.value) })), text: x.request.body } } : {}) },
    response: x.response
      ? { status: x.response.status, statusText: x.response.text, httpVersion: "HTTP/1.1", headers: list(x.response.headers), cookies: cookies(x.response.headers, "set-cookie"), content: { mimeType: x.response.mime, size: bytes(x.response.body), ...(x.missing || location(x) ? {} : { text: x.response.body }) }, redirectURL: location(x), headersSize: 900, bodySize: 2100 }
      : { status: 0, statusText: "", httpVersion: "", headers: [], cookies: [], content: { ...(x.error.kind === "aborted" ? {} : { mimeType: "" }), size: 0, encoding: "base64", text: "" }, redirectURL: "", headersSize: 0, bodySize: x.error.kind === "aborted" ? -1 : 0 },
    cache: {},
    timings: x.response ? { blocked: Math.round(x.times.blocked), dns: Math.max(0, Math.round(x.times.dns)), connect: Math.max(0, Math.round(x.times.connect)), ssl: Math.max(0, Math.round(x.times.ssl)), send: 0, wait: Math.round(x.times.wait), receive: Math.round(x.times.receive) } : { blocked: 0, dns: 0, connect: 0, ssl: 0, send: 0, wait: 0, receive: 0 },
    time: x.response ? Math.round(total(x.times)) : 0, ...(x.error?.kind === "aborted" ? {} : { _securityState: x.response ? "secure" : x.error.kind === "cert" ? "broken" : "insecure" }), ...(x.response ? { serverIPAddress: x.address, connection: "443" } : {}), pageref: `page_${Math.max(1, x.pageref)}`,
  }));
  return { log: { version: "1.2", creator: { name: "Firefox", version: "145.0.1" }, browser: { name: "Firefox", version: "145.0.1" }, pages: pages(exchanges, "page_", when).map((p) => ({ id: p.id, pageTimings: p.pageTimings, startedDateTime: p.startedDateTime, title: p.title })), entries } };
}

const SAFARI = { dns: "A server with the specified hostname could not be found.", refused: "Could not connect to the server.", reset: "The network connection was lost.", timeout: "The request timed out.", cert: "The certificate for this server is invalid. You might be connecting to a server that is pretending to be \u201clogin.microsoftonline.com\u201d which could put your confidential information at risk.", tls: "An SSL error has occurred and a secure connection to the server cannot be made.", tlsreset: "The network connection was lost.", blocked: "The URL was blocked by a content blocker", offline: "The Internet connection appears to be offline.", aborted: "cancelled", unreachable: "Could not connect to the server.", dnsfail: "A server with the specified hostname could not be found.", dnstimeout: "The request timed out.", proxy: "There was a problem communicating with the secure web proxy server (HTTPS).", csp: "Blocked by Content Security Policy" };

function safari(exchanges) {
  const entries = exchanges.map((x) => ({
    pageref: `page_${Math.max(0, x.pageref - 1)}`, startedDateTime: iso(x.started), time: total(x.times),
    request: { method: x.request.method, url: x.request.url, httpVersion: x.response ? "HTTP/1.1" : "", cookies: [], headers: list(x.request.headers.filter(([k]) => !/^(host|cookie|content-length)$/i.test(k))), queryString: query(x.request.url), headersSize: x.response ? 640 : -1, bodySize: x.response ? bytes(x.request.body) : -1, ...(x.request.body !== null ? { postData: { mimeType: x.request.mime || "application/x-www-form-urlencoded", text: x.request.body, params: x.request.mime ? [] : form(x.request.body) } } : {}) },
    response: x.response
      ? { status: x.response.status, statusText: x.response.text, httpVersion: "HTTP/1.1", cookies: [], headers: list(x.response.headers), content: { size: bytes(x.response.body), compression: 0, mimeType: x.response.mime.split(";")[0], ...(x.missing || location(x) ? { text: "" } : { text: x.response.body }) }, redirectURL: location(x), headersSize: 800, bodySize: 1500, _transferSize: 2300 }
      : { status: 0, statusText: "", httpVersion: "", cookies: [], headers: [], content: { size: 0, compression: 0, mimeType: "", text: "" }, redirectURL: "", headersSize: -1, bodySize: -1, _transferSize: -1, _error: SAFARI[x.error.kind] },
    cache: {}, timings: { blocked: x.times.blocked, dns: x.times.dns, connect: x.times.connect, ssl: x.times.ssl, send: x.times.send, wait: x.times.wait, receive: x.times.receive },
    ...(x.response ? { serverIPAddress: x.address, connection: String(x.connection) } : {}), _fetchType: x.response ? "Network Load" : "", _priority: "medium",
  }));
  return { log: { version: "1.2", creator: { name: "WebKit Web Inspector", version: "1.0" }, pages: pages(exchanges, "page_", iso).map((p, i) => ({ ...p, id: `page_${i}` })), entries } };
}

const MITM = { dns: "[Errno -2] Name or service not known", refused: "[Errno 111] Connect call failed", reset: "server closed connection", timeout: "[Errno 110] Connect call failed", cert: "Certificate verify failed: unable to get local issuer certificate", tls: "TLS handshake failed", tlsreset: "connection closed", aborted: "Client disconnected.", offline: "[Errno 101] Network is unreachable", dnstimeout: "[Errno -3] Temporary failure in name resolution", dnsfail: "[Errno -4] Non-recoverable failure in name resolution", unreachable: "[Errno 113] No route to host", tlsplain: "The remote server does not speak TLS.", tlsversion: "The remote server and mitmproxy cannot agree on a TLS version to use. You may need to adjust mitmproxy's tls_version_server_min option." };

function mitmproxy(exchanges) {
  const when = (ms) => new Date(ms).toISOString().replace("Z", "000+00:00");
  const entries = exchanges.map((x) => ({
    startedDateTime: when(x.started), time: total(x.times),
    request: { method: x.request.method, url: x.request.url, httpVersion: "HTTP/1.1", cookies: cookies(x.request.headers, "cookie"), headers: list(x.request.headers), queryString: query(x.request.url), headersSize: 702, bodySize: bytes(x.request.body), ...(x.request.body !== null ? { postData: { mimeType: x.request.mime || "application/x-www-form-urlencoded", text: x.request.body, params: x.request.mime ? [] : form(x.request.body).map((p) => ({ ...p, value: decodeURIComponent(p.value) })) } } : {}) },
    response: x.response
      ? { status: x.response.status, statusText: x.response.text, httpVersion: "HTTP/1.1", cookies: cookies(x.response.headers, "set-cookie"), headers: list(x.response.headers), content: { size: bytes(x.response.body), compression: 0, mimeType: x.response.mime, text: x.missing ? "" : x.response.body }, redirectURL: location(x), headersSize: 880, bodySize: bytes(x.response.body) }
      : { status: 0, statusText: "", httpVersion: "", headers: [], cookies: [], content: {}, redirectURL: "", headersSize: -1, bodySize: -1, _transferSize: 0, _error: MITM[x.error.kind] || "error" },
    cache: {}, timings: { connect: x.times.connect, ssl: x.times.ssl, send: x.times.send, receive: x.times.receive, wait: x.times.wait }, ...(x.address ? { serverIPAddress: x.address } : {}),
  }));
  return { log: { version: "1.2", creator: { name: "mitmproxy", version: "12.1.2", comment: "" }, pages: [], entries } };
}

function charles(exchanges) {
  const when = (ms) => new Date(ms - 8 * 3600000).toISOString().replace("Z", "-08:00");
  const entries = exchanges.map((x) => ({
    startedDateTime: when(x.started), time: Math.round(total(x.times)),
    request: { method: x.request.method, url: x.request.url, httpVersion: "HTTP/1.1", cookies: cookies(x.request.headers, "cookie"), headers: list(x.request.headers), queryString: query(x.request.url).map((q) => ({ ...q, value: decodeURIComponent(q.value) })), ...(x.request.body !== null ? { postData: x.request.mime ? { mimeType: x.request.mime, text: x.request.body } : { mimeType: "application/x-www-form-urlencoded", params: form(x.request.body).map((p) => ({ ...p, value: decodeURIComponent(p.value) })) } } : {}), headersSize: 668, bodySize: bytes(x.request.body) },
    response: x.response
      ? { _charlesStatus: "COMPLETE", status: x.response.status, statusText: x.response.text, httpVersion: "HTTP/1.1", cookies: cookies(x.response.headers, "set-cookie"), headers: list(x.response.headers), content: { size: bytes(x.response.body), mimeType: x.response.mime, ...(x.missing ? {} : { text: x.response.body }) }, redirectURL: location(x) || null, headersSize: 0, bodySize: bytes(x.response.body) }
      : { _charlesStatus: "FAILED", _charlesErrorMessage: SAFARI[x.error.kind], status: null, statusText: null, httpVersion: null, cookies: [], headers: [], content: { size: 0, mimeType: null }, redirectURL: null, headersSize: 0, bodySize: 0 },
    serverIPAddress: x.address || null, cache: {}, timings: { dns: Math.round(x.times.dns), connect: Math.round(x.times.connect), ssl: Math.round(x.times.ssl), send: 0, wait: Math.round(x.times.wait), receive: Math.round(x.times.receive) },
  }));
  return { log: { version: "1.2", creator: { name: "Charles Proxy", version: "5.0.3" }, entries } };
}

function insomnia(exchanges) {
  const entries = exchanges.map((x) => ({
    startedDateTime: iso(x.started), time: total(x.times),
    request: { method: x.request.method, url: x.request.url, httpVersion: "HTTP/1.1", cookies: [], headers: list(x.request.headers.filter(([k]) => /^(content-type|accept|authorization)$/i.test(k))), queryString: query(x.request.url), postData: { mimeType: x.request.body === null ? "" : x.request.mime || "application/x-www-form-urlencoded", text: x.request.mime ? x.request.body || "" : "", params: x.request.body !== null && !x.request.mime ? form(x.request.body).map((p) => ({ ...p, value: decodeURIComponent(p.value) })) : [] }, headersSize: -1, bodySize: -1, settingEncodeUrl: true },
    response: x.response ? { status: x.response.status, statusText: x.response.text, httpVersion: "HTTP/1.1", cookies: [], headers: list(x.response.headers), content: { size: bytes(x.response.body), mimeType: x.response.mime, text: x.response.body }, redirectURL: "", headersSize: -1, bodySize: -1 } : { status: 0, statusText: "", httpVersion: "HTTP/1.1", cookies: [], headers: [], content: { size: 0, mimeType: "", text: "" }, redirectURL: "", headersSize: -1, bodySize: -1, _error: "Error" },
    cache: {}, timings: { blocked: -1, dns: -1, connect: -1, send: 0, wait: total(x.times), receive: 0, ssl: -1 }, comment: "sign-in call",
  }));
  return { log: { version: "1.2", creator: { name: "Insomnia REST Client", version: "insomnia.desktop.app:v11.6.0" }, entries } };
}

/** Fiddler's own HAR export: what Fiddler answered itself is there as an ordinary 502 or 504. */
function fiddler(exchanges, own) {
  const when = (ms) => offset(ms, 60).replace(/(\.\d{3})/, "$14419");
  const entries = exchanges.map((x, i) => {
    const r = x.response || own(x, i + 1);
    return {
      pageref: "0", time: Math.round(total(x.times)), ...(x.address ? { serverIPAddress: x.address } : {}), connection: `ClientPort:${x.port || 0};EgressPort:${(x.port || 0) + 1}`,
      request: { headersSize: 690, postData: { text: x.request.body || "", mimeType: x.request.body === null ? "" : x.request.mime || "application/x-www-form-urlencoded", ...(x.request.body !== null && !x.request.mime ? { params: form(x.request.body) } : {}) }, queryString: query(x.request.url), headers: list(x.request.headers), bodySize: bytes(x.request.body), url: x.request.url, cookies: cookies(x.request.headers, "cookie"), method: x.request.method, httpVersion: "HTTP/1.1" },
      timings: { blocked: -1, ssl: Math.max(0, Math.round(x.times.ssl)), receive: Math.round(x.times.receive), wait: Math.round(x.times.wait), dns: Math.max(0, Math.round(x.times.dns)), send: 0, connect: Math.max(0, Math.round(x.times.connect)) },
      response: { headersSize: 800, bodySize: bytes(r.body), statusText: r.text, redirectURL: x.response ? location(x) : "", status: r.status, httpVersion: "HTTP/1.1", cookies: cookies(r.headers, "set-cookie"), content: { compression: 0, text: x.missing ? "" : r.body, size: bytes(r.body), mimeType: r.mime }, headers: list(r.headers) },
      startedDateTime: when(x.started), cache: {},
    };
  });
  return { log: { pages: [], comment: "exported @ 15/01/2030 10:31:40", entries, creator: { name: "Fiddler", comment: "https://fiddler2.com", version: "5.0.20253.3311" }, version: "1.2" } };
}

const FIREFOX = { tlsplain: "SSL_ERROR_RX_RECORD_TOO_LONG", tlsversion: "SSL_ERROR_UNSUPPORTED_VERSION", refused: "NS_ERROR_CONNECTION_REFUSED", reset: "NS_ERROR_NET_RESET", dns: "NS_ERROR_UNKNOWN_HOST" };

/** Playwright's own HAR: the certificate's issuer stands with every answer; `story.issuers` names others than the public ones. */
function playwright(exchanges, { story = {} } = {}) {
  const gecko = story.playwrightOn === "firefox", page = (n) => `page@${String(Math.max(1, n)).padStart(32, "0")}`;
  const issuer = (host) => story.issuers?.[host] || story.issuers?.["*"] || (story.interceptor?.hosts.includes(host) ? /CN=([^,]*)/.exec(story.interceptor.issuer)[1] : null) || (host.startsWith("aadcdn") ? "Microsoft TLS G2 RSA CA OCSP 02" : /microsoft|live\.com/.test(host) ? "DigiCert Global G2 TLS RSA SHA256 2020 CA1" : "Example Public TLS CA 1");
  const first = exchanges[0]?.started || 0;
  const entries = exchanges.map((x) => {
    const u = new URL(x.request.url), t = x.times;
    const body = x.response && !x.missing && !location(x) ? { text: x.response.body } : {};
    return {
      pageref: page(x.pageref), startedDateTime: iso(x.started), time: x.response ? total(t) : Math.max(1, t.blocked),
      request: { method: x.request.method, url: x.request.url, httpVersion: "HTTP/1.1", cookies: cookies(x.request.headers, "cookie"), headers: list(x.request.headers), queryString: query(x.request.url).map((q) => ({ ...q, value: decodeURIComponent(q.value) })), headersSize: x.response ? 820 : -1, bodySize: bytes(x.request.body), ...(x.request.body !== null ? { postData: { mimeType: x.request.mime || "application/x-www-form-urlencoded", text: x.request.body, params: x.request.mime ? [] : form(x.request.body).map((p) => ({ ...p, value: decodeURIComponent(p.value) })) } } : {}) },
      response: x.response
        ? { status: x.response.status, statusText: x.response.text, httpVersion: "HTTP/1.1", cookies: cookies(x.response.headers, "set-cookie"), headers: list(x.response.headers), content: { size: location(x) ? -1 : bytes(x.response.body), mimeType: x.response.mime, compression: 0, ...body }, headersSize: 800, bodySize: bytes(x.response.body), redirectURL: location(x), _transferSize: bytes(x.response.body) + 800 }
        : { status: -1, statusText: "", httpVersion: "HTTP/1.1", cookies: [], headers: [], content: { size: -1, mimeType: "x-unknown" }, headersSize: -1, bodySize: -1, redirectURL: "", _transferSize: -1, _failureText: gecko ? FIREFOX[x.error.kind] : x.error.net },
      cache: {}, timings: x.response ? { dns: Math.max(0, t.dns), connect: Math.max(0, t.connect), ssl: t.ssl, send: 0, wait: t.wait, receive: t.receive } : { send: -1, wait: -1, receive: -1 },
      _frameref: `frame@${"0".repeat(31)}1`, _monotonicTime: 14000 + x.started - first, _resourceType: x.type,
      ...(x.response ? { serverIPAddress: x.address, _serverPort: u.protocol === "http:" ? 80 : 443, ...(u.protocol === "http:" ? {} : { _securityDetails: { protocol: "TLS 1.3", subjectName: u.hostname, issuer: issuer(u.hostname), validFrom: 1888444800, validTo: 1897084799 } }) } : {}),
    };
  });
  return { log: { version: "1.2", creator: { name: "Playwright", version: "1.65.1" }, browser: gecko ? { name: "firefox", version: "145.0" } : { name: "chromium", version: "156.0.8078.79" }, pages: (exchanges.pages || []).map((p, i) => ({ startedDateTime: iso(p.started), id: page(i + 1), title: p.title, pageTimings: { onContentLoad: 120, onLoad: 180 } })), entries } };
}

export const LAYOUTS = { playwright, devtools, firefox, safari, mitmproxy, charles, insomnia, fiddler };
export const PRODUCERS = { playwright: "Playwright layout", devtools: "Chrome DevTools layout", firefox: "Firefox layout", safari: "Safari layout", mitmproxy: "mitmproxy layout", charles: "Charles layout", insomnia: "Insomnia layout", fiddler: "Fiddler HAR export layout" };


/** One line for each entry: the files stay readable and small. */
export function harText(value) {
  const [head, tail] = JSON.stringify({ log: { ...value.log, entries: "@entries@" } }).split('"@entries@"');
  return Buffer.from(`${head}[\n${value.log.entries.map((e) => JSON.stringify(e, (_, v) => (typeof v === "number" ? Math.round(v * 1000) / 1000 : v))).join(",\n")}\n]${tail}\n`);
}
