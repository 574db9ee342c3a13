// Exchanges that no page makes: token calls of programs, WS-Trust, and the legacy shape of the challenge.

import { APP, APP_ID, PASSWORD, STS, TENANT, USER } from "./ids.mjs";
import { SENTENCES } from "./service.mjs";

const TOKEN = `https://${STS}/${TENANT}/oauth2/v2.0/token`;
const form = (fields) => new URLSearchParams(fields).toString();
const sku = [["x-client-SKU", "MSAL.NetCore"], ["x-client-Ver", "4.66.2.0"], ["User-Agent", "FabrikamSync/3.1"]];

/** The token endpoint's error answer. */
export function tokenError(svc, code, { error = "interaction_required", suberror = null, claims = null, status = 400 } = {}) {
  const headers = svc.stsHeaders(code);
  const line = `AADSTS${code}: ${SENTENCES[code]} Trace ID: ${svc.requestId} Correlation ID: ${svc.correlation} Timestamp: ${svc.stamp()}`;
  return {
    status, headers: [["Cache-Control", "no-store, no-cache"], ["Content-Type", "application/json; charset=utf-8"], ...headers, ["Date", svc.date()]],
    body: JSON.stringify({ error, error_description: line, error_codes: [code], timestamp: svc.stamp(), trace_id: svc.requestId, correlation_id: svc.correlation, error_uri: `https://${STS}/error?code=${code}`, ...(suberror ? { suberror } : {}), ...(claims ? { claims } : {}) }),
  };
}

const policyClaims = (svc) => JSON.stringify({ access_token: { capolids: { essential: true, values: [svc.random.guid()] } } });

