// The stand-in for the sign-in service and its neighbours: one request in, one answer out, no sockets and
// no clock of its own. The live server and the scripted browser both ask it.

import { APP, APP_ID, CDN, STS, ADFS, TENANT, seeded } from "./ids.mjs";
import { LOADER, pageScript } from "./page.mjs";

const BUILD = "2.1.24471.8";
const POLLED = ["PhoneAppNotification", "CompanionAppsNotification", "TwoWayVoiceMobile", "TwoWayVoiceOffice"];
const SCRIPT = {
  ConvergedSignIn: "/shared/1.0/content/js/ConvergedLogin_PCore_k1v0standinaaaa2.js",
  ConvergedTFA: "/shared/1.0/content/js/ConvergedTFA_PCore_k1v0standinbbbb2.js",
  other: "/shared/1.0/content/js/ConvergedKmsi_Core_k1v0standincccc2.js",
};
const PAGE_NUMBERS = {
  ConvergedSignIn: [1104, 1800], ConvergedTFA: [1114, 2202], ConvergedProofUpRedirect: [1121, 2000],
  KmsiInterrupt: [1115, 2005], CmsiInterrupt: [1137, 1800], ConvergedError: [1107, 1800], ConvergedConditionalAccess: [1118, 2113],
};

export class Service {
  constructor(story, clock) {
    this.story = story;
    this.s = { methods: ["PhoneAppNotification"], kmsi: true, mode: "form_post", ...story.service };
    this.now = clock;
    this.random = seeded(`service ${story.id}`);
    this.correlation = this.random.guid();
    this.mfaShown = false;
    this.passed = false;
    this.polls = 0;
    this.codeTries = 0;
    this.begun = null;
    this.state = this.s.state ?? null;
    this.redirect = `https://${APP}/signin-oidc`;
    this.user = story.user?.username;
  }

  /** Bytes with the file name a request asked for; `null` when nobody answers there. */
  handle(req) {
    const url = new URL(req.url);
    const host = url.hostname;
    if (host === STS) return this.sts(req, url);
    if (CDN.includes(host)) return this.cdn(url);
    if (host === APP) return this.app(req, url);
    if (host === ADFS) return this.adfs(req, url);
    if (host === "login.live.com") return this.plain(200, "text/html; charset=utf-8", "<!DOCTYPE html><html><body><script>/* session pull */</script></body></html>", [["x-ms-request-id", this.random.guid()], ["PPServer", "PPV: 30 H: STANDIN V: 0"]]);
    if (host === "login.microsoft.com") return this.fido(req, url);
    if (host === "mysignins.microsoft.com") return this.plain(200, "text/html; charset=utf-8", "<!DOCTYPE html><html><head><title>My Sign-Ins</title></head><body>Keep your account secure</body></html>");
    if (host === "device.login.microsoftonline.com") return this.device(req, url);
    if (host === "browser.events.data.microsoft.com") return this.plain(200, "application/json", '{"acc":1}');
    if (host === "mfa.duosec.example" && this.s.mfa?.external === "twice" && !this.refusedOnce) {
      this.refusedOnce = true;
      const out = this.plain(200, "text/html; charset=utf-8", `<!DOCTYPE html><html><head><title>Not verified</title></head><body><form method="POST" action="https://${STS}/common/federation/externalauthprovider"></form></body></html>`);
      out.post = { url: `https://${STS}/common/federation/externalauthprovider`, fields: { error: "access_denied", error_description: "The user did not verify.", state: this.random.secret("rQQIA", 60) }, after: 5000 };
      return out;
    }
    if (host === "mfa.duosec.example" && (this.s.mfa?.external === "ok" || this.s.mfa?.external === "twice")) {
      const out = this.plain(200, "text/html; charset=utf-8", `<!DOCTYPE html><html><head><title>Verified</title></head><body><form method="POST" action="https://${STS}/common/federation/externalauthprovider"></form></body></html>`);
      out.post = { url: `https://${STS}/common/federation/externalauthprovider`, fields: { id_token: this.random.secret("eyJ0eXAiOiJKV1QifQ.", 200), state: this.random.secret("rQQIA", 60) }, after: 7000 };
      return out;
    }
    if (host === "mfa.duosec.example") return this.plain(200, "text/html; charset=utf-8", "<!DOCTYPE html><html><head><title>Verify</title></head><body>Approve on your device</body></html>");
    return this.plain(200, "text/html; charset=utf-8", `<!DOCTYPE html><html><head><title>${host}</title></head><body>News of the day</body></html>`);
  }

