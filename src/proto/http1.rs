//! Heads of HTTP/1 messages, and bodies in chunks, as captures hold them.
//!
//! It follows RFC 9112 sections 2 to 5 (start line and fields), 7.1 (chunks), and RFC 9110 section 5.
//! It must not know a host, a product or what a field means.
//!
//! Invariants: a head that `httparse` refuses is still read, line by line, as far as it goes; bytes
//! that are not UTF-8 are replaced, never lost with their field; `length` is at most what was given.

use std::borrow::Cow;

use memchr::memchr;

use crate::limits;

/// The fields of a head, in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    /// The first value of a field, whatever the case of its name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The length that the head declares for its body (RFC 9110 section 8.6).
    pub fn content_length(&self) -> Option<u64> {
        self.first("content-length")?.trim().parse().ok()
    }

    /// Whether the body comes in chunks (RFC 9112 section 6.1).
    pub fn is_chunked(&self) -> bool {
        self.first("transfer-encoding").is_some_and(|value| {
            value.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
        })
    }

    fn push(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        if self.0.len() < limits::HEADER_FIELDS {
            self.0.push((name, value));
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// The method as it was written.
    pub method: Cow<'a, str>,
    /// The target in any of its forms (RFC 9112 section 3.2).
    pub target: Cow<'a, str>,
    /// The fields.
    pub fields: Fields<'a>,
    /// Bytes of the head, the empty line included.
    pub length: usize,
    /// Whether the empty line was there.
    pub complete: bool,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    /// The status code; `None` when the line holds no number.
    pub status: Option<u16>,
    /// The reason phrase; empty when there is none.
    pub reason: Cow<'a, str>,
    /// The fields.
    pub fields: Fields<'a>,
    /// Bytes of the head, the empty line included, and of interim responses before it.
    pub length: usize,
    /// Whether the empty line was there.
    pub complete: bool,
}

/// Reads the head of a request; `None` when the first line is no request line.
pub fn request(bytes: &[u8]) -> Option<RequestHead<'_>> {
    strict_request(bytes).or_else(|| scan_request(bytes))
}

/// Reads the head of a response; `None` when the first line is no status line.
///
/// Interim responses (RFC 9110 section 15.2) that stand before the final one are passed over.
pub fn response(bytes: &[u8]) -> Option<ResponseHead<'_>> {
    let mut passed = 0_usize;
    for _ in 0..MAX_INTERIM {
        let rest = bytes.get(passed..)?;
        let mut head = strict_response(rest).or_else(|| scan_response(rest))?;
        let behind = rest.get(head.length..).unwrap_or_default();
        let interim = matches!(head.status, Some(100 | 102..=199)) && behind.starts_with(b"HTTP/");
        head.length = head.length.saturating_add(passed);
        if !interim {
            return Some(head);
        }
        passed = head.length;
    }
    None
}

/// Undoes the chunks of a body (RFC 9112 section 7.1); the second value says that its end was there.
///
/// Extensions and trailers are dropped. A body that does not begin with a chunk comes back as it is:
/// some tools undo the chunks and leave the field in place.
pub fn dechunk(bytes: &[u8]) -> (Cow<'_, [u8]>, bool) {
    let mut out = Vec::new();
    let mut rest = bytes;
    let mut first = true;
    loop {
        let Some((size, after)) = chunk_size(rest) else {
            return if first { (Cow::Borrowed(bytes), true) } else { (Cow::Owned(out), false) };
        };
        if size == 0 {
            return (Cow::Owned(out), true);
        }
        let Some((data, behind)) =
            usize::try_from(size).ok().and_then(|n| after.split_at_checked(n))
        else {
            out.extend_from_slice(after);
            return (Cow::Owned(out), false);
        };
        let behind = behind.strip_prefix(b"\r").unwrap_or(behind);
        match behind.strip_prefix(b"\n") {
            Some(next) => rest = next,
            None if behind.is_empty() => rest = behind,
            None if first => return (Cow::Borrowed(bytes), true),
            None => {
                out.extend_from_slice(data);
                return (Cow::Owned(out), false);
            }
        }
        out.extend_from_slice(data);
        first = false;
    }
}

