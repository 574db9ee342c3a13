//! No secret of a capture reaches an output, whatever place and encoding it stands in.
#![expect(clippy::indexing_slicing, reason = "test support")]
#![cfg(feature = "cli")]

mod support;

use std::process::{Command, Stdio};

use mfatrace::evidence::Redaction;
use serde_json::{Value, json};

use support::canary::{Canaries, Encoding};
use support::exchange::{Told, get, post, post_json};
use support::leaks::{found, leaks, none, outputs};
use support::memory::run_bytes;

const STS: &str = "https://login.microsoftonline.com";
const CLIENT: &str = "client_id=3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40";
const FORM: &str = "application/x-www-form-urlencoded";

fn page(config: &str) -> String {
    format!(
        "<html><head><title>Sign in</title><meta name=\"PageID\" content=\"ConvergedTFA\" />\
         <script>//<![CDATA[\n$Config={config};\n//]]></script></head><body></body></html>"
    )
}

/// A place in which a secret lives; `$$` is the secret.
#[expect(clippy::too_many_lines, reason = "a list")]
fn places() -> Vec<(&'static str, Told)> {
    let tfa = |more: &str| {
        page(&format!(
            "{{\"pgid\":\"ConvergedTFA\",\"arrUserProofs\":[{{\"authMethodId\":\"PhoneAppNotification\",\
             \"data\":\"PhoneAppNotification\",\"display\":\"+XX 12\",\"isDefault\":true}}],{more},\
             \"correlationId\":\"a839844d-c932-4302-ac17-6d062db9f045\"}}"
        ))
    };
    let login =
        || post(&format!("{STS}/common/login"), "login=adele.vance%40contoso.example&type=11");
    let token = |form: &str| post(&format!("{STS}/common/oauth2/v2.0/token"), form);
    let begin = || post_json(&format!("{STS}/common/SAS/BeginAuth"), "{\"Method\":\"BeginAuth\"}");
    let answer = |more: &str| {
        format!(
            "{{\"Success\":false,\"ResultValue\":\"AuthenticationPending\",\"Retry\":true,\"ErrCode\":0,{more}}}"
        )
    };
    let authorize = format!("{STS}/common/oauth2/v2.0/authorize?{CLIENT}");
    let mut all = vec![
        ("password", login().sending(FORM, "login=a%40contoso.example&passwd=$$&type=11")),
        ("one-time code of a form", login().sending(FORM, "otc=$$&type=27")),
        ("temporary pass", login().sending(FORM, "accesspass=$$&type=11")),
        ("ctx of a form", login().sending(FORM, "ctx=$$&type=11")),
        ("flow token of a form", login().sending(FORM, "flowToken=$$&type=11")),
        ("canary of a form", login().sending(FORM, "canary=$$&type=11")),
        ("request of a form", login().sending(FORM, "request=$$&type=22")),
        ("PPFT", post("https://login.live.com/ppsecure/post.srf", "PPFT=$$&type=11")),
        ("unknown field of a form", login().sending(FORM, "$$=1&x=$$")),
        ("code as JSON", begin().sending("application/json", "{\"AdditionalAuthData\":\"$$\",\"Method\":\"EndAuth\"}")),
        ("ctx as JSON", begin().sending("application/json", "{\"Ctx\":\"$$\",\"FlowToken\":\"$$\",\"Method\":\"BeginAuth\"}")),
        ("flow state of an answer", begin().by_service().answer("application/json", &answer("\"FlowToken\":\"$$\",\"Ctx\":\"$$\",\"apiCanary\":\"$$\""))),
        ("message of an answer", begin().by_service().answer("application/json", &answer("\"Message\":\"$$\""))),
        ("key of an answer", begin().by_service().answer("application/json", &answer("\"$$\":\"$$\""))),
        ("cookie", get(&authorize).asking("Cookie", "ESTSAUTH=$$; x=$$")),
        ("name of a cookie", get(&authorize).asking("Cookie", "$$=1")),
        ("cookie that is set", get(&authorize).field("Set-Cookie", "ESTSAUTHPERSISTENT=$$; path=/; secure")),
        ("authorization", get("https://graph.microsoft.com/v1.0/me").asking("Authorization", "Bearer $$")),
        ("basic authorization", get(&authorize).asking("Authorization", "Basic $$")),
        ("proxy authorization", get(&authorize).asking("Proxy-Authorization", "Negotiate $$").status(407)),
        ("refresh token credential", get(&authorize).asking("x-ms-RefreshTokenCredential", "$$")),
        ("x-ms-ctx", get(&format!("{STS}/common/SAS/EndAuth?authMethodId=PhoneAppNotification&pollCount=1")).asking("x-ms-ctx", "$$").asking("x-ms-flowToken", "$$").asking("x-ms-sessionId", "$$")),
        ("unknown field of a request", get(&authorize).asking("x-custom", "$$")),
        ("unknown field of an answer", get(&authorize).field("x-custom", "$$").field("x-ms-request-id", "$$")),
        ("user agent", get(&authorize).asking("User-Agent", "Mozilla/5.0 $$")),
        ("server and via", get(&authorize).field("Server", "$$").field("Via", "1.1 $$").field("Proxy-Agent", "$$").field("FiddlerGateway", "$$").field("x-squid-error", "$$")),
        ("challenge", get("https://graph.microsoft.com/v1.0/me").status(401).field("WWW-Authenticate", "Bearer realm=\"$$\", error=\"$$\", claims=\"$$\"")),
        ("proxy challenge", get(&authorize).status(407).field("Proxy-Authenticate", "Negotiate $$")),
        ("referer", begin().asking("Referer", &format!("{STS}/common/reprocess?ctx=$$"))),
        ("origin", begin().asking("Origin", "https://$$/")),
        ("date", begin().field("Date", "$$").field("Retry-After", "$$").field("Content-Length", "$$")),
        ("code of a redirect", get(&authorize).status(302).field("Location", "https://portal.fabrikam.example/cb?code=$$&state=$$&session_state=$$")),
        ("token of a fragment", get(&authorize).status(302).field("Location", "https://portal.fabrikam.example/cb#id_token=$$&access_token=$$")),
        ("error text of a redirect", get(&authorize).status(302).field("Location", "https://portal.fabrikam.example/cb?error=interaction_required&error_description=AADSTS50076%3a+$$%0d%0aTrace+ID%3a+$$")),
        ("error of a redirect", get(&authorize).status(302).field("Location", "https://portal.fabrikam.example/cb?error=$$&error_subcode=$$")),
        ("form_post page", get(&authorize).by_service().answer("text/html", "<html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" action=\"https://portal.fabrikam.example/signin-oidc?x=$$\"><input type=\"hidden\" name=\"code\" value=\"$$\" /><input type=\"hidden\" name=\"id_token\" value=\"$$\" /><input type=\"hidden\" name=\"$$\" value=\"$$\" /></form></body></html>")),
        ("form_post failure", get(&authorize).by_service().answer("text/html", "<form method=\"POST\" name=\"hiddenform\" action=\"https://portal.fabrikam.example/cb\"><input type=\"hidden\" name=\"error\" value=\"access_denied\" /><input type=\"hidden\" name=\"error_description\" value=\"AADSTS50074: $$\" /><input name=\"state\" value=\"$$\" /></form>")),
        ("post to the application", post("https://portal.fabrikam.example/signin-oidc", "code=$$&id_token=$$&session_state=$$")),
        ("failure posted to the application", post("https://portal.fabrikam.example/signin-oidc", "error=access_denied&error_description=AADSTS50074%3a+$$&session_state=$$")),
        ("token answer", token(CLIENT).by_service().answer("application/json", "{\"token_type\":\"Bearer\",\"scope\":\"$$\",\"access_token\":\"$$\",\"refresh_token\":\"$$\",\"id_token\":\"$$\",\"client_info\":\"$$\"}")),
        ("token failure", token(CLIENT).status(400).by_service().answer("application/json", "{\"error\":\"interaction_required\",\"error_description\":\"AADSTS50076: $$\\r\\nTrace ID: $$\",\"error_codes\":[50076],\"suberror\":\"$$\",\"claims\":\"$$\",\"trace_id\":\"$$\",\"correlation_id\":\"$$\",\"error_uri\":\"$$\"}")),
        ("name of a token failure", token(CLIENT).status(400).by_service().answer("application/json", "{\"error\":\"$$\",\"error_codes\":[50076]}")),
        ("refresh token", token(&format!("{CLIENT}&grant_type=refresh_token&refresh_token=$$"))),
        ("code and verifier", token(&format!("{CLIENT}&grant_type=authorization_code&code=$$&code_verifier=$$"))),
        ("ROPC", token(&format!("{CLIENT}&grant_type=password&username=u%40contoso.example&password=$$"))),
        ("client secret", token(&format!("{CLIENT}&grant_type=client_credentials&client_secret=$$"))),
        ("client assertion", token(&format!("{CLIENT}&grant_type=client_credentials&client_assertion=$$"))),
        ("assertion", token(&format!("{CLIENT}&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=$$&requested_token_use=on_behalf_of"))),
        ("grant of an unknown kind", token(&format!("{CLIENT}&grant_type=$$"))),
        ("device code", token(&format!("{CLIENT}&grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=$$"))),
        ("device code answer", post(&format!("{STS}/common/oauth2/v2.0/devicecode"), CLIENT).by_service().answer("application/json", "{\"user_code\":\"$$\",\"device_code\":\"$$\",\"verification_uri\":\"https://microsoft.com/devicelogin?otc=$$\",\"message\":\"enter $$\",\"expires_in\":900,\"interval\":5}")),
        ("user code", post(&format!("{STS}/common/oauth2/deviceauth"), "otc=$$")),
        ("SAML response", post("https://portal.fabrikam.example/saml/acs", "SAMLResponse=$$&RelayState=$$")),
        ("SAML request", get(&format!("{STS}/common/saml2?SAMLRequest=$$&RelayState=$$"))),
        ("SAML page", get(&authorize).by_service().answer("text/html", "<form method=\"POST\" name=\"hiddenform\" action=\"https://portal.fabrikam.example/saml/acs\"><input name=\"SAMLResponse\" value=\"$$\" /></form>")),
        ("wresult", post("https://portal.fabrikam.example/", "wa=wsignin1.0&wresult=$$&wctx=$$")),
        ("WS-Trust", post("https://sts.contoso.example/adfs/services/trust/2005/usernamemixed", "").sending("application/soap+xml", "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><o:UsernameToken xmlns:o=\"x\"><o:Username>u@contoso.example</o:Username><o:Password>$$</o:Password></o:UsernameToken></s:Header></s:Envelope>")),
        ("WS-Trust of the service", post(&format!("{STS}/rst2.srf"), "").sending("application/soap+xml", "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><o:Password xmlns:o=\"x\">$$</o:Password></s:Envelope>").by_service().answer("application/soap+xml", "<S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\"><S:Body><S:Fault><S:Code><S:Value>S:Sender</S:Value></S:Code><S:Reason><S:Text>$$</S:Text></S:Reason><S:Detail><psf:error xmlns:psf=\"http://schemas.microsoft.com/Passport/SoapServices/SOAPFault\"><psf:value>0x80048821</psf:value><psf:internalerror><psf:code>0x80048821</psf:code><psf:text>AADSTS50076: $$</psf:text></psf:internalerror></psf:error></S:Detail></S:Fault></S:Body></S:Envelope>")),
        ("WS-Trust token", post(&format!("{STS}/rst2.srf"), "").sending("application/soap+xml", "<s:Envelope/>").by_service().answer("application/soap+xml", "<S:Envelope xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\"><S:Body><wst:RequestedSecurityToken xmlns:wst=\"x\">$$</wst:RequestedSecurityToken></S:Body></S:Envelope>")),
        ("flow state of a page", login().by_service().answer("text/html", &tfa("\"sFT\":\"$$\",\"sCtx\":\"$$\",\"canary\":\"$$\",\"apiCanary\":\"$$\",\"sPOST_Username\":\"$$\""))),
        ("texts of a page", login().by_service().answer("text/html", &tfa("\"sErrTxt\":\"$$\",\"strMainMessage\":\"$$\",\"sErrorCode\":\"50126\",\"strServiceExceptionMessage\":\"AADSTS50126: $$\\r\\nTrace ID: $$\""))),
        ("addresses of a page", login().by_service().answer("text/html", &tfa(&format!("\"urlPost\":\"{STS}/common/SAS/ProcessAuth?ctx=$$\",\"urlBeginAuth\":\"{STS}/common/SAS/BeginAuth?ctx=$$\",\"urlCancel\":\"https://portal.fabrikam.example/?x=$$\"")))),
        ("keys of a page", login().by_service().answer("text/html", &tfa("\"$$\":{\"$$\":[\"$$\"]},\"sCompanyDisplayName\":\"$$\""))),
        ("method ids of a page", login().by_service().answer("text/html", &page("{\"pgid\":\"ConvergedTFA\",\"arrUserProofs\":[{\"authMethodId\":\"PhoneAppNotification\",\"data\":\"$$\",\"display\":\"$$\",\"isDefault\":true},{\"authMethodId\":\"OneWaySMS\",\"data\":\"$$\",\"display\":\"$$\"}]}"))),
        ("proof-up page", login().by_service().answer("text/html", &page("{\"pgid\":\"ConvergedProofUpRedirect\",\"sErrorCode\":\"50072\",\"sProofUpToken\":\"$$\",\"sProofUpAuthState\":\"$$\"}"))),
        ("passkeys of a page", login().by_service().answer("text/html", &page("{\"pgid\":\"ConvergedSignIn\",\"arrFidoAllowList\":[\"$$\"],\"sFidoChallenge\":\"$$\"}"))),
        ("broken page", login().by_service().answer("text/html", "<script>$Config={\"sFT\":\"$$\",\"sErrTxt\":\"$$")),
        ("page of a proxy", begin().answer("text/html", "<html><head><title>Blocked $$</title></head><body>Access denied by policy. User $$ token $$</body></html>")),
        ("not found page", begin().status(403).answer("text/html", "<title>$$</title><h1>$$</h1>")),
        ("user: credential type", post_json(&format!("{STS}/common/GetCredentialType?mkt=en-US"), "{\"username\":\"$$\"}").by_service().answer("application/json", "{\"Username\":\"$$\",\"Display\":\"$$\",\"IfExistsResult\":0}")),
        ("credential type", post_json(&format!("{STS}/common/GetCredentialType?mkt=en-US"), "{\"username\":\"u@contoso.example\",\"originalRequest\":\"$$\",\"flowToken\":\"$$\"}").by_service().answer("application/json", "{\"IfExistsResult\":0,\"ThrottleStatus\":0,\"FlowToken\":\"$$\",\"apiCanary\":\"$$\",\"Credentials\":{\"PrefCredential\":4,\"FederationRedirectUrl\":\"https://sts.contoso.example/adfs/ls/?client-request-id=$$&wctx=$$\"}}")),
        ("credential type error", post_json(&format!("{STS}/common/GetCredentialType"), "{}").by_service().answer("application/json", "{\"error\":{\"code\":\"6000\",\"message\":\"$$\"}}")),
        ("query of a request", get(&format!("{authorize}&state=$$&nonce=$$&login_hint=$$&domain_hint=$$&id_token_hint=$$&claims=$$&request=$$&code_challenge=$$"))),
        ("fragment of a request", get(&format!("{authorize}#access_token=$$"))),
        ("user info of a URL", get("https://user:$$@login.microsoftonline.com/common/login")),
        ("redirect address", get(&format!("{STS}/common/oauth2/v2.0/authorize?client_id=$$&redirect_uri=https%3A%2F%2Fportal.fabrikam.example%2F$$%3Ft%3D$$&resource=https%3A%2F%2Fx.example%2F%3Ft%3D$$&scope=$$"))),
        ("user: home realm", get(&format!("{STS}/common/userrealm/$$@contoso.example?api-version=2.1"))),
        ("user: home realm, encoded", get(&format!("{STS}/common/userrealm/$$%40contoso.example"))),
        ("user: home realm, query", get(&format!("{STS}/getuserrealm.srf?login=$$@contoso.example"))),
        ("home realm answer", get(&format!("{STS}/common/userrealm/u@contoso.example")).by_service().answer("application/json", "{\"account_type\":\"Federated\",\"domain_name\":\"contoso.example\",\"federation_active_auth_url\":\"https://sts.contoso.example/adfs/$$\",\"AuthURL\":\"https://sts.contoso.example/adfs/ls/?username=$$\"}")),
        ("parameter of a path", get(&format!("{STS}/common/login;jsessionid=$$"))),
        ("external provider", post("https://mfa.duosec.example/authorize", "id_token_hint=$$&state=$$&login_hint=$$&client_id=x")),
        ("external return", post(&format!("{STS}/common/federation/externalauthprovider"), "id_token=$$&state=$$&error=$$&error_description=$$")),
        ("telemetry", post("https://browser.events.data.microsoft.com/OneCollector/1.0/?x=$$", "$$")),
        ("a program's answer", get("https://portal.fabrikam.example/api?token=$$").answer("application/json", "{\"token\":\"$$\"}")),
        ("text of a browser's error", get(&authorize).failing("net::ERR_FAILED $$")),
        ("error that is a token", begin().failing("$$")),
        ("script", get("https://aadcdn.msauth.net/shared/1.0/content/js/x.js?$$").answer("application/x-javascript", "var a='$$';")),
        ("last telemetry", token(CLIENT).asking("x-client-last-telemetry", "4|0|1,$$|$$|0,0").asking("x-client-current-telemetry", "4|$$")),
        ("passkey answer", post(&format!("{STS}/common/fido/get?uiflavor=Web"), "allowedIdentities=2&canary=$$&serverChallenge=$$&credentialId=$$&userHandle=$$")),
        ("seamless sign-on", get("https://autologon.microsoftazuread-sso.com/contoso.example/winauth/trust/2005/windowstransport?client-request-id=$$").asking("Authorization", "Negotiate $$")),
        ("process", post(&format!("{STS}/common/SAS/ProcessAuth"), "type=22&request=$$&mfaAuthMethod=PhoneAppNotification&login=$$&flowToken=$$&canary=$$&mfaLastPollStart=$$")),
        ("error page", get(&authorize).by_service().answer("text/html", &page("{\"pgid\":\"ConvergedError\",\"iErrorCode\":50058,\"strMainMessage\":\"$$\",\"strServiceExceptionMessage\":\"AADSTS50058: $$ Trace ID: $$ Correlation ID: $$ Timestamp: $$\"}"))),
    ];
    // Ids that are words of the protocol are bounded; here they are long, as no word is.
    all.push((
        "token in a path",
        get("https://portal.fabrikam.example/magic/$$ZZ9ZZaZZ0ZZbZZ1ZZcZZ2ZZdZZ3"),
    ));
    all.push(("JWT in a path", get(&format!("{STS}/t/eyJ$$.eyJ$$.$$"))));
    all
}