  plain(status, mime, body, headers = []) {
    return { status, headers: [["Content-Type", mime], ["Cache-Control", "no-store"], ...headers, ["Date", this.date()]], body };
  }

  date() { return new Date(this.now()).toUTCString(); }
  stamp() { return new Date(this.now()).toISOString().slice(0, 19).replace("T", " ") + "Z"; }

  stsHeaders(error = 0) {
    this.requestId = this.random.guid();
    return [
      ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"], ["X-Content-Type-Options", "nosniff"],
      ["x-ms-request-id", this.requestId],
      ["x-ms-ests-server", `${BUILD} - WEULR1 ProdSlices`], ["x-ms-clitelem", `1,${error},0,,`],
      ["x-ms-srs", "1.P"],
    ];
  }

  cookies(...more) {
    return [
      ["Set-Cookie", `fpc=${this.random.secret("Ak", 22)}; expires=Fri, 01-Feb-2030 10:00:00 GMT; path=/; secure; HttpOnly; SameSite=None`],
      ...more.map((c) => ["Set-Cookie", c]),
      ...(this.userKnown ? [] : [["Set-Cookie", "x-ms-gateway-slice=estsfd; path=/; secure; httponly"], ["Set-Cookie", "stsservicecookie=estsfd; path=/; secure; httponly"]]),
    ];
  }

  page(pgid, extra = {}, error = 0, cookies = []) {
    const headers = this.stsHeaders(error);
    const [hpgid, hpgact] = PAGE_NUMBERS[pgid] || [1000, 1000];
    const file = SCRIPT[pgid] || SCRIPT.other;
    if (pgid === "ConvergedTFA") this.mfaShown = true;
    this.ctx = this.random.secret("rQQIARAA", 300);
    const base = `https://${STS}`;
    const full = pgid === "ConvergedSignIn" || pgid === "ConvergedTFA";
    const config = {
      fShowPersistentCookiesWarning: false,
      ...(full ? {
      urlMsaSignUp: "https://signup.live.com/signup?id=12",
      urlGetCredentialType: `${base}/common/GetCredentialType?mkt=en-US`,
      urlGetOneTimeCode: `${base}/common/GetOneTimeCode`,
      urlLogout: `${base}/common/uxlogout`,
      urlCancel: `${this.redirect}?error=access_denied&error_subcode=cancel`,
      urlResetPassword: "https://passwordreset.microsoftonline.com/?ru=" + encodeURIComponent(`${base}/common/reprocess?ctx=${this.ctx}`),
      urlDssoStatus: `${base}/common/instrumentation/dssostatus`,
      urlReportPageLoad: `${base}/common/instrumentation/reportpageload?mkt=en-US`,
      oAppCobranding: {}, iBackgroundImage: 4, fApplicationInsightsEnabled: false,
      } : {}),
      strHelp: "Text of the page with a </b> tag, a brace } and a quote \\\" inside, and <\\/script> too {",
      sTenantId: this.userKnown ? TENANT : undefined, sCompanyDisplayName: this.userKnown ? "Contoso" : undefined,
      desktopSsoConfig: {
        ...(full ? { iwaEndpointUrlFormat: "https://autologon.microsoftazuread-sso.com/{0}/winauth/sso?client-request-id=" + this.correlation, startDesktopSsoOnPageLoad: false, progressAnimationTimeout: 10000 } : {}),
        redirectUri: `${this.redirect}?error=interaction_required&error_description=${this.s.seamless || ""}Seamless+single+sign+on+failed+for+the+user.%0d%0aTrace+ID%3a+${this.requestId}%0d%0aCorrelation+ID%3a+${this.correlation}%0d%0aTimestamp%3a+${encodeURIComponent(this.stamp())}&state=x`,
      },
      iSessionPullType: 4, bsso: { type: "windows", reason: "Pull is needed" },
      iMaxPollErrors: 5, iMaxPollAttempts: 10, iPollingInterval: 5000, iPollingTimeout: this.s.pollingTimeout || 120000, iPollingBackoffInterval: 1.04,
      fIs60DaysPassedSinceAuthAppLastUsed: false, iRememberMfaDuration: 0, iTrustedDeviceCheckboxConfig: 0,
      sCtx: this.ctx, sFT: this.random.secret("AQABIQEAAA", 420), sFTName: "flowToken", canary: this.random.secret("kXx", 44) + "=1:1:CANARY:",
      apiCanary: this.random.secret("PAQABIQEAAA", 260), sCanaryTokenName: "canary",
      sPOST_Username: this.userKnown ? this.user : "",
      correlationId: this.correlation, sessionId: this.requestId, sLocale: "en-us", country: "DE", locale: { mkt: "en-US", lcid: 1033 },
      serverDetails: { slc: "ProdSlices", dc: "WEULR1", ri: "AM4XXXX", ver: { v: [2, 1, 24471, 8] }, rt: new Date(this.now()).toISOString().slice(0, 19), et: this.random.int(18, 140) },
      clientEvents: { enabled: true, telemetryEnabled: true, flush: 60000 },
      urlCdn: `https://${CDN[0]}/shared/1.0/`, urlDefaultFavicon: `https://${CDN[0]}/shared/1.0/content/images/favicon_a.ico`,
      loader: { cdnRoots: CDN.map((h) => `https://${h}`), file, logByThrowing: true },
      hpgid, hpgact, pgid, scid: hpgid + 1, sCloudInstanceName: "microsoftonline.com", ...extra,
    };
    const json = JSON.stringify(config).replaceAll("</", "<\\/");
    const me = pgid === "ConvergedSignIn" && this.s.me !== false ? `<iframe src="https://login.live.com/Me.htm?v=3" style="display:none"></iframe>` : "";
    const probe = this.s.probe && (pgid === "ConvergedSignIn" || this.s.signedIn) ? `<iframe src="https://device.login.microsoftonline.com/?probe=1" style="display:none"></iframe>` : "";
    const telemetry = this.s.telemetry ? `<script>fetch("https://browser.events.data.microsoft.com/OneCollector/1.0/?cors=true",{method:"POST",body:"{}"}).catch(function(){})</script>` : "";
    const body = `<!DOCTYPE html>\r\n<html dir="ltr" lang="en"><head><title>Sign in to your account</title>\r\n<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">\r\n<meta name="PageID" content="${pgid}" />\r\n<meta name="SiteID" content="" /><link rel="icon" href="data:,">\r\n<script type="text/javascript">//<![CDATA[\r\n$Config=${json};\r\n//]]></script>\r\n</head><body style="display:none">\r\n<noscript>Sign in requires a script: /jsdisabled</noscript>\r\n<script type="text/javascript">//<![CDATA[\r\n${LOADER}\r\n//]]></script>\r\n${me}${probe}${telemetry}</body></html>`;
    const out = this.html(200, body, [...headers, ...this.cookies(...cookies)]);
    out.config = config;
    out.script = SCRIPT[pgid] ? pgid : "other";
    out.roots = config.loader.cdnRoots.map((r) => r + file);
    out.frames = me ? ["https://login.live.com/Me.htm?v=3"] : [];
    if (probe) out.frames.push("https://device.login.microsoftonline.com/?probe=1");
    out.beacons = telemetry ? ["https://browser.events.data.microsoft.com/OneCollector/1.0/?cors=true"] : [];
    return out;
  }

