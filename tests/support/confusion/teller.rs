//! One sign-in as a timeline: what was asked, what was answered, what went wrong on the way.

use crate::support::random::Random;

/// What keeps a request from its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A large request never gets through, a small one does.
    BlackHole,
    /// An extension of the browser.
    BlockedByClient,
    /// The page, or the user, gave it up.
    Cancelled,
    /// The connection was closed while the answer was waited for.
    Closed,
    /// The policy of the page itself.
    ContentPolicy,
    /// A router says that it is prohibited.
    IcmpProhibited,
    /// The host gets a certificate of the client that does not come, and ends the handshake.
    NoClientCertificate,
    NameRefused,
    /// The name server failed.
    NameServerFailed,
    NameUnknown,
    NameUnanswered,
    /// The client changed its network.
    NetworkChanged,
    Offline,
    /// A proxy refused the tunnel with a status, and a page.
    Proxy(u16),
    Refused,
    Reset,
    ResetAfterHello,
    /// The name leads to an address where nothing is.
    Sinkhole(&'static str),
    /// Nothing came, in so many seconds.
    Silent,
    Unanswered,
    /// A certificate that the client does not trust; who issued it.
    Untrusted(&'static str),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answer(u16),
    Fault(Fault),
    /// The capture holds no end.
    None,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Seconds since the story began.
    pub(crate) at: f64,
    pub(crate) took: f64,
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) sent: Vec<(String, String)>,
    pub(crate) form: Option<(&'static str, String)>,
    pub(crate) end: End,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Option<(&'static str, String)>,
    /// The sign-in service wrote the answer.
    pub(crate) is_service: bool,
    /// A page that the browser leaves at once: its body is often not kept.
    pub(crate) is_fleeting: bool,
    /// What the browser does for a page, not a page.
    pub(crate) is_part: bool,
    /// Another program than the browser.
    pub(crate) process: Option<&'static str>,
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json; charset=utf-8";
pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const SCRIPT: &str = "application/x-javascript";

fn item(method: &'static str, url: impl Into<String>) -> Item {
    Item {
        at: 0.0,
        took: 0.0,
        method,
        url: url.into(),
        sent: Vec::new(),
        form: None,
        end: End::Answer(200),
        fields: Vec::new(),
        body: None,
        is_service: false,
        is_fleeting: false,
        is_part: false,
        process: None,
    }
}

pub(crate) fn get(url: impl Into<String>) -> Item {
    item("GET", url)
}

pub(crate) fn post(url: impl Into<String>, form: impl Into<String>) -> Item {
    let mut post = item("POST", url);
    post.form = Some((FORM, form.into()));
    post
}

pub(crate) fn post_json(url: impl Into<String>, body: impl Into<String>) -> Item {
    let mut post = item("POST", url);
    post.form = Some(("application/json; charset=UTF-8", body.into()));
    post
}

impl Item {
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.end = End::Answer(status);
        self
    }

    pub(crate) fn fails(mut self, fault: Fault) -> Self {
        self.end = End::Fault(fault);
        self
    }

    pub(crate) fn took(mut self, seconds: f64) -> Self {
        self.took = seconds;
        self
    }

    pub(crate) fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn asks(mut self, name: &str, value: impl Into<String>) -> Self {
        self.sent.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, kind: &'static str, body: impl Into<String>) -> Self {
        self.body = Some((kind, body.into()));
        self
    }

    pub(crate) fn html(self, body: impl Into<String>) -> Self {
        self.body(HTML, body)
    }

    pub(crate) fn json(self, body: &serde_json::Value) -> Self {
        self.body(JSON, body.to_string())
    }

    pub(crate) fn goes(self, status: u16, location: impl Into<String>) -> Self {
        let location = location.into();
        let body = format!(
            "<html><head><title>Object moved</title></head><body>\r\n<h2>Object moved to <a href=\"{}\">here</a>.</h2>\r\n</body></html>\r\n",
            location.replace('&', "&amp;")
        );
        self.status(status).field("Location", location).html(body)
    }

    pub(crate) fn service(mut self) -> Self {
        self.is_service = true;
        self
    }

    pub(crate) fn fleeting(mut self) -> Self {
        self.is_fleeting = true;
        self
    }

    pub(crate) fn part(mut self) -> Self {
        self.is_part = true;
        self
    }

    pub(crate) fn host(&self) -> &str {
        let rest = self.url.split("://").nth(1).unwrap_or_default();
        rest.split(['/', '?', '#', ':']).next().unwrap_or_default()
    }

    pub(crate) fn is_clear(&self) -> bool {
        self.url.starts_with("http://")
    }

    /// Path, query; no fragment.
    pub(crate) fn target(&self) -> String {
        let rest = self.url.split("://").nth(1).unwrap_or_default();
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        format!("/{}", path.split('#').next().unwrap_or_default())
    }

    pub(crate) const fn status_or_zero(&self) -> u16 {
        match &self.end {
            End::Answer(status) => *status,
            _ => 0,
        }
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        match &self.end {
            End::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether it never left the client.
    pub(crate) const fn is_inside(&self) -> bool {
        matches!(
            self.end,
            End::Fault(Fault::BlockedByClient | Fault::ContentPolicy | Fault::Offline)
        )
    }
}

/// What only packets show.
#[derive(Clone, Debug)]
pub(crate) enum Extra {
    /// IPv6 is offered and answers nothing.
    DeadSix,
    /// The proxy asks for credentials first, each time.
    ProxyAsks,
    /// QUIC is tried in vain before TCP.
    Quic,
    /// A tunnel that hides all else: port of it, from when on, seconds.
    Tunnel(u16, f64, f64),
}

/// Tells one story.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) random: Random,
    pub(crate) now: f64,
    pub(crate) items: Vec<Item>,
    pub(crate) extras: Vec<Extra>,
    /// The item that decides, and the first that a capture holds that begins late.
    pub(crate) decides: Option<usize>,
    pub(crate) late: Option<usize>,
    pub(crate) login: &'static str,
    pub(crate) roots: [&'static str; 2],
    pub(crate) tenant: String,
    pub(crate) company: &'static str,
    pub(crate) domain: &'static str,
    pub(crate) app: String,
    pub(crate) app_path: &'static str,
    pub(crate) client: String,
    pub(crate) user: String,
    pub(crate) correlation: String,
    pub(crate) language: usize,
    pub(crate) state: String,
    pub(crate) agent: &'static str,
    pub(crate) process: Option<&'static str>,
}

const COMPANIES: [(&str, &str); 6] = [
    ("Fabrikam", "fabrikam.example"),
    ("Adatum Werke", "adatum.example"),
    ("Northwind Traders", "northwind.example"),
    ("Wingtip Jouets", "wingtip.example"),
    ("Tailspin", "tailspin.example"),
    ("Litware Health", "litware.example"),
];
const PEOPLE: [&str; 6] = ["mona.berg", "j.ito", "sam", "lucia.romano", "k_okafor", "p.dubois2"];
const APPS: [(&str, &str); 5] = [
    ("portal", "/signin-oidc"),
    ("crm", "/auth/callback"),
    ("hr-selfservice", "/.auth/login/aad/callback"),
    ("expenses.apps", "/login/azure"),
    ("wiki", "/oauth2/idresponse"),
];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
];

impl Teller {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (company, domain) = COMPANIES[random.below(6)];
        let (app, app_path) = APPS[random.below(5)];
        let mut teller = Self {
            now: 0.4,
            items: Vec::new(),
            extras: Vec::new(),
            decides: None,
            late: None,
            login: "login.microsoftonline.com",
            roots: if random.below(2) == 0 {
                ["aadcdn.msauth.net", "aadcdn.msftauth.net"]
            } else {
                ["aadcdn.msftauth.net", "aadcdn.msauth.net"]
            },
            tenant: String::new(),
            company,
            domain,
            app: format!("{app}.{domain}"),
            app_path,
            client: String::new(),
            user: format!("{}@{domain}", PEOPLE[random.below(6)]),
            correlation: String::new(),
            language: random.below(4),
            state: String::new(),
            agent: AGENTS[random.below(3)],
            process: None,
            random,
        };
        teller.tenant = teller.guid();
        teller.client = teller.guid();
        teller.correlation = teller.guid();
        teller.state = teller.secret(40);
        teller
    }

    pub(crate) fn guid(&mut self) -> String {
        let mut part = |digits: usize| {
            let hex = format!("{:08x}", self.random.number());
            hex[8 - digits..].to_owned()
        };
        format!("{}-{}-4{}-a{}-{}{}", part(8), part(4), part(3), part(3), part(8), part(4))
    }

    /// Something that has to stay secret.
    pub(crate) fn secret(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let rest = (0..length).map(|_| char::from(LETTERS[self.random.below(64)]));
        format!("FAKESECRET{}", rest.collect::<String>())
    }

    /// A number between two.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.random.number()) / 4_294_967_296.0
    }

    pub(crate) fn wait(&mut self, seconds: f64) {
        let part = self.between(0.9, 1.15);
        self.now += seconds * part;
    }

    /// The next item decides.
    pub(crate) fn decides(&mut self) {
        self.decides = Some(self.items.len());
    }

    /// A capture that begins late begins here.
    pub(crate) fn late(&mut self) {
        self.late = Some(self.items.len());
    }

    /// Adds what happens now, and goes on when it is over.
    pub(crate) fn put(&mut self, item: Item) {
        let item = self.dressed(item);
        self.now += item.took + 0.012;
        self.items.push(item);
    }

    /// Adds what happens beside what follows.
    pub(crate) fn beside(&mut self, item: Item) {
        let item = self.dressed(item);
        self.now += 0.004;
        self.items.push(item);
    }

    fn dressed(&mut self, mut item: Item) -> Item {
        item.at = self.now;
        if item.took == 0.0 {
            item.took = self.between(0.05, 0.32);
        }
        item.process = item.process.or(self.process);
        let agent = if item.process.is_some() { "Microsoft Office/16.0" } else { self.agent };
        item.sent.insert(self.random.below(item.sent.len() + 1), field("User-Agent", agent));
        if item.process.is_none() {
            let accept =
                if item.is_part { "*/*" } else { "text/html,application/xhtml+xml,*/*;q=0.8" };
            item.sent.push(field("Accept", accept));
            item.sent.push(field(
                "Accept-Language",
                ["en-US,en;q=0.9", "de-DE,de;q=0.9", "fr-FR", "ja,en;q=0.7"][self.language],
            ));
            let cookie = format!("esctx={}; fpc={}", self.secret(30), self.secret(20));
            item.sent.push(field("Cookie", &cookie));
        }
        if matches!(item.end, End::Answer(_)) {
            let clock = clock(item.at + item.took);
            item.fields.push(("Date".to_owned(), format!("Tue, 10 Mar 2026 {clock} GMT")));
            item.fields.push(field(
                "Cache-Control",
                if item.is_part { "max-age=31536000" } else { "no-store, no-cache" },
            ));
        }
        if item.is_service && matches!(item.end, End::Answer(_)) {
            let id = self.guid();
            let centre = ["WEULR1", "NEULR1", "EUS", "SEASLR1"][self.random.below(4)];
            item.fields.push(field("x-ms-request-id", &id));
            item.fields.push(field(
                "x-ms-ests-server",
                &format!("2.1.2{}.6 - {centre} ProdSlices", self.random.below(9999)),
            ));
            item.fields.push(field("x-ms-srs", "1.P"));
            item.fields
                .push(field("Strict-Transport-Security", "max-age=31536000; includeSubDomains"));
            let cookie = format!(
                "fpc={}; expires=Thu, 09-Apr-2026 08:00:00 GMT; path=/; secure; HttpOnly; SameSite=None",
                self.secret(22)
            );
            item.fields.push(field("Set-Cookie", &cookie));
            item.fields
                .push(field("Set-Cookie", "x-ms-gateway-slice=estsfd; path=/; secure; httponly"));
            let place = self.random.below(item.fields.len());
            item.fields.rotate_left(place);
        }
        item
    }

    /// The address of the sign-in service with a path.
    pub(crate) fn sts(&self, path: &str) -> String {
        format!("https://{}{path}", self.login)
    }
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The time of day at some seconds of a story, which begins at 08:14:05.
pub(crate) fn clock(seconds: f64) -> String {
    let whole = START + seconds.max(0.0) as u64;
    format!("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

/// The same with milliseconds, as in a HAR.
pub(crate) fn stamp(seconds: f64, digits: usize) -> String {
    let part = (seconds.max(0.0).fract() * 10_000_000.0) as u64;
    let part = format!("{part:07}");
    format!("2026-03-10T{}.{}", clock(seconds), &part[..digits])
}

/// Seconds between midnight and the start of a story.
pub(crate) const START: u64 = 8 * 3600 + 14 * 60 + 5;
/// 2026-03-10T08:14:05Z in microseconds since 1970.
pub(crate) const EPOCH: u64 = 1_773_130_445_000_000;
