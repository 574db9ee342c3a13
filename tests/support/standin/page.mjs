// What the stand-in's sign-in page does, written once: the browser runs this text, the scripted browser
// runs the function. `c` is the page's $Config, `u` says what the user does, `e` is the surrounding.

/** The page that asks for the name and the password. */
async function signIn(c, u, e) {
  const flow = { ctx: c.sCtx, hpgrequestid: c.sessionId, flowToken: c.sFT, canary: c.canary };
  if (u.idle === c.pgid) return;
  if (u.giveUp && (c.arrValErrs || []).includes(u.giveUp)) return;
  await e.sleep(u.think || 900);
  const r = await e.json("POST", c.urlGetCredentialType, {
    username: u.username, isOtherIdpSupported: true, checkPhones: false, isRemoteNGCSupported: true,
    isFidoSupported: true, isAccessPassSupported: true, originalRequest: c.sCtx, flowToken: c.sFT,
  });
  if (!r) return;
  if (r.Credentials.FederationRedirectUrl) return e.go(r.Credentials.FederationRedirectUrl);
  await e.sleep(u.think || 900);
  return e.submit(c.urlPost, {
    i13: "0", login: u.username, loginfmt: u.username, type: "11", LoginOptions: "3", passwd: u.password,
    ps: "2", ...flow, i19: "24731",
  });
}

/** The challenge. */
async function challenge(c, u, e) {
  const flow = { ctx: c.sCtx, hpgrequestid: c.sessionId, flowToken: c.sFT, canary: c.canary };
  if (u.idle === c.pgid || c.pgid !== "ConvergedTFA") return;
  if (u.enverror) return e.beacon("https://login.microsoftonline.com/common/handlers/enverror");
  const m = u.method || (c.arrUserProofs.find((p) => p.isDefault) || {}).authMethodId;
  if (!m) return;
  if (m === "AccessPass") {
    if (c.sErrorCode) return;
    await e.sleep(u.type || 4000);
    return e.submit(c.urlPost, { accesspass: u.pass, type: "30", login: u.username, ...flow });
  }
  if (m === "FidoKey") return e.submit(c.urlFidoLogin, { allowedIdentities: "0", ...flow });
  if (c.urlExternal) return e.submit(c.urlExternal.url, c.urlExternal.fields);
  for (let tries = u.tries || 1; tries > 0; tries--) {
    await e.sleep(u.think || 700);
    let r = await e.json("POST", c.urlBeginAuth, { AuthMethodId: m, Method: "BeginAuth", ctx: c.sCtx, flowToken: c.sFT });
    if (!r || !r.Success) { if (u.report) await e.beacon(u.report); return; }
    const typed = /OTP|SMS|Telephony/.test(m), began = e.now();
    let start = began, end = began;
    if (typed) {
      const codes = u.codes || [];
      for (let n = 1; n <= codes.length && !(n > 1 && (r.Success || !r.Retry)); n++) {
        await e.sleep(u.type || 4000);
        start = e.now();
        r = await e.json("POST", c.urlEndAuth, {
          Method: "EndAuth", SessionId: r.SessionId, FlowToken: r.FlowToken, Ctx: r.Ctx, AuthMethodId: m,
          AdditionalAuthData: codes[n - 1], PollCount: n,
        });
        end = e.now();
        if (!r) return;
      }
      if (!codes.length) return;
    } else {
      const wait = 1000 * (c.oPerAuthPollingInterval[m] || 5);
      let bad = 0, last = r;
      for (let n = 1; ; n++) {
        await e.sleep(wait);
        if (e.now() - began > c.iPollingTimeout) { r = null; break; }
        const s = e.now();
        const q = await e.json("GET", `${c.urlEndAuth}?authMethodId=${m}&pollCount=${n}&lastPollStart=${start}&lastPollEnd=${end}`, null, {
          "x-ms-sessionId": last.SessionId, "x-ms-flowToken": last.FlowToken, "x-ms-ctx": last.Ctx,
          "client-request-id": c.correlationId, hpgid: String(c.hpgid), hpgact: String(c.hpgact), hpgrequestid: c.sessionId,
        });
        start = s; end = e.now();
        if (!q) { if (++bad > 3) { r = null; break; } continue; }
        last = r = q;
        if (q.Success || !q.Retry) break;
      }
    }
    if (r && r.Success) {
      return e.submit(c.urlPost, {
        type: "22", request: r.Ctx, mfaLastPollStart: String(start), mfaLastPollEnd: String(end),
        mfaAuthMethod: m, login: u.username, flowToken: r.FlowToken, hpgrequestid: c.sessionId, sacxt: "",
        hideSmsInMfaProofs: "false", canary: c.canary, i19: "8213",
      });
    }
  }
  return;
}

/** The pages in between: stay signed in, confirm the application, register. */
async function between(c, u, e) {
  const flow = { ctx: c.sCtx, hpgrequestid: c.sessionId, flowToken: c.sFT, canary: c.canary };
  if (u.idle === c.pgid) return;
  if (c.pgid === "KmsiInterrupt") {
    await e.sleep(u.think || 800);
    return e.submit(c.urlPost, { LoginOptions: "3", type: "28", ...flow, i19: "1877" });
  }
  if (c.pgid === "CmsiInterrupt") {
    await e.sleep(u.think || 800);
    return e.submit(c.urlPost, { ContinueAuth: "true", i19: "1544", ...flow });
  }
  if (c.pgid === "ConvergedProofUpRedirect") {
    await e.sleep(u.think || 1200);
    return e.submit(c.urlPostRedirect, { evo_code: c.sProofUpToken, state: c.sProofUpAuthState });
  }
}

const PARTS = { ConvergedSignIn: signIn, ConvergedTFA: challenge };
const part = (pgid) => PARTS[pgid] || between;

/** What the page does; the script of a page with another id than its file does nothing. */
export const runPage = (file, c, u, e) => part(file)(c, u, e);

/** The surrounding a real browser gives. */
const browser = `{
sleep:(ms)=>new Promise((r)=>setTimeout(r,ms)),
now:()=>Date.now(),
go:(url)=>{location.href=url},
beacon:(url)=>fetch(url,{method:"POST",body:"{}"}).catch(()=>null),
json:(method,url,body,headers)=>fetch(url,{method,credentials:"include",headers:Object.assign({"Accept":"application/json"},body?{"Content-Type":"application/json; charset=UTF-8"}:{},headers||{}),body:body?JSON.stringify(body):undefined}).then((r)=>r.json()).catch(()=>null),
submit:(url,fields)=>{const f=document.createElement("form");f.method="POST";f.action=url;for(const k in fields){const i=document.createElement("input");i.type="hidden";i.name=k;i.value=fields[k];f.appendChild(i)}document.body.appendChild(f);f.submit()}}`;

const squeeze = (text) => text.split("\n").map((l) => l.trim()).filter((l) => l && !l.startsWith("//")).join("\n");

/** The text of the page script as the script host serves it. */
export const pageScript = (pgid) => `/*! stand-in page script, not Microsoft's */\ndocument.body.style.display="block";\n(${squeeze(part(pgid).toString())})($Config,window.__user||{idle:$Config.pgid},${squeeze(browser)});\n`;

/** Runs inside the page: tries one script root after the other. */
export const LOADER = `!function(w,d){var l=$Config.loader,i=0;w.$Load=function(){if(i>=l.cdnRoots.length){return}var s=d.createElement("script");s.src=l.cdnRoots[i++]+l.file;s.crossOrigin="anonymous";s.onerror=w.$Load;d.head.appendChild(s)};w.$Load()}(window,document);`;