/// The places with secrets of their own, in one encoding.
fn planted(canaries: &mut Canaries, encoding: Encoding) -> Vec<Told> {
    let mut all = Vec::new();
    for (place, told) in places() {
        let name = format!("{place} in {encoding:?}");
        let mut fill = |text: &str| {
            let mut filled = String::new();
            for (index, piece) in text.split("$$").enumerate() {
                if index > 0 {
                    filled.push_str(&encoding.of(&canaries.plant(&name, 24)));
                }
                filled.push_str(piece);
            }
            filled
        };
        all.push(told.filled(&mut fill));
    }
    all
}

/// The places in which a HAR holds text besides requests and answers.
fn plant_in_har(har: &mut Value, canaries: &mut Canaries) {
    let mut put = |place: &str| Value::String(canaries.plant(place, 24));
    har["log"]["comment"] = put("comment of the log");
    har["log"]["browser"] =
        json!({"name": "Edge", "version": "1", "comment": put("comment of the browser")});
    har["log"]["pages"] = json!([{"id": "page_1", "startedDateTime": "2030-01-15T09:00:00Z",
        "title": put("title of a page"), "comment": put("comment of a page"), "pageTimings": {}}]);
    let key = canaries.plant("key of the log", 24);
    har["log"][key] = json!(1);
    let mut put = |place: &str| Value::String(canaries.plant(place, 24));
    for entry in support::json::entries(har).iter_mut().take(3) {
        entry["comment"] = put("comment of an entry");
        entry["connection"] = put("connection of an entry");
        entry["serverIPAddress"] = put("server of an entry");
        entry["pageref"] = put("page of an entry");
        entry["_initiator"] = json!({"url": put("initiator of an entry")});
        entry["_webSocketMessages"] = json!([{"data": put("message of a socket")}]);
        entry["request"]["cookies"] =
            json!([{"name": put("name of a cookie"), "value": put("cookie")}]);
        entry["request"]["queryString"] = json!([{"name": "code", "value": put("query")}]);
        entry["request"]["comment"] = put("comment of a request");
        entry["request"]["httpVersion"] = put("version of a request");
        entry["response"]["cookies"] = json!([{"name": "x", "value": put("cookie of an answer")}]);
        entry["response"]["statusText"] = put("status text");
        entry["response"]["httpVersion"] = put("version of an answer");
        entry["response"]["content"]["comment"] = put("comment of a body");
        entry["response"]["content"]["mimeType"] = put("type of a body");
        entry["response"]["_failureText"] = put("failure text of an answer");
        entry["_failureText"] = put("failure text of an entry");
        entry["_error"] = put("error of an entry");
        entry["cache"] = json!({"afterRequest": {"eTag": put("cache")}});
        if entry["request"]["postData"].is_object() {
            entry["request"]["postData"]["params"] = json!([{"name": "passwd",
                "value": put("parameter"), "fileName": put("file name"), "contentType": "x"}]);
        }
    }
}

