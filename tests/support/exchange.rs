//! One exchange as a text, written into a HAR entry or a Fiddler session.
#![allow(clippy::indexing_slicing, reason = "test support")]

use serde_json::{Value, json};

/// A request and its answer. Times come from the place in the list.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) sent_fields: Vec<(String, String)>,
    pub(crate) sent: Option<(String, String)>,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Option<(String, String)>,
    /// What a browser says when there is no answer.
    pub(crate) error: Option<String>,
    /// Seconds after the one before.
    pub(crate) after: f64,
}

/// A GET that is answered with 200 and nothing.
pub(crate) fn get(url: &str) -> Told {
    Told {
        method: "GET".to_owned(),
        url: url.to_owned(),
        sent_fields: Vec::new(),
        sent: None,
        status: 200,
        fields: Vec::new(),
        body: None,
        error: None,
        after: 1.0,
    }
}

/// A POST of a form.
pub(crate) fn post(url: &str, form: &str) -> Told {
    Told { method: "POST".to_owned(), ..get(url) }
        .sending("application/x-www-form-urlencoded", form)
}

/// A POST of JSON.
pub(crate) fn post_json(url: &str, body: &str) -> Told {
    Told { method: "POST".to_owned(), ..get(url) }.sending("application/json", body)
}

impl Told {
    #[must_use]
    pub(crate) fn sending(mut self, kind: &str, body: &str) -> Self {
        self.sent = Some((kind.to_owned(), body.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn asking(mut self, name: &str, value: &str) -> Self {
        self.sent_fields.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub(crate) fn answer(mut self, kind: &str, body: &str) -> Self {
        self.body = Some((kind.to_owned(), body.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn failing(mut self, error: &str) -> Self {
        (self.status, self.error) = (0, Some(error.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn later(mut self, seconds: f64) -> Self {
        self.after = seconds;
        self
    }

    /// An answer that the sign-in service wrote itself.
    #[must_use]
    pub(crate) fn by_service(self) -> Self {
        self.field("x-ms-request-id", "0f0f0f0f-1111-2222-3333-444444440100")
            .field("x-ms-ests-server", "2.1.24471.8 - WEULR1 ProdSlices")
    }

    /// The same with every text changed.
    #[must_use]
    pub(crate) fn filled(&self, change: &mut impl FnMut(&str) -> String) -> Self {
        let pairs = |all: &[(String, String)], change: &mut dyn FnMut(&str) -> String| {
            all.iter().map(|(name, value)| (change(name), change(value))).collect::<Vec<_>>()
        };
        Self {
            method: change(&self.method),
            url: change(&self.url),
            sent_fields: pairs(&self.sent_fields, change),
            sent: self.sent.as_ref().map(|(kind, body)| (kind.clone(), change(body))),
            status: self.status,
            fields: pairs(&self.fields, change),
            body: self.body.as_ref().map(|(kind, body)| (kind.clone(), change(body))),
            error: self.error.as_ref().map(|error| change(error)),
            after: self.after,
        }
    }

    /// As an entry of a HAR.
    pub(crate) fn entry(&self, at: f64) -> Value {
        let list = |all: &[(String, String)], kind: Option<&String>| {
            let kind = kind.map(|kind| ("Content-Type".to_owned(), kind.clone()));
            all.iter()
                .cloned()
                .chain(kind)
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect::<Vec<_>>()
        };
        let sent = self.sent.as_ref();
        let mut request = json!({
            "method": self.method, "url": self.url, "httpVersion": "http/2.0", "cookies": [],
            "queryString": [], "headersSize": -1, "bodySize": sent.map_or(0, |(_, body)| body.len()),
            "headers": list(&self.sent_fields, sent.map(|(kind, _)| kind)),
        });
        if let Some((kind, body)) = sent {
            request["postData"] = json!({"mimeType": kind, "text": body});
        }
        let mut content = json!({"size": 0, "mimeType": "x-unknown"});
        if let Some((kind, body)) = &self.body {
            content = json!({"size": body.len(), "mimeType": kind, "text": body});
        }
        let location = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        let mut response = json!({
            "status": self.status, "statusText": "", "httpVersion": "http/2.0", "cookies": [],
            "headers": list(&self.fields, self.body.as_ref().map(|(kind, _)| kind)),
            "content": content, "headersSize": -1, "bodySize": -1,
            "redirectURL": location.map_or("", |(_, value)| value.as_str()),
        });
        if let Some(error) = &self.error {
            response["_error"] = json!(error);
        }
        json!({
            "startedDateTime": clock(at), "time": 100, "request": request, "response": response,
            "cache": {}, "timings": {"send": 1, "wait": 98, "receive": 1},
        })
    }

    /// As the parts of a Fiddler session; `pack` packs the body of the answer.
    pub(crate) fn session(
        &self,
        at: f64,
        flags: &[(String, String)],
        pack: impl Fn(&[u8]) -> (Vec<u8>, &'static str),
    ) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let host = self.url.split('/').nth(2).unwrap_or_default();
        let mut request = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.url);
        let field = |name: &str, value: &str| format!("{name}: {value}\r\n");
        for (name, value) in &self.sent_fields {
            request.push_str(&field(name, value));
        }
        if let Some((kind, body)) = &self.sent {
            request.push_str(&field("Content-Type", kind));
            request.push_str(&field("Content-Length", &body.len().to_string()));
        }
        request.push_str("\r\n");
        request.push_str(self.sent.as_ref().map_or("", |(_, body)| body.as_str()));
        let mut response = format!("HTTP/1.1 {} OK\r\n", self.status);
        for (name, value) in &self.fields {
            response.push_str(&field(name, value));
        }
        let mut packed = Vec::new();
        if let Some((kind, body)) = &self.body {
            let (bytes, head) = pack(body.as_bytes());
            response.push_str(&field("Content-Type", kind));
            response.push_str(head);
            packed = bytes;
        } else {
            response.push_str("Content-Length: 0\r\n");
        }
        let mut response = (response + "\r\n").into_bytes();
        response.extend(packed);
        let (start, end) = (clock(at), clock(at + 0.1));
        let flag = |(name, value): &(String, String)| {
            format!("<SessionFlag N=\"{name}\" V=\"{value}\" />")
        };
        let flags = flags.iter().map(flag).collect::<Vec<_>>().concat();
        let metadata = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Session SID=\"1\" BitFlags=\"1\">\
             <SessionTimers ClientConnected=\"{start}\" ClientBeginRequest=\"{start}\" \
             ClientDoneRequest=\"{start}\" ServerBeginResponse=\"{end}\" \
             ServerDoneResponse=\"{end}\" ClientDoneResponse=\"{end}\" />\
             <SessionFlags>{flags}</SessionFlags></Session>"
        );
        (request.into_bytes(), response, metadata.into_bytes())
    }
}

/// A time some seconds after the start of the story.
pub(crate) fn clock(seconds: f64) -> String {
    let thousandths = (seconds * 1000.0).round();
    assert!((0.0..86_400_000.0).contains(&thousandths), "a story is shorter than a day");
    let whole = format!("{thousandths:.0}").parse::<u64>().unwrap();
    let (hours, minutes) = (whole / 3_600_000, whole / 60_000 % 60);
    format!("2030-01-15T{hours:02}:{minutes:02}:{:02}.{:03}Z", whole / 1000 % 60, whole % 1000)
}

/// The entries of a story, in order of time.
pub(crate) fn story(told: &[Told]) -> Vec<Value> {
    let mut at = 32_400.0;
    told.iter()
        .map(|one| {
            at += one.after;
            one.entry(at)
        })
        .collect()
}