export const ropc = (b) => b.call("POST", TOKEN, { headers: sku, body: form({ grant_type: "password", client_id: APP_ID, username: USER, password: PASSWORD, scope: "https://graph.microsoft.com/.default", client_info: "1" }) }, (svc) => tokenError(svc, 50076, { error: "invalid_grant", suberror: "basic_action", claims: policyClaims(svc) }));
export const ropcNotRegistered = (b) => b.call("POST", TOKEN, { headers: sku, body: form({ grant_type: "password", client_id: APP_ID, username: USER, password: PASSWORD, scope: "openid" }) }, (svc) => tokenError(svc, 50079, { error: "invalid_grant", suberror: "basic_action" }));
export const refresh = (b) => b.call("POST", TOKEN, { headers: sku, body: form({ grant_type: "refresh_token", client_id: APP_ID, refresh_token: b.service.random.secret("1.AUkAUj", 300), scope: "https://outlook.office365.com/.default openid" }) }, (svc) => tokenError(svc, 50076, { error: "invalid_grant", suberror: "basic_action", claims: policyClaims(svc) }));
export const onBehalfOf = (b) => b.call("POST", TOKEN, { headers: sku, body: form({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", client_id: APP_ID, client_secret: b.service.random.secret("Zx8Q~", 30), assertion: b.service.random.secret("eyJ0eXAi", 200), requested_token_use: "on_behalf_of", scope: "https://graph.microsoft.com/.default" }) }, (svc) => tokenError(svc, 50079, { error: "interaction_required", suberror: "basic_action", claims: policyClaims(svc) }));
export const clientSecret = (b) => b.call("POST", TOKEN, { headers: sku, body: form({ grant_type: "client_credentials", client_id: APP_ID, client_secret: b.service.random.secret("Zx8Q~", 30), scope: "https://graph.microsoft.com/.default" }) }, (svc) => tokenError(svc, 7000215, { error: "invalid_client", status: 401 }));

/** Device code: the polling machine's side. `last` is the final answer. */
export function deviceCode(pending, last) {
  return (b) => {
    const code = b.service.random.secret("GAQABIQ", 160);
    b.call("POST", TOKEN.replace("/token", "/devicecode"), { headers: sku, body: form({ client_id: APP_ID, scope: "openid offline_access" }) }, (svc) => svc.json({ user_code: "FAKESECRET7", device_code: code, verification_uri: "https://microsoft.com/devicelogin", expires_in: 900, interval: 5, message: "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code." }));
    const body = form({ grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: APP_ID, device_code: code });
    for (let i = 0; i < pending; i++) {
      b.advance(5000);
      b.call("POST", TOKEN, { headers: sku, body }, (svc) => tokenError(svc, 70016, { error: "authorization_pending" }));
    }
    b.advance(5000);
    b.call("POST", TOKEN, { headers: sku, body }, (svc) => (last ? tokenError(svc, last, { error: "invalid_grant", suberror: "basic_action", claims: policyClaims(svc) }) : svc.token()));
  };
}

export const wsTrustWith = (code) => (b) => {
  b.call("GET", `https://${STS}/common/userrealm/${USER}?api-version=1.0`, { headers: sku }, (svc) => svc.json({ ver: "1.0", account_type: "Managed", domain_name: "contoso.example", cloud_instance_name: "microsoftonline.com" }));
  b.call("POST", `https://${STS}/rst2.srf`, {
    headers: [["SOAPAction", "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue"]], mime: "application/soap+xml; charset=utf-8",
    body: `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header><o:Security xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><o:UsernameToken><o:Username>${USER}</o:Username><o:Password>${PASSWORD}</o:Password></o:UsernameToken></o:Security></s:Header><s:Body/></s:Envelope>`,
  }, (svc) => {
    const headers = svc.stsHeaders(code);
    return {
      status: 200, headers: [["Content-Type", "application/soap+xml; charset=utf-8"], ...headers, ["Date", svc.date()]],
      body: `<?xml version="1.0" encoding="utf-8"?><S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope" xmlns:wst="http://schemas.xmlsoap.org/ws/2005/02/trust" xmlns:psf="http://schemas.microsoft.com/Passport/SoapServices/SOAPFault"><S:Header><psf:pp><psf:serverInfo ServerTime="${new Date(svc.now()).toISOString().slice(0, 19)}Z">rid:${svc.requestId} svr:STANDIN</psf:serverInfo></psf:pp></S:Header><S:Body><S:Fault><S:Code><S:Value>S:Sender</S:Value><S:Subcode><S:Value>wst:FailedAuthentication</S:Value></S:Subcode></S:Code><S:Reason><S:Text xml:lang="en-US">Authentication Failure</S:Text></S:Reason><S:Detail><psf:error><psf:value>0x80048821</psf:value><psf:internalerror><psf:code>0x80048821</psf:code><psf:text>${svc.line(code, "&#xD;&#xA;")}</psf:text></psf:internalerror></psf:error></S:Detail></S:Fault></S:Body></S:Envelope>`,
    };
  });
};
export const wsTrust = wsTrustWith(50076);

/**
 * The legacy shape: a federated user comes back to /login.srf, a 302 sets SANeeded=1, the challenge runs on
 * /StrongAuthCheck.srf and is asked about every 10 seconds; /login.srf ends it.
 */
export function legacy(results, { finish = false } = {}) {
  return (b) => {
    const svc = b.service, base = `https://${STS}`, wresult = svc.random.secret("<t:RequestSecurityTokenResponse>", 160);
    svc.userKnown = true;
    const nav = (method, url, fields, answer, initiator = "other") => { b.pages.push({ started: b.t, title: url }); const x = b.call(method, url, { type: "document", initiator, body: fields ? form(fields) : null }, answer); b.at = url; return x; };
    const cookie = (value) => ["Set-Cookie", `SANeeded=${value}; domain=login.microsoftonline.com;secure= ;path=/;HTTPOnly= ;version=1`];
    nav("GET", `${base}/login.srf?wa=wsignin1.0&wtrealm=urn%3afabrikam%3aportal&wreply=${encodeURIComponent(`https://${APP}/signin-wsfed`)}&wctx=${svc.random.secret("c", 20)}`, null, (s) => s.go(302, `https://sts.contoso.example/adfs/ls/?wa=wsignin1.0&wtrealm=urn:federation:MicrosoftOnline&wctx=${svc.random.secret("LoginOptions=3&estsredirect=", 60)}&username=${encodeURIComponent(USER)}`, [...s.stsHeaders(), ...s.cookies()]));
    nav("GET", `https://sts.contoso.example/adfs/ls/?wa=wsignin1.0&wtrealm=urn:federation:MicrosoftOnline&username=${encodeURIComponent(USER)}`, null, (s) => s.plain(200, "text/html; charset=utf-8", `<html><head><title>Sign In</title></head><body><form method="post" id="loginForm"><input name="UserName"/><input name="Password" type="password"/></form></body></html>`, [["Server", "Microsoft-HTTPAPI/2.0"]]), "redirect");
    b.advance(6000);
    nav("POST", `https://sts.contoso.example/adfs/ls/?wa=wsignin1.0&wtrealm=urn:federation:MicrosoftOnline&username=${encodeURIComponent(USER)}`, { UserName: USER, Password: PASSWORD, AuthMethod: "FormsAuthentication" }, (s) => s.plain(200, "text/html; charset=utf-8", `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="${base}/login.srf"><input type="hidden" name="wa" value="wsignin1.0" /><input type="hidden" name="wresult" value="${wresult.replace("<", "&lt;")}" /><input type="hidden" name="wctx" value="LoginOptions=3" /></form></body></html>`, [["Server", "Microsoft-HTTPAPI/2.0"]]));
    nav("POST", `${base}/login.srf`, { wa: "wsignin1.0", wresult, wctx: "LoginOptions=3" }, (s) => s.go(302, `${base}/StrongAuthCheck.srf?flow=1`, [...s.stsHeaders(), cookie("1")]));
    svc.session = svc.random.guid();
    const page = (s) => s.html(200, `<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><script type="text/javascript">//<![CDATA[\r\n$Config=${JSON.stringify({ arrUserProofs: [{ authMethodId: "TwoWayVoiceMobile", data: "+XX XXXXXXXX12", display: "+XX XXXXXXXX12", isDefault: true }, { authMethodId: "OneWaySMS", data: "+XX XXXXXXXX12", display: "+XX XXXXXXXX12", isDefault: false }], urlBeginAuth: `${base}/StrongAuthCheck.srf`, urlEndAuth: `${base}/StrongAuthCheck.srf`, urlPost: `${base}/login.srf`, pgid: "ConvergedTFA", hpgid: 1114, hpgact: 2202, iPollingInterval: 10000, iPollingTimeout: 120000, sFT: svc.random.secret("AQABIQ", 160), sCtx: svc.random.secret("rQQIA", 120), canary: svc.random.secret("k", 40), correlationId: s.correlation, sessionId: s.random.guid(), sPOST_Username: USER })};\r\n//]]></script></body></html>`, [...s.stsHeaders(), ...s.cookies()]);
    nav("GET", `${base}/StrongAuthCheck.srf?flow=1`, null, page, "redirect");
    const ask = (method, n, more, extra) => b.call("POST", `${base}/StrongAuthCheck.srf`, { mime: "application/json; charset=UTF-8", initiator: "script", body: JSON.stringify({ AuthMethodId: "TwoWayVoiceMobile", Method: method, ctx: svc.random.secret("rQQIA", 90), flowToken: svc.random.secret("AQABIQ", 90), ...(n ? { SessionId: svc.session, PollCount: n } : {}) }) }, (s) => { const a = s.json(s.fields("TwoWayVoiceMobile", more)); if (extra) a.headers.push(extra); return a; });
    b.advance(800);
    ask("BeginAuth", 0, { Success: true, ResultValue: "Success", Retry: false });
    results.forEach((result, i) => {
      b.advance(10000);
      const good = result === "Success", pending = result === "AuthenticationPending";
      ask("EndAuth", i + 1, { Success: good, ResultValue: result, Retry: pending, ErrCode: good || pending ? 0 : 500121 }, good ? cookie(svc.random.secret("", 40)) : null);
    });
    if (!finish) return;
    const token = svc.random.secret("<t:RequestSecurityTokenResponse>", 140);
    nav("POST", `${base}/login.srf`, { type: "22", request: svc.random.secret("rQQIA", 90), mfaAuthMethod: "TwoWayVoiceMobile", login: USER, flowToken: svc.random.secret("AQABIQ", 90), canary: svc.random.secret("k", 40) }, (s) => s.html(200, `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="https://${APP}/signin-wsfed"><input type="hidden" name="wa" value="wsignin1.0" /><input type="hidden" name="wresult" value="${token.replace("<", "&lt;")}" /><input type="hidden" name="wctx" value="rm" /></form></body></html>`, [...s.stsHeaders(), ...s.cookies(`ESTSAUTH=${svc.random.secret("1.AU", 120)}; domain=.login.microsoftonline.com; path=/; secure; HttpOnly; SameSite=None`)]));
    nav("POST", `https://${APP}/signin-wsfed`, { wa: "wsignin1.0", wresult: token, wctx: "rm" }, (s) => s.go(302, `https://${APP}/home`, []));
    nav("GET", `https://${APP}/home`, null, (s) => s.plain(200, "text/html; charset=utf-8", "<html><body>Signed in to Fabrikam Portal</body></html>"), "redirect");
  };
}