fn as_is(bytes: &[u8]) -> (Vec<u8>, &'static str) {
    (bytes.to_vec(), "")
}

fn packed(bytes: &[u8]) -> (Vec<u8>, &'static str) {
    (support::archive::gzip(bytes), "Content-Encoding: gzip\r\n")
}

fn in_chunks(bytes: &[u8]) -> (Vec<u8>, &'static str) {
    let mut out = Vec::new();
    for chunk in support::archive::gzip(bytes).chunks(7) {
        out.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    (out, "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")
}

#[test]
fn no_secret_of_a_har_is_shown() {
    let mut all = Vec::new();
    for encoding in Encoding::ALL {
        let mut canaries = Canaries::default();
        let told = planted(&mut canaries, encoding);
        let mut har = support::json::har(&support::exchange::story(&told));
        plant_in_har(&mut har, &mut canaries);
        let search = canaries.search();
        all.extend(leaks(&search, &run_bytes(har.to_string().into_bytes())));
        for entry in support::json::entries(&mut har) {
            let content = &mut entry["response"]["content"];
            let Some(text) = content["text"].as_str() else { continue };
            content["text"] = json!(data_encoding::BASE64.encode(text.as_bytes()));
            content["encoding"] = json!("base64");
        }
        all.extend(leaks(&search, &run_bytes(har.to_string().into_bytes())));
    }
    none(all);
}

#[test]
fn each_place_alone_shows_nothing() {
    let mut all = Vec::new();
    for encoding in [Encoding::Raw, Encoding::Percent] {
        let mut canaries = Canaries::default();
        let told = planted(&mut canaries, encoding);
        let search = canaries.search();
        for one in &told {
            let har = support::json::har(&support::exchange::story(std::slice::from_ref(one)));
            let analysis = run_bytes(har.to_string().into_bytes());
            for (name, how, text) in outputs(&analysis, false) {
                all.extend(found(&search, &name, how, &text));
            }
        }
    }
    none(all);
}

/// One exchange with a secret at `$$`, in both kinds of capture.
fn alone(told: &Told, flags: &[(&str, &str)], length: usize) -> Vec<String> {
    let mut canaries = Canaries::default();
    let secret = canaries.plant("secret", length);
    let told = told.filled(&mut |text| text.replace("$$", &secret));
    let flags: Vec<(String, String)> = flags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.replace("$$", &secret)))
        .collect();
    let search = canaries.search();
    let har = support::json::har(&support::exchange::story(std::slice::from_ref(&told)));
    let saz = support::archive::saz(&[told.session(32_400.0, &flags, as_is)]);
    let mut all = leaks(&search, &run_bytes(har.to_string().into_bytes()));
    all.extend(leaks(&search, &run_bytes(support::archive::zip(&saz, ""))));
    all
}