/// The size of the chunk that begins here, and what follows its line.
fn chunk_size(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let window = bytes.get(..bytes.len().min(MAX_CHUNK_LINE))?;
    let end = memchr(b'\n', window)?;
    let (line, rest) = bytes.split_at_checked(end)?;
    let line = std::str::from_utf8(line).ok()?;
    let digits = line.split(';').next()?.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u64::from_str_radix(digits, 16).ok()?, rest.get(1..)?))
}

fn strict_request(bytes: &[u8]) -> Option<RequestHead<'_>> {
    let mut headers = [httparse::EMPTY_HEADER; STRICT_FIELDS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).ok()? else { return None };
    Some(RequestHead {
        method: Cow::Borrowed(parsed.method?),
        target: Cow::Borrowed(parsed.path?),
        fields: strict_fields(parsed.headers),
        length,
        complete: true,
    })
}

fn strict_response(bytes: &[u8]) -> Option<ResponseHead<'_>> {
    let mut headers = [httparse::EMPTY_HEADER; STRICT_FIELDS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).ok()? else { return None };
    Some(ResponseHead {
        status: parsed.code,
        reason: Cow::Borrowed(parsed.reason?.trim()),
        fields: strict_fields(parsed.headers),
        length,
        complete: true,
    })
}

fn strict_fields<'a>(headers: &[httparse::Header<'a>]) -> Fields<'a> {
    let mut fields = Fields::default();
    for header in headers {
        fields.push(Cow::Borrowed(header.name), String::from_utf8_lossy(header.value));
    }
    fields
}

fn scan_request(bytes: &[u8]) -> Option<RequestHead<'_>> {
    let mut lines = Lines::new(bytes);
    let line = lines.start_line()?;
    let line = text(line);
    let (method, rest) = split_cow(&line)?;
    // RFC 9112 section 3: the version is last; a target with blanks in it is kept whole.
    let target = match rest.rsplit_once([' ', '\t']) {
        Some((target, version)) if is_version(version) => target.trim(),
        _ if is_version(rest) => "",
        _ => rest,
    };
    let token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic());
    if !token || target.is_empty() || method.starts_with('<') || method.starts_with('{') {
        return None;
    }
    let (method, target) = (method.to_owned(), target.to_owned());
    let fields = lines.fields();
    Some(RequestHead {
        method: Cow::Owned(method),
        target: Cow::Owned(target),
        fields,
        length: lines.at,
        complete: lines.complete,
    })
}

fn scan_response(bytes: &[u8]) -> Option<ResponseHead<'_>> {
    let mut lines = Lines::new(bytes);
    let line = text(lines.start_line()?);
    let (first, rest) = split_cow(&line).unwrap_or((line.trim(), ""));
    let (code, reason) = if is_version(first) {
        rest.split_once([' ', '\t']).unwrap_or((rest, ""))
    } else if first.len() == 3 && first.bytes().all(|byte| byte.is_ascii_digit()) {
        (first, rest)
    } else {
        return None;
    };
    let (status, reason) = (code.trim().parse().ok(), reason.trim().to_owned());
    let fields = lines.fields();
    Some(ResponseHead {
        status,
        reason: Cow::Owned(reason),
        fields,
        length: lines.at,
        complete: lines.complete,
    })
}

/// RFC 9112 section 2.3, and the `HTTP/2` that tools write for messages of other versions.
fn is_version(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("HTTP/"))
}

/// The first word of a line and the rest of it.
fn split_cow(line: &str) -> Option<(&str, &str)> {
    let (first, rest) = line.trim().split_once([' ', '\t'])?;
    Some((first, rest.trim()))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Lines of a head that end in a line feed, with a carriage return before it or without.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    complete: bool,
}

