//! Requests and their statuses as tshark reads them with the keys.
//!
//! HTTP/1 answers belong to the requests of their TCP stream in order, HTTP/2 answers to those of their stream id.
//! Knows nothing of how the program works: a request here is a method, a host, a path and a status.
#![allow(clippy::indexing_slicing, reason = "test support")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A request. A host that no header names is the address of the server. A status that tshark does not show, of an
/// answer whose length only the end of the connection tells, agrees with everything.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    host: String,
    path: String,
    status: Option<u64>,
    /// The TCP stream; tshark counts tunnels that it opens as further ones, a HAR knows none.
    pub(crate) stream: Option<String>,
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {:?}", self.method, self.host, self.path, self.status)
    }
}

/// A host without its port.
fn bare(host: &str) -> String {
    let end = host.rfind(':').filter(|at| !host.get(*at..).is_some_and(|port| port.contains(']')));
    host.get(..end.unwrap_or(host.len())).unwrap_or_default().to_lowercase()
}

impl Request {
    /// An exchange of a JSON report.
    pub(crate) fn of_exchange(exchange: &Value) -> Self {
        let url = exchange["url"].as_str().unwrap_or_default();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        Self {
            method: exchange["method"].as_str().unwrap_or_default().to_owned(),
            host: bare(host),
            path: path.to_owned(),
            status: exchange["status"].as_u64(),
            stream: exchange["refs"][0]["stream"].as_u64().map(|number| number.to_string()),
        }
    }

    /// As a URL without query.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    pub(crate) const fn is_unanswered(&self) -> bool {
        self.status.is_none()
    }

    /// Whether a told request is this one of tshark's.
    pub(crate) fn agrees(&self, theirs: &Self) -> bool {
        self.method == theirs.method
            && self.host == theirs.host
            && fits(&self.path, &theirs.path)
            && theirs.status.is_none_or(|status| Some(status) == self.status)
    }
}

/// Whether a path is told as it is, or shortened: `...` for what may name someone, `*` for a file's name.
fn fits(told: &str, path: &str) -> bool {
    let told = told.replace("/*.", ".").replace("{opaque}", "...").replace("{user}", "...");
    let Some((first, rest)) = told.split_once("...") else { return told == path };
    let last = rest.rsplit("...").next().unwrap_or_default();
    path.len() >= first.len() + last.len() && path.starts_with(first) && path.ends_with(last)
}

/// A value that tshark writes once or as a list.
fn each<'a>(value: &'a Value) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match value {
        Value::Array(all) => Box::new(all.iter().flat_map(each)),
        Value::Null => Box::new(std::iter::empty()),
        one => Box::new(std::iter::once(one)),
    }
}

fn first(value: &Value) -> Option<&str> {
    each(value).next().and_then(Value::as_str)
}

/// The first value under a key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    match value {
        Value::Object(all) => {
            all.get(key).and_then(first).or_else(|| all.values().find_map(|one| find(one, key)))
        }
        Value::Array(all) => all.iter().find_map(|one| find(one, key)),
        _ => None,
    }
}

/// The address that the innermost header of a frame names as its destination, as a URL writes it.
fn server(layers: &Value) -> String {
    let last = |layer: &str, key: &str| {
        let all: Vec<&Value> = each(&layers[layer]).collect();
        all.last().and_then(|layer| first(&layer[key])).map(str::to_owned)
    };
    let v6 = || last("ipv6", "ipv6.dst").map(|address| format!("[{address}]"));
    last("ip", "ip.dst").or_else(v6).unwrap_or_default()
}

/// Requests and statuses of connections, gathered frame by frame.
#[derive(Default)]
struct Gathered {
    found: Vec<Request>,
    /// Requests of HTTP/1 that wait, by TCP stream.
    waiting: BTreeMap<String, std::collections::VecDeque<usize>>,
    /// Requests of HTTP/2, by TCP stream and stream id.
    streams: BTreeMap<(String, String), usize>,
}