  html(status, body, headers) {
    return {
      status, body,
      headers: [["Cache-Control", "no-store, no-cache"], ["Pragma", "no-cache"], ["Content-Type", "text/html; charset=utf-8"], ["Expires", "-1"], ...headers, ["Date", this.date()]],
    };
  }

  json(body, error = 0, status = 200) {
    return { status, body: JSON.stringify(body), headers: [["Cache-Control", "no-store, no-cache"], ["Content-Type", "application/json; charset=utf-8"], ["client-request-id", this.correlation], ...this.stsHeaders(error), ["Date", this.date()]] };
  }

  go(status, location, headers = []) {
    return { status, headers: [["Cache-Control", "no-store, no-cache"], ["Location", location], ["Content-Type", "text/html; charset=utf-8"], ...headers, ["Date", this.date()]], body: `<html><head><title>Object moved</title></head><body>Object moved to here.</body></html>`, location };
  }

  /** `AADSTSnnnnn: ...` with the trace lines; the sentence is ours. */
  line(code, nl) {
    return `AADSTS${code}: ${SENTENCES[code] || "The request was not completed."}${nl}Trace ID: ${this.requestId}${nl}Correlation ID: ${this.correlation}${nl}Timestamp: ${this.stamp()}`;
  }

  errorPage(code, extra = {}) {
    this.requestId = this.requestId || this.random.guid();
    return this.page("ConvergedError", { iErrorCode: code, sErrorCode: String(code), strServiceExceptionMessage: this.line(code, "\r\n"), strMainMessage: "Sorry, but we\u2019re having trouble signing you in.", ...extra }, code);
  }

