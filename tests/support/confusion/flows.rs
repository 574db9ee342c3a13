//! The usual parts of a sign-in: how a browser and the service speak when nothing goes wrong.

use serde_json::{Value, json};

use super::pages;
use super::teller::{Item, SCRIPT, Teller, get, post, post_json};

/// The body of a script.
const CODE: &str = "/*! Copyright (C) Microsoft Corporation */!function(e){function t(n){return e[n]}var r={};window.$Do&&window.$Do.register(\"ServerData\",r)}([function(e,t){e.exports=1}]);";

impl Teller {
    /// The application sends the browser to sign in; the answer of the service follows.
    pub(crate) fn from_app(&mut self) {
        let location = self.authorize_url("");
        let app = self.app.clone();
        self.put(get(format!("https://{app}/")).goes(302, location));
    }

    /// The address of an authorization request.
    pub(crate) fn authorize_url(&mut self, more: &str) -> String {
        let nonce = self.guid();
        format!(
            "https://{}/{}/oauth2/v2.0/authorize?client_id={}&redirect_uri={}&response_type=code+id_token&scope=openid+profile+offline_access&response_mode=form_post&nonce={nonce}&client-request-id={}&x-client-SKU=MSAL.Desktop&state={}{more}",
            self.login,
            self.tenant,
            self.client,
            pages::percent(&format!("https://{}{}", self.app, self.app_path)),
            self.correlation,
            self.state
        )
    }

    /// The first page of a sign-in, and what it loads.
    pub(crate) fn sign_in_page(&mut self) {
        let url = self.authorize_url("");
        self.first_page(get(url));
        self.page_parts("ConvergedSignIn");
    }

    pub(crate) fn first_page(&mut self, request: Item) {
        let body = pages::page(
            self,
            "ConvergedSignIn",
            &json!({"sErrorCode": "50058", "arrValErrs": ["50058"], "fUseSameSite": true}),
        );
        self.put(request.html(body).service());
    }

    /// Scripts, styles, pictures, and what a page does beside.
    pub(crate) fn page_parts(&mut self, page: &str) {
        self.page_style();
        self.page_script(page);
        self.page_rest();
    }

    pub(crate) fn page_style(&mut self) {
        let root = self.roots[0];
        self.beside(get(format!("https://{root}/ests/2.1/content/cdnbundles/converged.v2.login.min_81imvbluez-v5hbzpkxfcg2.css")).body("text/css", "html{font-family:sans-serif}body{margin:0}").part());
    }

    pub(crate) fn script(&self, root: usize, page: &str) -> Item {
        get(format!("https://{}{}", self.roots[root], pages::script(page)))
            .body(SCRIPT, CODE)
            .asks("Origin", format!("https://{}", self.login))
            .field("Access-Control-Allow-Origin", "*")
            .part()
    }

    pub(crate) fn page_script(&mut self, page: &str) {
        let script = self.script(0, page);
        self.put(script);
    }

    pub(crate) fn page_rest(&mut self) {
        let user = self.user.clone();
        if self.random.below(2) == 0 {
            self.beside(get("https://login.live.com/Me.htm?v=3").html("<!DOCTYPE html><html><body><script>window.parent.postMessage('{}','*')</script></body></html>").part());
        }
        if self.random.below(2) == 0 {
            self.beside(get("https://aadcdn.msauthimages.net/dbd5a2dd-n2kxueriy-dm8fhyf0anvulmvhi3kdbkkxqluuekyfc/logintenantbranding/0/illustration?ts=637").body("image/jpeg", "JFIF").part());
        }
        if self.random.below(3) == 0 {
            self.beside(post_json("https://browser.events.data.microsoft.com/OneCollector/1.0/?cors=true&content-type=application/x-json-stream", "{\"name\":\"Ms.Web.PageView\"}").json(&json!({"acc": 1})).part());
        }
        if user.starts_with('s') {
            let url = self.sts("/common/instrumentation/reportpageload?mkt=en-US");
            self.beside(
                post_json(url, "{\"pageId\":1104}")
                    .json(&json!({"apiCanary": "x"}))
                    .service()
                    .part(),
            );
        }
    }

    /// The user names who they are.
    pub(crate) fn names(&mut self, federation: Option<String>) {
        self.wait(4.0);
        let (flow, user) = (self.secret(120), self.user.clone());
        let mut credentials = json!({"PrefCredential": 1, "HasPassword": true, "RemoteNgcParams": null, "FidoParams": null, "SasParams": null, "CertAuthParams": null});
        let kind = if federation.is_some() { 4 } else { 3 };
        if let Some(url) = federation {
            credentials["PrefCredential"] = json!(4);
            credentials["FederationRedirectUrl"] = json!(url);
        }
        let body = json!({"Username": user, "Display": user, "IfExistsResult": 0, "IsUnmanaged": false, "ThrottleStatus": 0, "Credentials": credentials,
            "EstsProperties": {"DomainType": kind, "UserTenantBranding": null}, "IsSignupDisallowed": true, "FlowToken": flow, "apiCanary": flow});
        let asked = json!({"username": user, "isOtherIdpSupported": true, "checkPhones": false, "isRemoteNGCSupported": true, "isFidoSupported": true, "originalRequest": flow, "flowToken": flow});
        let url = self.sts("/common/GetCredentialType?mkt=en-US");
        self.put(post_json(url, asked.to_string()).json(&body).service().part());
    }

