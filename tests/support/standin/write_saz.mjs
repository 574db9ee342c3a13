// SAZ in the layout of Fiddler Classic and of Fiddler Everywhere, written from neutral exchanges.

import { brotliCompressSync, gzipSync } from "node:zlib";
import { ADDRESSES, seeded } from "./ids.mjs";
import { zip } from "./archive.mjs";

const SELF = { status: 502, mime: "text/html; charset=UTF-8" };
const pad = (s) => s + " ".repeat(Math.max(0, 512 - s.length)); // Fiddler pads its own pages for old browsers
const REASONS = {
  refused: ["ConnectionRefused (0x274d)", "No connection could be made because the target machine actively refused it"],
  timeout: ["TimedOut (0x274c)", "A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond"],
  reset: ["ConnectionReset (0x2746)", "An existing connection was forcibly closed by the remote host"],
  offline: ["NetworkUnreachable (0x2743)", "A socket operation was attempted to an unreachable network"],
  unreachable: ["HostUnreachable (0x2751)", "A socket operation was attempted to an unreachable host"],
};
const LOOKUP = {
  dns: "No such host is known",
  dnstimeout: "This is usually a temporary error during hostname resolution and means that the local server did not receive a response from an authoritative server",
  dnsfail: "A non-recoverable error occurred during a database lookup",
};
const HANDSHAKE = {
  cert: "System.Security.Authentication.AuthenticationException The remote certificate is invalid according to the validation procedure.",
  tls: "System.Security.Authentication.AuthenticationException A call to SSPI failed, see inner exception. &lt; The message received was unexpected or badly formatted",
  tlsreset: "System.IO.IOException Unable to read data from the transport connection: An existing connection was forcibly closed by the remote host. &lt; An existing connection was forcibly closed by the remote host",
  tlsplain: "System.IO.IOException The handshake failed due to an unexpected packet format.",
  tlsversion: "System.Security.Authentication.AuthenticationException A call to SSPI failed, see inner exception. &lt; The client and server cannot communicate, because they do not possess a common algorithm",
  certrefused: "System.Security.Authentication.AuthenticationException A call to SSPI failed, see inner exception. &lt; The credentials supplied to the package were not recognized",
  certneeded: "System.Security.Authentication.AuthenticationException A call to SSPI failed, see inner exception. &lt; The credentials supplied to the package were not recognized",
};
const REFUSED_TUNNEL = ["dns", "dnstimeout", "dnsfail", "refused", "timeout", "offline", "unreachable", "local", "proxy", "gateway", "gatewayname"];

/** The answer Fiddler writes itself when an exchange failed, or `null` for an aborted session. */
export function fiddlerAnswer(x, number) {
  const host = new URL(x.request.url).hostname;
  const kind = x.error.kind;
  const made = (text, body, status = 502) => ({ ...SELF, status, text, body: pad(body), headers: [["Date", new Date(x.started + Math.max(0, x.times.blocked)).toUTCString()], ["Content-Type", "text/html; charset=UTF-8"], ["Connection", "close"], ["Cache-Control", "no-cache, must-revalidate"], ["Timestamp", new Date(x.started).toISOString().slice(11, 23)]] });
  if (LOOKUP[kind]) return made("Fiddler - DNS Lookup Failed", `[Fiddler] DNS Lookup for "${host}" failed. System.Net.Sockets.SocketException ${LOOKUP[kind]}`);
  if (HANDSHAKE[kind]) {
    return made("Fiddler - Connection Failed", `[Fiddler] The connection to '${host}' failed. <br />System.Security.SecurityException Failed to negotiate HTTPS connection with server.fiddler.network.https&gt; HTTPS handshake to ${host} (for #${number}) failed. ${HANDSHAKE[kind]}`);
  }
  if (kind === "reset") return made("Fiddler - Receive Failure", `[Fiddler] ReadResponse() failed: The server did not return a complete response for this request. Server returned 0 bytes.`, 504);
  if (kind === "proxy") return made("Fiddler - Gateway Connection Failed", `[Fiddler] The connection to the upstream proxy/gateway failed. <br />Upstream Gateway refused requested CONNECT. ${x.error.status || 403}`);
  if (kind === "gateway") return made("Fiddler - Gateway Connection Failed", `[Fiddler] The connection to the upstream proxy/gateway failed. <br />Error: ConnectionRefused (0x274d). <br />System.Net.Sockets.SocketException No connection could be made because the target machine actively refused it 10.10.0.8:8080`);
  if (kind === "gatewayname") return made("Fiddler - Proxy DNS Lookup Failed", `[Fiddler] DNS Lookup for Proxy "proxy.contoso.example" failed. No such host is known`);
  if (kind === "local") return made("Fiddler - Connection Failed", `[Fiddler] The connection to '${host}' failed. <br />A Firewall may be blocking Fiddler's traffic.<br />Error: AccessDenied (0x271d). <br />System.Net.Sockets.SocketException An attempt was made to access a socket in a way forbidden by its access permissions ${ADDRESSES[host] || "203.0.113.7"}:443`);
  if (REASONS[kind]) return made("Fiddler - Connection Failed", `[Fiddler] The connection to '${host}' failed. <br />Error: ${REASONS[kind][0]}. <br />System.Net.Sockets.SocketException ${REASONS[kind][1]} ${x.address}:443`);
  return null;
}