  sts(req, url) {
    const path = url.pathname.toLowerCase();
    const q = url.searchParams;
    if (/\/oauth2(\/v2\.0)?\/authorize$|\/saml2$|\/wsfed$/.test(path) && req.method !== "OPTIONS") {
      this.state = q.get("state") || "st";
      this.redirect = q.get("redirect_uri") || this.redirect;
      if (q.get("client-request-id")) this.correlation = q.get("client-request-id");
      if (q.get("prompt") === "none") return this.silent(q);
      if (this.s.authorizeError) { this.stsHeaders(); return this.errorPage(this.s.authorizeError); }
      if (this.s.signedIn) { this.userKnown = true; return this.afterFirst(); }
      return this.page("ConvergedSignIn", { sErrorCode: "50058", arrValErrs: ["50058"], urlPost: `https://${STS}/common/login`, fUseSignedInFirst: false }, 50058, [`esctx=${this.random.secret("PAQABBwEA", 80)}; domain=.login.microsoftonline.com; path=/; secure; HttpOnly; SameSite=None`]);
    }
    if (path.endsWith("/getcredentialtype")) return this.credentialType(req);
    if (path.endsWith("/login") || path === "/login.srf") {
      this.userKnown = true;
      const wrong = this.s.firstFactor?.shift?.();
      if (wrong) return this.page("ConvergedSignIn", { sErrorCode: String(wrong), sErrTxt: "", arrValErrs: [String(wrong)], urlPost: `https://${STS}/common/login`, fHasError: true }, wrong);
      if (this.s.cookiesDisabled) return this.go(302, `https://${STS}/cookiesdisabled`, this.stsHeaders());
      return this.afterFirst();
    }
    if (path === "/cookiesdisabled") return this.html(200, "<!DOCTYPE html><html><head><title>Cookies are disabled</title></head><body>Your browser is currently set to block cookies.</body></html>", this.stsHeaders());
    if (path.endsWith("/deviceauthtls/reprocess")) { this.deviceDone = true; return this.afterFirst(); }
    if (path.endsWith("/sas/beginauth")) return this.beginAuth(req);
    if (path.endsWith("/sas/endauth")) return this.endAuth(req, url);
    if (path.endsWith("/sas/processauth")) return this.afterMfa();
    if (path.endsWith("/federation/externalauthprovider")) return /(^|&)error=/.test(req.body || "") ? this.afterFirst() : this.afterMfa();
    if (path.endsWith("/resume") || path.endsWith("/reprocess")) return this.afterMfa();
    if (path.endsWith("/appverify")) { this.s.cmsi = false; return this.finish(); }
    if (path.endsWith("/kmsi")) { this.s.kmsi = false; return this.finish(); }
    if (path.endsWith("/token")) return this.token(req);
    if (/\/instrumentation\/|\/handlers\//.test(path)) return this.json({});
    return this.page("ConvergedError", { iErrorCode: 90100, strServiceExceptionMessage: this.line(90100, "\r\n") }, 90100);
  }

  silent(q) {
    const code = this.s.silent?.shift?.() || 50058;
    const headers = this.stsHeaders(code);
    const fields = new URLSearchParams({
      error: code === 50058 ? "login_required" : "interaction_required", error_description: this.line(code, "\r\n"),
      error_uri: `https://${STS}/error?code=${code}`, state: this.state,
    });
    return this.go(302, `${this.redirect}${q.get("response_mode") === "query" ? "?" : "#"}${fields}`, [...headers, ...this.cookies()]);
  }

  credentialType() {
    const federated = this.s.federated;
    return this.json({
      Username: this.user, Display: this.user, IfExistsResult: 0, IsUnmanaged: false, ThrottleStatus: 1,
      Credentials: {
        PrefCredential: federated ? 4 : 1, HasPassword: true, RemoteNgcParams: null, FidoParams: null, QrCodePinParams: null, SasParams: null,
        CertAuthParams: null, GoogleParams: null, FacebookParams: null, OtcNotAutoSent: false,
        ...(federated ? { FederationRedirectUrl: `https://${ADFS}/adfs/ls/?client-request-id=${this.correlation}&username=${encodeURIComponent(this.user)}&wa=wsignin1.0&wtrealm=urn%3afederation%3aMicrosoftOnline&wctx=${encodeURIComponent("estsredirect=2&estsrequest=" + this.random.secret("rQQIA", 120))}` } : {}),
      },
      EstsProperties: { UserTenantBranding: null, DomainType: federated ? 4 : 3 },
      IsSignupDisallowed: true, FlowToken: this.random.secret("AQABIQEAAA", 300), apiCanary: this.random.secret("PAQABIQEA", 120),
    });
  }

  afterFirst() {
    if (this.s.device && !this.deviceDone) {
      if (this.s.deviceGate && this.deviceAsked) return this.errorPage(50097);
      this.deviceAsked = true;
      const h = this.stsHeaders(50097);
      return this.go(302, `https://device.login.microsoftonline.com/?request=${this.random.secret("rQQIA", 100)}`, h);
    }
    if (this.s.policy?.before) return this.policy(this.s.policy);
    const mfa = this.s.mfa;
    if (!mfa) return this.finish();
    const base = `https://${STS}/common`;
    const more = mfa.literal ? { sErrorCode: String(mfa.literal), sErrTxt: "", arrValErrs: [String(mfa.literal)] } : {};
    if (mfa.page === "ConvergedProofUpRedirect") {
      this.mfaShown = true;
      return this.page("ConvergedProofUpRedirect", {
        sErrorCode: String(mfa.code || 50072), iErrorCode: mfa.code || 50072, arrUserProofs: [], urlPostRedirect: "https://mysignins.microsoft.com/register?csrf_token=" + this.random.secret("R", 30),
        urlSkipMfaRegistration: mfa.skippable ? `${base}/SAS/ProcessAuth?skip=1` : "", iRemainingDaysToSkipMfaRegistration: mfa.skippable ? 9 : 0,
        sProofUpToken: this.random.secret("AQABCQEAA", 200), sProofUpTokenName: "evo_code", sProofUpAuthState: this.random.secret("BQ", 40),
      }, 50072);
    }
    return this.page("ConvergedTFA", {
      ...more,
      arrUserProofs: this.s.methods.map((m, i) => ({ authMethodId: m, data: /SMS|Voice/.test(m) ? "+XX XXXXXXXX12" : m, display: /SMS|Voice/.test(m) ? "+XX XXXXXXXX12" : m === "PhoneAppNotification" ? "" : m, isDefault: i === 0, isLocationAware: false })),
      arrFidoAllowList: this.s.methods.includes("FidoKey") ? [this.random.secret("", 40)] : [],
      oPerAuthPollingInterval: { CompanionAppsNotification: 1, PhoneAppNotification: mfa.interval || 1, PhoneAppOTP: 1, ConsolidatedTelephony: 1, TwoWayVoiceMobile: mfa.interval || 5 },
      urlBeginAuth: `${base}/SAS/BeginAuth`, urlEndAuth: `${base}/SAS/EndAuth`, urlPost: `${base}/SAS/ProcessAuth`,
      urlFidoLogin: `https://login.microsoft.com/${TENANT}/fido/get?uiflavor=Web`, urlResume: `${base}/resume?ctx=${this.random.secret("rQQIA", 60)}`,
      ...(mfa.external ? { urlExternal: { url: "https://mfa.duosec.example/api/oidc/authorize", fields: { scope: "openid", response_type: "id_token", response_mode: "form_post", client_id: "DI7FAKE0000000000000", redirect_uri: `${base}/federation/externalauthprovider`, nonce: this.random.secret("AwAB", 60), state: this.random.secret("rQQIA", 90), id_token_hint: this.random.secret("eyJ0eXAi", 200) } } } : {}),
      sAuthMethodInputFieldName: "otc", fSasEndAuthPostToGetSwitch: true, fSupportsWindowsStyles: false,
    });
  }

  fields(method, more) {
    return { Message: null, AuthMethodId: method, ErrCode: 0, Retry: false, FlowToken: this.random.secret("AQABIQEAAA", 320), Ctx: this.random.secret("rQQIARAA", 260), SessionId: this.session, CorrelationId: this.correlation, Timestamp: new Date(this.now()).toISOString().slice(0, 19) + "Z", Entropy: 0, ReselectUIOption: 0, ...more };
  }

  beginAuth(req) {
    const asked = JSON.parse(req.body || "{}");
    this.method = asked.AuthMethodId;
    this.session = this.random.guid();
    this.begun = this.now();
    this.codeTries = 0;
    const planned = this.s.mfa.begin;
    if (planned?.http) return this.json({ error: { code: planned.http === 429 ? "6004" : "6000", message: "busy" } }, 0, planned.http);
    if (planned) return this.json(this.fields(this.method, { Success: false, ResultValue: planned.result, ErrCode: planned.code ?? 500121, Retry: false }));
    return this.json(this.fields(this.method, { Success: true, ResultValue: "Success", Entropy: this.method === "PhoneAppNotification" ? 42 : 0 }));
  }

  endAuth(req, url) {
    this.polls++;
    if (this.s.mfa.busy?.includes(this.polls)) return this.json({ error: { code: "6000", message: "busy" } }, 0, 503);
    const asked = req.body ? JSON.parse(req.body) : { AuthMethodId: url.searchParams.get("authMethodId"), PollCount: +url.searchParams.get("pollCount") };
    const method = asked.AuthMethodId || this.method;
    if (!POLLED.includes(method)) {
      const result = (this.s.mfa.codes || ["Success"])[this.codeTries++] || "Success";
      const more = Math.min(this.codeTries, (this.s.mfa.codes || []).length) < (this.s.mfa.codes || []).length;
      if (result === "Success") { this.passed = true; return this.json(this.fields(method, { Success: true, ResultValue: "Success" })); }
      return this.json(this.fields(method, { Success: false, ResultValue: result, ErrCode: 500121, Retry: more || !this.s.mfa.final }), 500121);
    }
    const round = Array.isArray(this.s.mfa.end?.[0]) ? this.s.mfa.end[Math.min((this.rounds = this.begun === this.lastBegun ? this.rounds : (this.lastBegun = this.begun, (this.rounds ?? -1) + 1)), this.s.mfa.end.length - 1)] : this.s.mfa.end;
    const due = (round || []).find((r) => this.now() - this.begun >= r.after);
    if (!due) return this.json(this.fields(method, { Success: false, ResultValue: "AuthenticationPending", Retry: true, Message: "Waiting for your response" }));
    if (due.result === "Success") { this.passed = true; return this.json(this.fields(method, { Success: true, ResultValue: "Success" })); }
    return this.json(this.fields(method, { Success: false, ResultValue: due.result, ErrCode: due.code ?? 500121, Retry: false }), 500121);
  }

  afterMfa() {
    if (this.s.mfa?.pass && !this.passTried) {
      this.passTried = true;
      this.s.mfa.literal = this.s.mfa.pass;
      return this.afterFirst();
    }
    if (this.s.nudge) {
      this.s.nudge = false;
      return this.page("ConvergedProofUpRedirect", {
        sErrorCode: "50203", iErrorCode: 50203, arrUserProofs: [], urlPostRedirect: "https://mysignins.microsoft.com/register?csrf_token=" + this.random.secret("R", 30),
        urlSkipMfaRegistration: `https://${STS}/common/SAS/ProcessAuth?skip=1`, iRemainingDaysToSkipMfaRegistration: 9, sProofUpToken: this.random.secret("AQABCQEAA", 200), sProofUpTokenName: "evo_code", sProofUpAuthState: this.random.secret("BQ", 40),
      }, 50203);
    }
    if (this.s.mfa?.lost) return this.errorPage(this.s.mfa.lost);
    return this.finish();
  }

  policy(p) {
    return this.page(p.page || "ConvergedConditionalAccess", { iErrorCode: p.code, sErrorCode: String(p.code), iErrorTitle: p.title ?? 3, iErrorDescription: p.description ?? 5, sDeviceId: "", sDeviceState: "Unregistered", strServiceExceptionMessage: this.line(p.code, "\r\n"), arrUserProofs: [], ...(p.extra || {}) }, p.code);
  }

  finish() {
    if (this.s.policy && !this.s.policy.before) return this.policy(this.s.policy);
    if (this.s.cmsi) return this.page("CmsiInterrupt", { sErrorCode: "50199", iErrorCode: 50199, urlPost: `https://${STS}/appverify`, sAppName: "Fabrikam Portal" }, 50199);
    if (this.s.kmsi) return this.page("KmsiInterrupt", { sErrorCode: "50140", iErrorCode: 50140, arrValErrs: ["50140"], urlPost: `https://${STS}/kmsi`, iKMSIEnabled: 1 }, 50140);
    const headers = [...this.stsHeaders(), ...this.cookies(`ESTSAUTHPERSISTENT=${this.random.secret("1.AUkAUj", 200)}; domain=.login.microsoftonline.com; path=/; secure; HttpOnly; SameSite=None`, `ESTSAUTH=${this.random.secret("1.AUkAUj", 120)}; domain=.login.microsoftonline.com; path=/; secure; HttpOnly; SameSite=None`)];
    const code = this.random.secret("1.AUkAUj", 260), session = this.random.guid();
    if (this.s.mode === "query" || this.s.mode === "fragment") {
      return this.go(302, `${this.redirect}${this.s.mode === "query" ? "?" : "#"}code=${code}&state=${encodeURIComponent(this.state)}&session_state=${session}`, headers);
    }
    const fields = this.s.mode === "saml" ? { SAMLResponse: Buffer.from(`<samlp:Response ID="_${this.random.guid()}" xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion">${this.random.secret("", 90)}</Assertion></samlp:Response>`).toString("base64"), RelayState: this.state }
      : this.s.mode === "wsfed" ? { wa: "wsignin1.0", wresult: `<t:RequestSecurityTokenResponse xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust">${this.random.secret("", 120)}</t:RequestSecurityTokenResponse>`, wctx: this.state }
      : { code, id_token: this.random.secret("eyJ0eXAiOiJKV1QifQ.", 300), state: this.state, session_state: session };
    const escape = (v) => v.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
    const inputs = Object.entries(fields).map(([k, v]) => `<input type="hidden" name="${k}" value="${escape(v)}" />`).join("");
    const out = this.html(200, `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="${this.redirect}">${inputs}<noscript><p>Script is disabled. Click Submit to continue.</p><input type="submit" value="Submit" /></noscript></form><script language="javascript">window.setTimeout('document.forms[0].submit()', 0);</script></body></html>`, headers);
    out.post = { url: this.redirect, fields };
    return out;
  }

  token() {
    return this.json({ token_type: "Bearer", scope: "openid profile User.Read", expires_in: 4211, ext_expires_in: 4211, access_token: this.random.secret("eyJ0eXAiOiJKV1QiLCJub25jZSI6.", 400), refresh_token: this.random.secret("1.AUkAUj", 300), id_token: this.random.secret("eyJ0eXAiOiJKV1QifQ.", 200) });
  }

  cdn(url) {
    if (!url.pathname.endsWith(".js")) return this.plain(404, "text/html", "<html><body>not here</body></html>");
    return { status: 200, headers: [["Content-Type", "application/x-javascript"], ["Cache-Control", "public, max-age=31536000"], ["Access-Control-Allow-Origin", "*"], ["Vary", "Accept-Encoding"], ["x-ms-request-id", this.random.guid()], ["X-Cache", "TCP_HIT"], ["x-azure-ref", `20300101T100000Z-r1${this.random.hex(12)}`], ["Date", this.date()]], body: pageScript(Object.keys(SCRIPT).find((k) => SCRIPT[k] === url.pathname)) };
  }

  device(_req, url) {
    const headers = this.stsHeaders();
    const post = { url: `https://${STS}/common/DeviceAuthTls/reprocess`, fields: { ctx: url.searchParams.get("request") || "", flowtoken: this.random.secret("AQABIQ", 120) } };
    const inputs = Object.entries(post.fields).map(([k, v]) => `<input type="hidden" name="${k}" value="${v}" />`).join("");
    const out = this.html(200, `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="${post.url}">${inputs}</form><script language="javascript">window.setTimeout('document.forms[0].submit()', 0);</script></body></html>`, headers);
    out.post = post;
    return out;
  }

  fido(_req, _url) {
    const out = this.page("ConvergedTFA", { pgid: "FidoGet", hpgid: 1128, hpgact: 2000, urlPost: `https://${STS}/common/SAS/ProcessAuth`, urlPostAad: `https://${STS}/common/SAS/ProcessAuth`, sFidoChallenge: this.random.secret("O", 60), arrFidoAllowList: [this.random.secret("", 40)] });
    out.body = out.body.replace('content="ConvergedTFA"', 'content="FidoGet"');
    if (this.s.mfa.passkey === "ok") out.post = { url: `https://${STS}/common/SAS/ProcessAuth`, fields: { type: "23", assertion: this.random.secret("{\"id\":\"", 200), flowToken: this.random.secret("AQABIQ", 100), canary: this.random.secret("k", 40) }, after: 3000 };
    return out;
  }

  adfs(req, _url) {
    if (req.method === "GET") {
      const out = this.plain(200, "text/html; charset=utf-8", `<!DOCTYPE html><html><head><title>Sign In</title></head><body><form method="post" id="loginForm" action="/adfs/ls/"><input name="UserName"/><input type="password" name="Password"/></form></body></html>`, [["Server", "Microsoft-HTTPAPI/2.0"]]);
      out.post = { url: req.url, fields: { UserName: this.user, Password: this.story.user.password, AuthMethod: "FormsAuthentication" }, after: 2500 };
      return out;
    }
    const fields = { wa: "wsignin1.0", wresult: `<t:RequestSecurityTokenResponse xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust"><t:RequestedSecurityToken>${this.random.secret("", 160)}</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>`, wctx: this.s.idpInitiated ? "" : "estsredirect=2&estsrequest=" + this.random.secret("rQQIA", 100) };
    const escape = (v) => v.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
    const out = this.plain(200, "text/html; charset=utf-8", `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="https://${STS}/login.srf">${Object.entries(fields).map(([k, v]) => `<input type="hidden" name="${k}" value="${escape(v)}" />`).join("")}</form><script language="javascript">window.setTimeout('document.forms[0].submit()', 0);</script></body></html>`, [["Server", "Microsoft-HTTPAPI/2.0"]]);
    out.post = { url: `https://${STS}/login.srf`, fields };
    return out;
  }

  app(req, url) {
    if (url.pathname === "/") return this.go(302, this.authorizeUrl(), [["Set-Cookie", `.AspNetCore.OpenIdConnect.Nonce=${this.random.secret("CfDJ8", 60)}; path=/signin-oidc; secure; samesite=none; httponly`]]);
    if (url.pathname === "/signin-oidc" && req.method === "POST") return this.go(302, `https://${APP}/home`, [["Set-Cookie", `.AspNetCore.Cookies=${this.random.secret("CfDJ8", 120)}; path=/; secure; samesite=lax; httponly`]]);
    if (url.pathname === "/blank.html") return this.plain(200, "text/html", "<!DOCTYPE html><html><body></body></html>");
    if (url.pathname === "/spa") {
      const out = this.plain(200, "text/html; charset=utf-8", `<!DOCTYPE html><html><head><title>Fabrikam Orders</title><link rel="icon" href="data:,"></head><body>Orders<iframe src="${this.authorizeUrl({ prompt: "none", response_mode: "fragment", redirect_uri: `https://${APP}/blank.html`, response_type: "code" }).replaceAll("&", "&amp;")}" style="display:none"></iframe></body></html>`);
      out.frames = [/<iframe src="([^"]*)"/.exec(out.body)[1].replaceAll("&amp;", "&")];
      return out;
    }
    const out = this.plain(200, "text/html; charset=utf-8", `<!DOCTYPE html><html><head><title>Fabrikam Portal</title><link rel="icon" href="data:,"></head><body>Signed in to Fabrikam Portal</body></html>`);
    return out;
  }

  authorizeUrl(more = {}) {
    if (this.s.mode === "saml") return `https://${STS}/${TENANT}/saml2?SAMLRequest=${encodeURIComponent(Buffer.from(this.random.secret("fZFB", 60)).toString("base64"))}&RelayState=${this.random.secret("rs", 20)}`;
    if (this.s.mode === "wsfed") return `https://${STS}/${TENANT}/wsfed?wa=wsignin1.0&wtrealm=${encodeURIComponent("https://" + APP)}&wctx=${this.random.secret("WsFedOwinState", 30)}`;
    const q = new URLSearchParams({
      client_id: APP_ID, redirect_uri: this.redirect, response_type: this.s.mode === "form_post" ? "code id_token" : "code", scope: "openid profile offline_access User.Read",
      response_mode: this.s.mode, nonce: this.random.secret("6387", 30), state: this.random.secret("CfDJ8", 60), "client-request-id": this.correlation, "x-client-SKU": "ID_NET8_0", "x-client-ver": "8.0.1.0", ...more,
    });
    return `https://${STS}/common/oauth2/v2.0/authorize?${q}`;
  }
}

/** Our own words for the codes the stories use. */
export const SENTENCES = {
  50058: "A silent request came without a signed-in user.",
  50072: "The user must enrol for multifactor authentication.",
  50074: "Strong authentication is required.",
  50076: "Multifactor authentication is required to reach '00000003-0000-0000-c000-000000000000'.",
  50079: "The user must enrol for multifactor authentication to reach the resource.",
  50089: "The flow token has expired.",
  50097: "Device authentication is required.",
  50126: "The user name or the password is wrong.",
  53000: "The device is not compliant.",
  53003: "Access is blocked by Conditional Access policies.",
  70016: "The authorization is pending; the user has not yet finished.",
  65001: "The user or an administrator has not consented to the application.",
  5000211: "A tenant restrictions policy does not allow this user to be authenticated.",
  90100: "A parameter is empty or not valid.",
  7000215: "The client secret given is not valid.",
  50086: "The strong authentication service is not available.",
  50155: "Device authentication failed.",
  50161: "The configuration of the external security challenge is not valid.",
  5001256: "Sign-in with the external provider failed: its id_token is not valid.",
  1002016: "The client uses TLS 1.0, TLS 1.1 or 3DES, which are not accepted any more.",
  500121: "The user did not complete the strong authentication request.",
};