    /// The password is sent; the answer is for the caller.
    pub(crate) fn password_post(&mut self) -> Item {
        self.wait(6.0);
        let form = pages::form(&[
            ("i13", "0".to_owned()),
            ("login", self.user.clone()),
            ("loginfmt", self.user.clone()),
            ("type", "11".to_owned()),
            ("LoginOptions", "3".to_owned()),
            ("passwd", self.secret(8)),
            ("ps", "2".to_owned()),
            ("canary", self.secret(40)),
            ("ctx", self.secret(100)),
            ("hpgrequestid", self.guid()),
            ("flowToken", self.secret(160)),
        ]);
        post(self.sts("/common/login"), form).service()
    }

    /// From the application to the challenge.
    pub(crate) fn to_challenge(&mut self, methods: &[&str]) {
        self.from_app();
        self.sign_in_page();
        self.names(None);
        self.challenged(methods);
    }

    /// A password, and a challenge for it.
    pub(crate) fn challenged(&mut self, methods: &[&str]) {
        let item = self.password_post();
        self.challenge_in(item, methods, &Value::Null);
        self.page_script("ConvergedTFA");
        self.late();
        self.wait(1.5);
    }

    pub(crate) fn challenge_in(&mut self, item: Item, methods: &[&str], more: &Value) {
        let body = pages::challenge(self, methods, more);
        self.put(item.html(body).service());
    }

    /// The request that begins a method.
    pub(crate) fn begin_post(&mut self, method: &str) -> Item {
        let asked = json!({"AuthMethodId": method, "Method": "BeginAuth", "ctx": self.secret(100), "flowToken": self.secret(160)});
        let id = self.guid();
        let (url, correlation) = (self.sts("/common/SAS/BeginAuth"), self.correlation.clone());
        post_json(url, asked.to_string())
            .asks("hpgid", "1114")
            .asks("hpgact", "2202")
            .asks("hpgrequestid", id)
            .asks("client-request-id", correlation)
            .service()
            .part()
    }

    /// A method begins; the session comes back.
    pub(crate) fn begins(&mut self, method: &str) -> String {
        self.begins_with(
            method,
            "Success",
            &json!({"Entropy": if method == "PhoneAppNotification" { 37 } else { 0 }}),
        )
    }

    pub(crate) fn begins_with(&mut self, method: &str, result: &str, more: &Value) -> String {
        let session = self.guid();
        let item = self.begin_post(method);
        let body = pages::sas(self, method, &session, result, more);
        self.put(item.json(&body).took(0.6));
        session
    }

    /// A poll, before its answer.
    pub(crate) fn poll_get(&mut self, method: &str, session: &str, count: u32) -> Item {
        let begun = super::teller::EPOCH / 1000 + (self.now * 1000.0) as u64;
        let url = self.sts(&format!("/common/SAS/EndAuth?authMethodId={method}&pollCount={count}&lastPollStart={begun}&lastPollEnd={}", begun + 120));
        let (flow, context) = (self.secret(160), self.secret(100));
        get(url)
            .asks("x-ms-sessionId", session)
            .asks("x-ms-flowToken", flow)
            .asks("x-ms-ctx", context)
            .asks("client-request-id", self.correlation.clone())
            .service()
            .part()
    }

    pub(crate) fn poll(&mut self, method: &str, session: &str, count: u32, result: &str) {
        let item = self.poll_get(method, session, count);
        let body = pages::sas(self, method, session, result, &Value::Null);
        self.put(item.json(&body));
    }

    /// So many polls while nothing happens.
    pub(crate) fn pends(&mut self, method: &str, session: &str, from: u32, times: u32, every: f64) {
        for count in from..from + times {
            self.wait(every);
            self.poll(method, session, count, "AuthenticationPending");
        }
        self.wait(every);
    }

    /// A method that is polled, to its final answer.
    pub(crate) fn polled(&mut self, method: &str, times: u32, every: f64, result: &str) {
        let session = self.begins(method);
        self.pends(method, &session, 1, times, every);
        self.decides();
        self.poll(method, &session, times + 1, result);
    }

    /// A code is typed and answered.
    pub(crate) fn code(
        &mut self,
        method: &str,
        session: &str,
        count: u32,
        result: &str,
        may_again: bool,
    ) {
        self.wait(11.0);
        let asked = json!({"AdditionalAuthData": "482913", "AuthMethodId": method, "SessionId": session, "FlowToken": self.secret(160), "Ctx": self.secret(100), "Method": "EndAuth", "PollCount": count});
        let url = self.sts("/common/SAS/EndAuth");
        let body = pages::sas(self, method, session, result, &json!({"Retry": may_again}));
        self.put(post_json(url, asked.to_string()).json(&body).service().part().took(0.7));
    }

