//! The server as a process, and a client of few lines that checks every answer against the description.
#![allow(dead_code, clippy::indexing_slicing, reason = "each test uses what it needs")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mfatrace::web::OPENAPI;
use serde_json::Value;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mfatrace"))
            .arg("serve")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let rest = line.trim().strip_prefix("http://").unwrap();
        let (address, token) = rest.split_once("/?token=").unwrap();
        Self { child, address: address.to_owned(), token: token.to_owned() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/?token={}", self.address, self.token)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    /// A request with the token.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(fields);
        self.send(method, path, &all, body)
    }

    /// A request; `host` and `content-length` are added unless they are given.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !fields.iter().any(|(name, _)| *name == "host") {
            write!(head, "host: {}\r\n", self.address).unwrap();
        }
        for (name, value) in fields {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if method == "POST" && !fields.iter().any(|(name, _)| *name == "transfer-encoding") {
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        // The server may answer and close before all of it is read.
        let _ = stream.write_all(body);
        let answer = Answer::read(stream);
        answer.fits(method, path);
        answer
    }

    /// A form.
    pub(crate) fn form(&self, path: &str, parts: &[Part<'_>]) -> Answer {
        let fields = [("content-type", "multipart/form-data; boundary=frontier")];
        self.ask("POST", path, &fields, &form(parts))
    }

    /// A value of the metrics.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let text = self.ask("GET", "/metrics", &[], b"").text();
        let found = text.lines().find_map(|one| one.strip_prefix(line)?.trim().parse().ok());
        assert!(found.is_some(), "{line} is not in {text}");
        found.unwrap()
    }

    /// Kilobytes of memory, now and at most.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A part of a form.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) file: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Part<'a> {
    pub(crate) fn file(file: &'a str, bytes: &'a [u8]) -> Self {
        Self { name: "file", file: Some(file), bytes }
    }

    pub(crate) fn keys(file: &'a str, bytes: &'a [u8]) -> Self {
        Self { name: "keylog", file: Some(file), bytes }
    }

    pub(crate) fn field(name: &'a str, value: &'a str) -> Self {
        Self { name, file: None, bytes: value.as_bytes() }
    }
}

pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let file = part.file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let name = part.name;
        let head =
            format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--frontier--\r\n");
    body
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A server that refuses a body closes with bytes unread: what came before that counts.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, fields, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the description has this answer, and the head is as every answer's.
    fn fits(&self, method: &str, path: &str) {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(self.field(name), value, "{method} {path}: {name}");
        }
        assert!(self.field("content-security-policy").contains("frame-ancestors"), "{path}");
        let description: Value = serde_json::from_str(OPENAPI).unwrap();
        let path = path.split('?').next().unwrap();
        let template = if path.starts_with("/results/") { "/results/{id}/{format}" } else { path };
        let operation = &description["paths"][template][method.to_ascii_lowercase()];
        if operation.is_null() {
            assert!(
                matches!(self.status, 401 | 403 | 404 | 405),
                "{method} {path}: {}",
                self.status
            );
            return;
        }
        let mut response = &operation["responses"][self.status.to_string()];
        if let Some(name) = response["$ref"].as_str() {
            response = description.pointer(name.trim_start_matches('#')).unwrap();
        }
        assert!(response.is_object(), "{method} {path}: {} is not described", self.status);
        let kind = self.field("content-type");
        assert!(
            response["content"].is_null() || response["content"][kind].is_object(),
            "{method} {path}: {kind} is not described"
        );
        if kind == "application/problem+json" {
            assert_eq!(self.json()["status"], self.status, "{path}");
        }
    }
}

/// A capture of the corpus.
pub(crate) fn capture(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(path)).unwrap()
}