#[test]
fn the_name_of_an_unknown_field_is_not_shown() {
    none(alone(&get(&format!("{STS}/common/login")).asking("$$", "1").field("x-$$", "1"), &[], 24));
}

#[test]
fn a_short_token_in_a_path_is_not_shown() {
    for length in [10, 16, 19] {
        none(alone(&get("https://login.microsoftonline.com/common/magic/$$"), &[], length));
        none(alone(&get("https://portal.fabrikam.example/magic/$$"), &[], length));
    }
}

#[test]
fn a_token_with_an_ending_is_not_shown() {
    none(alone(&get("https://portal.fabrikam.example/magic/$$.html"), &[], 40));
}

#[test]
fn the_comment_of_an_archive_is_shown_only_if_fiddler_wrote_it() {
    let mut canaries = Canaries::default();
    let comment = canaries.plant("comment", 24);
    let sessions = [get(&format!("{STS}/common/login")).session(32_400.0, &[], as_is)];
    let saz = support::archive::zip(&support::archive::saz(&sessions), &comment);
    none(leaks(&canaries.search(), &run_bytes(saz)));
}

#[test]
fn a_token_is_no_word() {
    let token = "UXowNTVrUWpwbXZpdVJQSEZSMkRLRURn";
    let mut canaries = Canaries::default();
    canaries.note("error that is a token", token);
    let location = format!("https://portal.fabrikam.example/cb?error={token}");
    let told = get(&format!("{STS}/common/oauth2/v2.0/authorize?{CLIENT}"));
    let har = support::exchange::story(&[told.status(302).field("Location", &location)]);
    let analysis = run_bytes(support::json::har(&har).to_string().into_bytes());
    none(leaks(&canaries.search(), &analysis));
}