    /// The result is handed in; the answer is for the caller.
    pub(crate) fn finish_post(&mut self, method: &str) -> Item {
        self.wait(0.3);
        let now = super::teller::EPOCH / 1000 + (self.now * 1000.0) as u64;
        let form = pages::form(&[
            ("type", "22".to_owned()),
            ("request", self.secret(120)),
            ("mfaLastPollStart", (now - 400).to_string()),
            ("mfaLastPollEnd", (now - 200).to_string()),
            ("mfaAuthMethod", method.to_owned()),
            ("login", self.user.clone()),
            ("flowToken", self.secret(160)),
            ("hpgrequestid", self.guid()),
            ("sacxt", String::new()),
            ("canary", self.secret(40)),
        ]);
        post(self.sts("/common/SAS/ProcessAuth"), form).service()
    }

    /// The result is handed in, the user may stay signed in or not, the application gets its code.
    pub(crate) fn finishes(&mut self, method: &str) {
        let item = self.finish_post(method);
        self.kept_and_returned(item);
    }

    /// The answer is the question whether to stay signed in, or the way back.
    pub(crate) fn kept_and_returned(&mut self, item: Item) {
        if self.random.below(3) == 0 {
            self.returns(item);
            return;
        }
        let body = pages::page(
            self,
            "KmsiInterrupt",
            &json!({"sErrorCode": "50140", "arrValErrs": ["50140"], "urlPost": "/kmsi", "iKMSIEnabled": 1, "sPOST_Username": self.user}),
        );
        self.put(item.html(body));
        self.wait(2.5);
        let form = pages::form(&[
            ("LoginOptions", "1".to_owned()),
            ("type", "28".to_owned()),
            ("ctx", self.secret(90)),
            ("flowToken", self.secret(120)),
            ("canary", self.secret(30)),
        ]);
        let item = post(self.sts("/kmsi"), form).service();
        self.returns(item);
    }

    /// A form that brings a code to the application, which takes it.
    pub(crate) fn returns(&mut self, item: Item) {
        let app = format!("https://{}{}", self.app, self.app_path);
        let fields = [
            ("code", self.secret(180)),
            ("id_token", self.secret(220)),
            ("state", self.state.clone()),
            ("session_state", self.guid()),
        ];
        let session = self.secret(160);
        self.put(
            item.html(pages::hidden_form(&app, &fields))
                .field(
                    "Set-Cookie",
                    format!(
                        "ESTSAUTHPERSISTENT={session}; domain=.{}; path=/; secure; HttpOnly",
                        self.login
                    ),
                )
                .fleeting(),
        );
        self.taken(&app, &fields);
    }

    pub(crate) fn taken(&mut self, app: &str, fields: &[(&str, String)]) {
        self.wait(0.1);
        let origin = format!("https://{}", self.login);
        let home = format!("https://{}/", self.app);
        self.put(post(app, pages::form(fields)).asks("Origin", origin).goes(302, home.clone()));
        self.put(get(home).html(
            "<!DOCTYPE html><html><head><title>Home</title></head><body>Welcome</body></html>",
        ));
    }

    /// The user does something else: the same client is seen later.
    pub(crate) fn elsewhere(&mut self, after: f64) {
        self.wait(after);
        self.put(get("https://www.woodgrove.example/news").html("<!DOCTYPE html><html><head><title>News</title></head><body>News of the day</body></html>"));
        self.beside(
            get("https://static.woodgrove.example/site.css").body("text/css", "p{margin:0}").part(),
        );
    }

    /// A request of a program for tokens.
    pub(crate) fn token_post(&mut self, grant: &str, more: &[(&str, String)]) -> Item {
        let mut fields = vec![
            ("client_id", self.client.clone()),
            ("grant_type", grant.to_owned()),
            ("scope", "https://graph.microsoft.com/.default".to_owned()),
        ];
        fields.extend(more.iter().cloned());
        let url = self.sts(&format!("/{}/oauth2/v2.0/token", self.tenant));
        post(url, pages::form(&fields))
            .asks("client-request-id", self.correlation.clone())
            .asks("x-client-SKU", "MSAL.NetCore")
            .service()
            .part()
    }

    /// A silent request in a hidden frame, answered with an error in the fragment.
    pub(crate) fn silent(&mut self, code: u32) {
        let error = match code {
            50058 => "login_required",
            65001 => "consent_required",
            _ => "interaction_required",
        };
        let url = format!(
            "{}&prompt=none",
            self.authorize_url("")
                .replace("response_mode=form_post", "response_mode=fragment")
                .replace("code+id_token", "code")
        );
        let said = pages::percent(&pages::line(self, code, "\r\n"));
        let to = format!(
            "https://{}{}#error={error}&error_description={said}&error_uri=https%3a%2f%2f{}%2ferror%3fcode%3d{code}&state={}",
            self.app, self.app_path, self.login, self.state
        );
        self.put(get(url).goes(302, to).service());
        self.put(
            get(format!("https://{}{}", self.app, self.app_path))
                .html("<!DOCTYPE html><html><head><title>auth</title></head></html>"),
        );
    }
}