impl Gathered {
    fn http1(&mut self, tcp: &str, server: &str, layer: &Value) {
        if let Some(method) = find(layer, "http.request.method") {
            let uri = find(layer, "http.request.uri").unwrap_or_default();
            if method == "CONNECT" {
                return;
            }
            let host = find(layer, "http.host").map_or(server.to_owned(), bare);
            self.waiting.entry(tcp.to_owned()).or_default().push_back(self.found.len());
            self.add(tcp, method, host, uri);
        } else if let Some(status) = find(layer, "http.response.code") {
            let status: Option<u64> = status.parse().ok().filter(|code| *code >= 200);
            let waits = self.waiting.entry(tcp.to_owned()).or_default();
            let at = status.and_then(|_| waits.pop_front());
            if let Some(request) = at.and_then(|at| self.found.get_mut(at)) {
                request.status = status;
            }
        }
    }

    fn http2(&mut self, tcp: &str, server: &str, stream: &Value) {
        let (Some(id), true) =
            (first(&stream["http2.streamid"]), !stream["http2.header"].is_null())
        else {
            return;
        };
        let key = (tcp.to_owned(), id.to_owned());
        let header = |name: &str| find(&stream["http2.header"], name);
        if let Some(method) = header("http2.headers.method") {
            let host = header("http2.headers.authority").map_or(server.to_owned(), bare);
            self.streams.insert(key, self.found.len());
            let path = header("http2.headers.path").unwrap_or_default();
            self.add(tcp, method, host, path);
        } else if let Some(status) = header("http2.headers.status").and_then(|one| one.parse().ok())
        {
            let request = self.streams.get(&key).and_then(|at| self.found.get_mut(*at));
            if let Some(request) = request.filter(|_| status >= 200) {
                request.status.get_or_insert(status);
            }
        }
    }

    fn add(&mut self, tcp: &str, method: &str, host: String, uri: &str) {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        let path = if path.is_empty() { "/" } else { path };
        self.found.push(Request {
            method: method.to_owned(),
            host,
            path: path.to_owned(),
            status: None,
            stream: Some(tcp.to_owned()),
        });
    }
}

/// The key logs in the decryption secrets blocks of a pcapng; a packed one is not looked into.
pub(crate) fn secrets(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let mut found = Vec::new();
    if !bytes.starts_with(&[0x0A, 0x0D, 0x0D, 0x0A]) {
        return found;
    }
    for at in memchr::memmem::find_iter(&bytes, b"KSLT") {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?;
            four.try_into().ok().map(u32::from_le_bytes)
        };
        if at < 8 || number(at - 8) != Some(0x0A) {
            continue;
        }
        let length = number(at + 4).and_then(|length| usize::try_from(length).ok());
        let keys = length.and_then(|length| bytes.get(at + 8..at + 8 + length));
        found.extend_from_slice(keys.unwrap_or_default());
        found.push(b'\n');
    }
    found
}

/// What tshark reads; `None` where it is not installed.
pub(crate) fn of_tshark(path: &Path, keylog: Option<&Path>) -> Option<Vec<Request>> {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("keys");
    // Secrets behind the packets are too late for tshark, even with two passes.
    std::fs::write(&inside, secrets(path)).unwrap();
    let keylog = keylog.unwrap_or(&inside);
    let mut command = Command::new("tshark");
    command.args(["-n", "-2", "-T", "json", "--no-duplicate-keys", "-J", "ip ipv6 tcp http http2"]);
    command.args(["-Y", "http.request or http.response or http2.headers", "-r"]).arg(path);
    command.arg("-o").arg(format!("tls.keylog_file:{}", keylog.display()));
    let Ok(output) = command.output() else {
        assert!(std::env::var_os("MFATRACE_REQUIRE").is_none(), "tshark is not installed");
        return None;
    };
    let frames: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut gathered = Gathered::default();
    for frame in each(&frames) {
        let layers = &frame["_source"]["layers"];
        let Some(tcp) = each(&layers["tcp"]).last().and_then(|tcp| first(&tcp["tcp.stream"]))
        else {
            continue;
        };
        let server = server(layers);
        for layer in each(&layers["http"]) {
            gathered.http1(tcp, &server, layer);
        }
        for layer in each(&layers["http2"]) {
            for stream in each(&layer["http2.stream"]) {
                gathered.http2(tcp, &server, stream);
            }
        }
    }
    Some(gathered.found)
}