#[test]
fn a_producer_is_bounded() {
    let long = "Fiddler \u{1b}[31m\u{202e}".to_owned() + &"x".repeat(5_000);
    let mut har = support::json::har(&[]);
    har["log"]["creator"] = json!({"name": long, "version": long, "comment": long});
    let sessions = [get(&format!("{STS}/common/login")).session(32_400.0, &[], as_is)];
    let saz = support::archive::zip(&support::archive::saz(&sessions), &long);
    for bytes in [har.to_string().into_bytes(), saz] {
        for (name, _, text) in outputs(&run_bytes(bytes), false) {
            let cut = text.replace(['\n', ' '], "");
            assert!(!cut.contains(&"x".repeat(300)), "{name}: a long producer");
            assert!(!text.contains("\u{1b}[31m") && !text.contains('\u{202e}'), "{name}");
        }
    }
}

#[test]
fn no_secret_of_an_archive_is_shown() {
    let mut all = Vec::new();
    for (encoding, pack) in [
        (Encoding::Raw, as_is as fn(&[u8]) -> (Vec<u8>, &'static str)),
        (Encoding::Percent, packed),
        (Encoding::Base64, in_chunks),
        (Encoding::Json, packed),
        (Encoding::Html, in_chunks),
    ] {
        let mut canaries = Canaries::default();
        let told = planted(&mut canaries, encoding);
        let mut sessions = Vec::new();
        let mut at = 32_400.0;
        for one in &told {
            at += one.after;
            let mut flag = |name: &str| {
                (name.to_owned(), encoding.of(&canaries.plant(&format!("flag {name}"), 24)))
            };
            let flags = [
                flag("ui-comments"),
                flag("x-overridehost"),
                flag("x-clientip"),
                flag("x-hostip"),
                flag("https-client-snihostname"),
                flag("x-unknown"),
            ];
            let own = (canaries.plant("name of a flag", 24), "1".to_owned());
            sessions.push(one.session(at, &[&flags[..], &[own]].concat(), pack));
        }
        let mut members = support::archive::saz(&sessions);
        members.push(("_index.htm".into(), canaries.plant("index", 24).into_bytes()));
        members.push((canaries.plant("name of a member", 24), b"x".to_vec()));
        let search = canaries.search();
        all.extend(leaks(&search, &run_bytes(support::archive::zip(&members, ""))));
    }
    none(all);
}

/// The corpus marks every secret it was built with.
#[test]
fn the_corpus_shows_none_of_its_secrets() {
    let mut canaries = Canaries::default();
    canaries.note("secret of the corpus", "FAKESECRET");
    let secrets = canaries.search();
    let mut canaries = Canaries::default();
    canaries.note("user", "adele.vance");
    let users = canaries.search();
    let (mut all, mut named) = (Vec::new(), 0);
    for row in support::sample() {
        for (name, redaction, text) in outputs(&support::run_row(&row), false) {
            let name = format!("{name} of {}", row.path);
            all.extend(secrets.found(&name, &text));
            let shown = users.found(&name, &text);
            if redaction == Redaction::None {
                named += usize::from(!shown.is_empty());
            } else {
                all.extend(shown);
            }
        }
    }
    assert!(named > 100, "users are shown where that was asked for");
    none(all);
}

#[test]
fn a_user_is_masked_then_numbered_then_named() {
    let analysis = support::run(&[support::root().join("captures/browser/push-denied.saz")], &[]);
    for (name, redaction, text) in outputs(&analysis, false).iter().skip(1) {
        let expected = match redaction {
            Redaction::None => "adele.vance@contoso.example",
            Redaction::Secrets => "a***e@contoso.example",
            Redaction::Strict => "user-1",
        };
        assert!(text.contains(expected), "{name} lacks {expected}");
        if *redaction == Redaction::Strict {
            assert!(!text.contains("a***e"), "{name}");
        }
    }
}

/// Both streams of the program, for whole and damaged captures.
#[test]
fn the_program_shows_nothing_on_either_stream() {
    let mut canaries = Canaries::default();
    let told = planted(&mut canaries, Encoding::Raw);
    let mut har = support::json::har(&support::exchange::story(&told));
    plant_in_har(&mut har, &mut canaries);
    let har = har.to_string();
    let sessions: Vec<_> = told.iter().map(|one| one.session(32_400.0, &[], as_is)).collect();
    let saz = support::archive::zip(&support::archive::saz(&sessions), "");
    let search = canaries.search();
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    let mut cuts: Vec<Vec<u8>> = vec![har.clone().into_bytes(), saz.clone()];
    for part in 1..6 {
        cuts.push(har.as_bytes()[..har.len() * part / 6].to_vec());
        cuts.push(saz[..saz.len() * part / 6].to_vec());
    }
    // A cut right inside a secret, broken JSON around one, and what only resembles a capture.
    let inside = har.find("passwd=").unwrap() + 15;
    cuts.push(har.as_bytes()[..inside].to_vec());
    cuts.push(har.replace("\"headers\":[", "\"headers\":[}").into_bytes());
    cuts.push(har.replace("\"entries\"", "\"entires\"").into_bytes());
    cuts.push(har.replace(",\"request\":", ",request:").into_bytes());
    cuts.push(har.as_bytes()[inside..].to_vec());
    for (index, bytes) in cuts.iter().enumerate() {
        let path = folder.path().join(format!("{index}.bin"));
        std::fs::write(&path, bytes).unwrap();
        for args in [
            &["-v"][..],
            &["--format", "json", "--evidence", "-v"],
            &["--format", "csv", "-v"],
            &["--format", "sarif", "-v"],
            &["--format", "ndjson", "--lines", "findings"],
            &["-q"],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
                .arg(&path)
                .args(args)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{index}: {output:?}");
            for stream in [output.stdout, output.stderr] {
                let name = format!("program {args:?} on damage {index}");
                let text = String::from_utf8_lossy(&stream);
                all.extend(found(&search, &name, Redaction::Secrets, &text));
            }
        }
    }
    none(all);
}

/// A panic while a secret is at hand: the program's own set-up, in a process of its own.
#[test]
fn no_secret_of_a_panic_is_shown() {
    const CHILD: &str = "MFATRACE_PRIVACY_CHILD";
    if let Ok(secret) = std::env::var(CHILD) {
        // The arguments are those of the test, which the program refuses: it is set up, and no more.
        let _ = mfatrace::cli::run();
        panic!("while reading {secret}");
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_secret_of_a_panic_is_shown", "--nocapture"])
        .env(CHILD, "kX7pQ2vWc9")
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{output:?}");
    for stream in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(stream).contains("kX7pQ2vWc9"), "{output:?}");
    }
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage"), "{output:?}");
}