const stamp = (ms, zone) => {
  const d = new Date(ms + zone * 60000).toISOString().replace("Z", "");
  return `${d}${String(Math.round(ms * 7) % 10000).padStart(4, "0")}+${String(zone / 60).padStart(2, "0")}:00`;
};
const UNSET = "0001-01-01T00:00:00";
const xml = (s) => String(s).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
const CERTS = {
  default: ["CN=stamp2.login.microsoftonline.com, O=Microsoft Corporation, L=Redmond, S=Washington, C=US", "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1, O=DigiCert Inc, C=US"],
  cdn: ["CN=aadcdn.msauth.net, O=Microsoft Corporation, L=Redmond, S=WA, C=US", "CN=Microsoft TLS G2 RSA CA OCSP 02, O=Microsoft Corporation, C=US"],
  other: ["CN=portal.fabrikam.example, O=Fabrikam Example, C=DE", "CN=Example Public TLS CA 1, O=Example Trust Services, C=US"],
};

export function saz(exchanges, { story, everywhere = false, decrypt = true, protect = null, drop = {}, names = (n) => n } = {}) {
  const random = seeded(`saz ${story.id}`);
  const zone = 60;
  const sessions = [];
  const open = new Map();
  const spaced = (n) => random.hex(n * 2).toUpperCase().replace(/(..)(?!$)/g, "$1 ");
  const process = everywhere ? "msedge" : `msedge:${random.int(3000, 19000)}`;
  let port = 52100;

  const tunnel = (x, host, failed) => {
    const decrypting = decrypt && !story.blind?.includes(host);
    const client = port++, egress = port++;
    const id = spaced(32);
    const issuer = story.interceptor && story.interceptor.hosts.includes(host) ? [`CN=${host}`, story.interceptor.issuer] : host.startsWith("aadcdn") ? CERTS.cdn : /microsoft|live\.com/.test(host) ? CERTS.default : CERTS.other;
    const hello = `A SSLv3-compatible ClientHello handshake was found. Fiddler extracted the parameters below.\n\nVersion: ${story.oldTls ? "3.1 (TLS/1.0)" : "3.3 (TLS/1.2)"}\nRandom: ${spaced(32)}\n"Time": 8/29/2031 4:12:09 PM\nSessionID: ${id}\nExtensions: \n\tgrease (0x8a8a)\tempty\n\tserver_name\t${host}\n\textended_master_secret\tempty\n\trenegotiation_info\t00\n\tsupported_groups\tgrease [0xcaca], x25519 [0x1d], secp256r1 [0x17], secp384r1 [0x18]\n\tec_point_formats\tuncompressed [0x0]\n\tSessionTicket\tempty\n\tALPN\t\th2, http/1.1\n\tstatus_request\tOCSP - Implicit Responder\n\tsignature_algs\tecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256\n\tkey_share\t00 29 CA CA 00 01 00 00 1D 00 20 ${spaced(32)}\n\tpsk_key_exchange_modes\t01 01${story.oldTls ? "" : "\n\tsupported_versions\tgrease [0x3a3a], Tls1.3, Tls1.2"}\nCiphers: \n\t[1301]\tTLS_AES_128_GCM_SHA256\r\n\t[1302]\tTLS_AES_256_GCM_SHA384\r\n\t[C02F]\tTLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\r\n\t[C030]\tTLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\r\n\nCompression: \n\t[00]\tNO_COMPRESSION\r\n\n\n`;
    const from = new Date(Date.UTC(2029, 10, 4)).toISOString().slice(0, 10), to = new Date(Date.UTC(2030, 1, 12)).toISOString().slice(0, 10);
    const cert = `Secure Protocol: ${story.oldTls ? "Tls" : "Tls12"}\nCipher: Aes256 256bits\nHash Algorithm: Sha384 ?bits\nKey Exchange: ECDHE_RSA (0xae06) 255bits\n\n== Server Certificate ==========\n[Subject]\n  ${issuer[0]}\n\n[Issuer]\n  ${issuer[1]}\n\n[Serial Number]\n  ${random.hex(32).toUpperCase()}\n\n[Not Before]\n  ${from} 01:00:00\n\n[Not After]\n  ${to} 00:59:59\n\n[Thumbprint]\n  ${random.hex(40).toUpperCase()}\n\n[SubjectAltNames]\n${host === "login.microsoftonline.com" && issuer === CERTS.default ? "login.microsoftonline.com, login.microsoftonline-p.com, stamp2.login.microsoftonline.com, login.windows.net" : host}\n`;
    const bad = failed && REFUSED_TUNNEL.includes(failed.error.kind) ? fiddlerAnswer(failed, sessions.length + 1) : null;
    let body;
    if (bad) body = bad.body;
    else if (!decrypting) body = `This is a CONNECT tunnel, through which encrypted HTTPS traffic flows.\n${decrypt ? "Fiddler's HTTPS Decryption feature is enabled, but this specific tunnel was configured not to be decrypted. Settings can be found inside Tools > Options > HTTPS." : "To view the encrypted sessions inside this tunnel, enable the Tools > Options > HTTPS > Decrypt HTTPS traffic option."}\n\nA SSLv3-compatible ServerHello handshake was found. Fiddler extracted the parameters below.\n\nVersion: 3.3 (TLS/1.2)\nSessionID:\t${id}\nRandom:\t\t${spaced(32)}\nCipher:\t\tTLS_AES_256_GCM_SHA384 [0x1302]\nCompressionSuite:\tNO_COMPRESSION [0x00]\nExtensions:\n\t\tsupported_versions\tTls1.3\n\t\tkey_share\t00 1D 00 20 ${spaced(32)}\n\n`;
    else body = "Encrypted HTTPS traffic flows through this CONNECT tunnel. HTTPS Decryption is enabled in Fiddler, so decrypted sessions running in this tunnel will be shown in the Web Sessions list.\n\n" + (failed && /cert|tls/.test(failed.error.kind) ? "" : cert);
    const ok = !bad;
    const asked = story.proxyAuth === "always" ? host === (story.proxyHost || "login.microsoftonline.com") : story.proxyAuth && !sessions.length;
    const agent = (x.request.headers.find(([k]) => k.toLowerCase() === "user-agent") || ["", "Mozilla/5.0"])[1];
    if (asked) sessions.push({
      x: { ...x, times: { ...x.times, dns: -1, connect: -1, ssl: -1, wait: 30, receive: 0 } }, tunnel: true, client, egress, flags: 0x800, bytes: [0, 0], host, status: 407, more: { "x-autoauth": "(default)" },
      request: [`CONNECT ${host}:443 HTTP/1.1`, [["Host", `${host}:443`], ["Proxy-Connection", "keep-alive"], ["User-Agent", agent]], Buffer.alloc(0)],
      response: ["HTTP/1.1 407 Proxy Authentication Required", [["Proxy-Authenticate", "Negotiate"], ["Proxy-Authenticate", "NTLM"], ["Via", "1.1 proxy.contoso.example"], ["Content-Type", "text/html"], ["Proxy-Connection", "close"]], Buffer.from("<html><head><title>407</title></head><body>Credentials are required for the proxy of Contoso.</body></html>")],
    });
    if (asked && story.proxyAuth === "always") return { client, egress, ok: false };
    sessions.push({
      x: { ...x, times: { ...x.times } }, tunnel: true, client, egress, flags: (decrypting ? 0x2000 : 0x1000) | 0x100, bytes: [random.int(1200, 9000), random.int(4000, 60000)], host,
      request: [`CONNECT ${host}:443 HTTP/1.1`, [["Host", `${host}:443`], ["Connection", "keep-alive"], ["User-Agent", agent]], Buffer.from(bad || everywhere ? "" : hello)],
      response: ok ? ["HTTP/1.1 200 Connection Established", [["FiddlerGateway", story.gateway || "Direct"], ["StartTime", new Date(x.started + zone * 60000).toISOString().slice(11, 23)], ["Connection", "close"]], Buffer.from(everywhere ? "" : body)] : [`HTTP/1.1 ${bad.status} ${bad.text}`, bad.headers, Buffer.from(body)],
      status: ok ? 200 : bad.status, more: { "https-client-sessionid": id, "https-client-snihostname": host, ...(decrypt && !decrypting ? { "x-no-decrypt": "HostInList" } : {}), ...(ok ? { "https-server-cipher": "TLS_AES_256_GCM_SHA384" } : {}) },
    });
    return { client, egress, ok, decrypting };
  };

  for (const x of exchanges) {
    const host = new URL(x.request.url).hostname;
    if (x.error && (x.error.kind === "blocked" || x.error.kind === "csp")) continue; // the extension stopped it before it left the browser
    let line = open.get(host);
    if (!line && x.request.url.startsWith("http:")) open.set(host, line = { client: port++, egress: port++, ok: true, decrypting: true });
    if (!line || x.error?.kind === "cert" || (x.error && REFUSED_TUNNEL.includes(x.error.kind))) {
      line = tunnel(x, host, x.error ? x : null);
      if (line.ok) open.set(host, line);
    }
    if (!line.ok || !line.decrypting) continue;
    const answer = x.response || fiddlerAnswer(x, sessions.length + 1);
    const version = everywhere ? "HTTP/2" : "HTTP/1.1";
    const url = new URL(x.request.url);
    const headers = x.request.headers.filter(([k]) => k.toLowerCase() !== "content-length" && !k.startsWith(":"));
    const ordered = [["Host", url.host], ["Connection", "keep-alive"], ...headers.filter(([k]) => !/^(host|connection)$/i.test(k))];
    const body = Buffer.from(x.request.body || "");
    if (body.length) ordered.push(["Content-Length", String(body.length)]);
    let response = ["", [], Buffer.alloc(0)], wire = 0;
    if (answer) {
      let out = Buffer.from(x.missing ? "" : answer.body || "");
      const head = answer.headers.filter(([k]) => !/^(content-length|content-encoding|transfer-encoding)$/i.test(k));
      if (!x.error && !everywhere && out.length > 400 && !x.missing) {
        const br = host.startsWith("aadcdn");
        out = br ? brotliCompressSync(out) : gzipSync(out, { level: 9 });
        if (!br) out[9] = 10; // the same operating-system byte everywhere
        head.push(["Content-Encoding", br ? "br" : "gzip"]);
        if (out.length % 2) {
          const half = Math.floor(out.length / 2);
          const part = (b) => Buffer.concat([Buffer.from(b.length.toString(16).padStart(8, "0") + "\r\n"), b, Buffer.from("\r\n")]);
          out = Buffer.concat([part(out.subarray(0, half)), part(out.subarray(half)), Buffer.from("0\r\n\r\n")]);
          head.push(["Transfer-Encoding", "chunked"]);
        } else head.push(["Content-Length", String(out.length)]);
      } else head.push(["Content-Length", String(out.length)]);
      wire = out.length;
      response = [`${x.error ? "HTTP/1.1" : version} ${answer.status}${everywhere && !x.error ? "" : " " + answer.text}`, head, out];
    }
    sessions.push({ x, client: line.client, egress: line.egress, flags: 0x1 | (x.error ? 0x100 : 0) | (sessions.some((s) => !s.tunnel && s.client === line.client) ? 0x18 : 0), host, wire, request: [`${x.request.method} ${x.request.url} ${version}`, ordered, body], response, status: answer?.status || 0, more: {} });
    if (x.error) open.delete(host);
  }

  const width = String(sessions.length).length;
  const members = [];
  const head = (h) => h.map(([k, v]) => `${k}: ${v}\r\n`).join("");
  const message = ([line, headers, body]) => (line ? Buffer.concat([Buffer.from(`${line}\r\n${head(headers)}\r\n`, "utf8"), body]) : Buffer.alloc(0));
  const rows = [];
  sessions.forEach((s, i) => {
    const n = String(i + 1).padStart(width, "0"), t = s.x.times, base = s.x.started, at = (ms) => stamp(base + ms, zone);
    const connect = Math.max(0, Math.round(t.dns)) + Math.max(0, Math.round(t.connect)), begin = connect + 2, got = begin + Math.round(t.wait || t.blocked), done = got + Math.round(t.receive);
    const none = s.x.error || s.tunnel;
    const timers = { ClientConnected: at(0), ClientBeginRequest: at(1), GotRequestHeaders: at(1), ClientDoneRequest: at(1), GatewayTime: 0, DNSTime: Math.max(0, Math.round(t.dns)), TCPConnectTime: Math.max(0, Math.round(t.connect - Math.max(0, t.ssl))), HTTPSHandshakeTime: s.tunnel ? 0 : Math.max(0, Math.round(t.ssl)), ServerConnected: s.x.error && !s.x.connection ? UNSET : at(connect), FiddlerBeginRequest: s.x.error && !s.x.connection ? UNSET : at(begin), ServerGotRequest: s.x.error && !s.x.connection ? UNSET : at(begin), ServerBeginResponse: none ? UNSET : at(got), GotResponseHeaders: none ? UNSET : at(got), ServerDoneResponse: none ? UNSET : at(done), ClientBeginResponse: at(s.tunnel ? begin : done), ClientDoneResponse: at(s.tunnel ? begin : done) };
    const flags = everywhere
      ? { "x-processinfo": process, "x-clientip": "127.0.0.1", "x-clientport": s.client, "x-hostip": s.x.address, "x-responsebodytransferlength": s.wire || 0, "x-fe-session-id": random.guid() }
      : { ...s.more, "x-egressport": s.egress, "x-responsebodytransferlength": (s.wire || 0).toLocaleString("en-US"), "x-clientport": s.client, "x-clientip": story.clientIp || "127.0.0.1", ...(s.x.address && !story.gateway ? { "x-hostip": s.x.address } : {}), "x-processinfo": process, ...(i % 7 === 3 ? { "X-ServerSocket": `REUSE ServerPipe#${i}` } : {}), ...(story.flags?.(s) || {}) };
    const meta = `\uFEFF<?xml version="1.0" encoding="utf-8"?>\r\n<Session SID="${i + 1}" BitFlags="${s.flags.toString(16)}">\r\n  <SessionTimers ${Object.entries(timers).map(([k, v]) => `${k}="${v}"`).join(" ")} />\r\n  <PipeInfo${s.flags & 0x8 ? ' CltReuse="true" Reused="true"' : ""}${story.gateway ? ' Forwarded="true"' : ""} />\r\n${s.tunnel ? `  <TunnelInfo BytesEgress="${s.bytes[0]}" BytesIngress="${s.bytes[1]}" />\r\n` : ""}  <SessionFlags>\r\n${Object.entries(flags).map(([k, v]) => `    <SessionFlag N="${k}" V="${xml(v)}" />\r\n`).join("")}  </SessionFlags>\r\n</Session>`;
    members.push([`raw/${n}_c.txt`, message(s.request)], [`raw/${n}_m.xml`, Buffer.from(everywhere && i % 5 === 4 ? meta.replace(/<PipeInfo[^>]*>\r\n/, "") : meta)], [`raw/${n}_s.txt`, message(s.response)]);
    if (everywhere && i % 11 === 10) members.splice(members.length - 2, 1);
    if (story.noEmptyParts && !s.response[0]) members.pop();
    const u = new URL(s.x.request.url);
    rows.push(`<tr><td><a href='raw\\${n}_c.txt'>C</a>&nbsp;<a href='raw\\${n}_s.txt'>S</a>&nbsp;<a href='raw\\${n}_m.xml'>M</a></td><td>${i + 1}</td><td>${s.status || "-"}</td><td>${s.tunnel || s.x.request.url.startsWith("http:") ? "HTTP" : "HTTPS"}</td><td>${s.tunnel ? "Tunnel to" : s.host}</td><td>${s.tunnel ? s.host + ":443" : xml(u.pathname)}</td><td>${s.wire || 0}</td><td></td><td></td><td>${process}</td><td></td><td></td></tr>`);
  });
  const index = `\uFEFF<html><head><style>body,thead,td,a,p{font-family:verdana,sans-serif;font-size: 10px;}</style></head><body><table cols=12><thead><tr><th>&nbsp;</th><th>#</th><th>Result</th><th>Protocol</th><th>Host</th><th>URL</th><th>Body</th><th>Caching</th><th>Content-Type</th><th>Process</th><th>Comments</th><th>Custom</th></tr></thead><tbody>${rows.join("")}</tbody></table></body></html>`;
  const types = `<?xml version="1.0" encoding="utf-8" ?>\r\n<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">\r\n<Default Extension="htm" ContentType="text/html" />\r\n<Default Extension="xml" ContentType="application/xml" />\r\n<Default Extension="txt" ContentType="text/plain" />\r\n</Types>`;
  const kept = members.filter(([name]) => { const n = +/\d+/.exec(name)[0]; return !(name.endsWith("m.xml") && drop.meta?.includes(n)) && !(name.endsWith("s.txt") && drop.response?.includes(n)); }).map(([name, bytes]) => [names(name), bytes]);
  const all = everywhere ? kept : [["raw/", null], ...kept, ["_index.htm", Buffer.from(index)], ["[Content_Types].xml", Buffer.from(types)]];
  return zip(all, { comment: everywhere ? "Fiddler Everywhere Session Archive. See https://www.telerik.com/fiddler" : "Fiddler (v5.0.20253.3311) Session Archive. See https://fiddler2.com", protect, random });
}