impl<'a> Lines<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, complete: false }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line = if let Some(end) = memchr(b'\n', rest) {
            self.at = self.at.saturating_add(end).saturating_add(1);
            rest.get(..end)?
        } else {
            self.at = self.bytes.len();
            rest
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// RFC 9112 section 2.2: empty lines before the start line are passed over.
    fn start_line(&mut self) -> Option<&'a [u8]> {
        for _ in 0..4 {
            let line = self.next()?;
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }

    fn fields(&mut self) -> Fields<'a> {
        let mut fields = Fields::default();
        while let Some(line) = self.next() {
            if line.is_empty() {
                self.complete = true;
                break;
            }
            // RFC 9112 section 5.2: a line that begins with a blank goes on with the one before.
            if matches!(line.first(), Some(b' ' | b'\t')) {
                if let Some((_, value)) = fields.0.last_mut() {
                    let more = text(line);
                    let value = value.to_mut();
                    if value.len() < limits::HEADER_VALUE {
                        value.push(' ');
                        value.push_str(more.trim());
                    }
                }
                continue;
            }
            let Some((name, value)) =
                memchr(b':', line).and_then(|colon| line.split_at_checked(colon))
            else {
                continue;
            };
            let name = trimmed(text(name));
            if !name.is_empty() {
                fields.push(name, trimmed(text(value.get(1..).unwrap_or_default())));
            }
        }
        fields
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Interim responses before the final one.
const MAX_INTERIM: usize = 8;
/// Bytes of a line with a chunk size and its extensions.
const MAX_CHUNK_LINE: usize = 1024;
/// Fields that `httparse` is given room for; heads with more are read line by line.
const STRICT_FIELDS: usize = 96;

/// Entry for fuzzing: heads and chunks of any bytes.
#[doc(hidden)]
pub fn fuzz_http1(bytes: &[u8]) {
    if let Some(head) = request(bytes) {
        assert!(head.length <= bytes.len(), "a head is part of its message");
    }
    if let Some(head) = response(bytes) {
        assert!(head.length <= bytes.len(), "a head is part of its message");
    }
    assert!(dechunk(bytes).0.len() <= bytes.len(), "chunks only shrink");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(text: &str) -> Option<(Option<u16>, String)> {
        response(text.as_bytes()).map(|head| (head.status, head.reason.into_owned()))
    }

    fn target(text: &str) -> Option<(String, String)> {
        request(text.as_bytes()).map(|head| (head.method.into_owned(), head.target.into_owned()))
    }

    #[test]
    fn status_lines() {
        let want = |code, reason: &str| Some((Some(code), reason.to_owned()));
        assert_eq!(status("HTTP/1.1 200 OK\r\n\r\n"), want(200, "OK"));
        assert_eq!(status("HTTP/1.1 302\r\n\r\n"), want(302, ""));
        assert_eq!(status("HTTP/2 200 \r\nA: b\r\n\r\n"), want(200, ""));
        assert_eq!(
            status("HTTP/2.0 502 Fiddler - DNS Lookup Failed\n\n"),
            want(502, "Fiddler - DNS Lookup Failed")
        );
        assert_eq!(status("504 Gateway\r\n\r\n"), want(504, "Gateway"));
        assert_eq!(status("HTTP/1.1 - \r\n"), Some((None, String::new())));
        assert_eq!(status("HTTP/1.1 0 aborted\r\n\r\n"), want(0, "aborted"));
        assert_eq!(status("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n\r\n"), want(401, "No"));
        assert_eq!(status("<html>"), None);
        assert_eq!(status(""), None);
    }

    #[test]
    fn request_lines() {
        let want = |method: &str, target: &str| Some((method.to_owned(), target.to_owned()));
        assert_eq!(
            target("GET https://a.example/x?y HTTP/1.1\r\n\r\n"),
            want("GET", "https://a.example/x?y")
        );
        assert_eq!(target("POST /x HTTP/2\r\n\r\n"), want("POST", "/x"));
        assert_eq!(
            target("CONNECT a.example:443 HTTP/1.1\r\n\r\n"),
            want("CONNECT", "a.example:443")
        );
        assert_eq!(target("GET /a b HTTP/1.1\r\n\r\n"), want("GET", "/a b"));
        assert_eq!(target("GET /a\r\n"), want("GET", "/a"));
        assert_eq!(target("\u{feff}\r\nGET /a HTTP/1.1\r\n\r\n"), want("GET", "/a"));
        assert_eq!(target("GET HTTP/1.1\r\n\r\n"), None);
        assert_eq!(target("{\"a\": 1}"), None);
    }

    #[test]
    fn odd_fields_do_not_stop_the_head() {
        let bytes = b"HTTP/2 200\nno colon here\nSet-Cookie : a=b\nX-Folded: one\n\ttwo\n: empty\nX\xff: caf\xe9\n\nbody";
        let head = response(bytes).unwrap();
        let fields: Vec<_> = head.fields.iter().collect();
        assert_eq!(
            fields,
            [("Set-Cookie", "a=b"), ("X-Folded", "one two"), ("X\u{fffd}", "caf\u{fffd}")]
        );
        assert_eq!((&bytes[head.length..], head.complete), (b"body".as_slice(), true));
        let cut = response(b"HTTP/1.1 200 OK\r\nA: b\r\nC: d").unwrap();
        assert_eq!((cut.fields.first("c"), cut.complete, cut.length), (Some("d"), false, 27));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(2000));
        assert_eq!(response(many.as_bytes()).unwrap().fields.iter().count(), limits::HEADER_FIELDS);
    }

    #[test]
    fn chunks() {
        let whole =
            |bytes: &[u8], text: &[u8]| assert_eq!(dechunk(bytes), (Cow::Borrowed(text), true));
        whole(b"4\r\nabcd\r\n2;x=\"y\"\r\nef\r\n0\r\nTrailer: z\r\n\r\n", b"abcdef");
        whole(b"4 \nabcd\n0\n\n", b"abcd");
        whole(b"0\r\n\r\n", b"");
        whole(b"{\"not\": \"chunked\"}", b"{\"not\": \"chunked\"}");
        whole(b"4\nmore text than that, but no chunk", b"4\nmore text than that, but no chunk");
        let part =
            |bytes: &[u8], text: &[u8]| assert_eq!(dechunk(bytes), (Cow::Borrowed(text), false));
        part(b"4\r\nabcd\r\n", b"abcd");
        part(b"4\r\nabcd", b"abcd");
        part(b"A\r\nabcd", b"abcd");
        part(b"4\r\nabcd\r\nzz\r\n", b"abcd");
        part(b"2\r\nab\r\nffffffffffffffff\r\ncd", b"abcd");
    }

    #[test]
    fn chunked_and_length_fields() {
        let head = response(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 5\r\n\r\n",
        )
        .unwrap();
        assert!(head.fields.is_chunked());
        assert_eq!(head.fields.content_length(), Some(5));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            fuzz_http1(&bytes);
        }

        #[test]
        fn any_cut_of_a_message(cut in 0_usize..120) {
            let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n c\r\n\r\n5\r\nabcde\r\n3;q\r\nfgh\r\n0\r\n\r\n";
            fuzz_http1(&bytes[..cut.min(bytes.len())]);
            let (out, _) = dechunk(b"5\r\nabcde\r\n3;q\r\nfgh\r\n0\r\n\r\n".get(..cut.min(24)).unwrap());
            prop_assert!(b"abcdefgh".starts_with(&out) || out.len() < 3);
        }

        #[test]
        fn the_scanner_agrees_with_the_strict_parser(
            fields in proptest::collection::vec(("[A-Za-z-]{1,12}", "[!-~]([ -~]{0,20}[!-~])?"), 0..8),
        ) {
            let mut text = "HTTP/1.1 200 OK\r\n".to_owned();
            for (name, value) in &fields {
                text.extend([name, ": ", value, "\r\n"]);
            }
            text.push_str("\r\nbody");
            let strict = strict_response(text.as_bytes());
            prop_assert!(strict.is_some());
            prop_assert_eq!(strict, scan_response(text.as_bytes()));
        }
    }
}
