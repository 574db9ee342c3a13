//! URLs, cut so that what is visible of them is safe to print.
//!
//! The path is cleaned when it is built: a segment that names a user or looks like a token is
//! replaced, and of a host that is no part of a sign-in little more than the beginning is left. Query
//! and fragment are secrets.
//!
//! Invariant: `path` holds neither a user name nor an opaque token.

use super::{HostName, Secret};
use crate::limits;

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// A CONNECT request: an authority without a path.
    Authority,
    /// `http`.
    Http,
    /// `https`.
    Https,
    /// Another one, such as `wss` or an application's own.
    Other,
}

impl Scheme {
    /// The scheme as it is written; an authority has none.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "",
            Self::Http => "http",
            Self::Https => "https",
            Self::Other => "other",
        }
    }
}

/// A URL.
#[derive(Clone, Debug)]
pub struct Url {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: HostName,
    /// The port, the scheme's own where none was written, 0 where there is none.
    pub port: u16,
    /// The cleaned path, beginning with `/`.
    pub path: Box<str>,
    /// A user name that stood in the path.
    pub user_in_path: Option<Secret<Box<str>>>,
    /// The query, without `?`, as it was written.
    pub query: Option<Secret<Box<str>>>,
    /// The fragment, without `#`, as it was written.
    pub fragment: Option<Secret<Box<str>>>,
}

impl std::fmt::Display for Url {
    /// Scheme, host, port where it is not the usual one, and the cleaned path.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let usual = match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Authority | Scheme::Other => 0,
        };
        if self.scheme == Scheme::Authority {
            return write!(f, "{}:{}", self.host, self.port);
        }
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port != usual && self.port != 0 {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// The host of a redirect to an application that has no host: `urn:ietf:wg:oauth:2.0:oob`,
/// `com.example.app:/back`. No name under `invalid` is one of the network (RFC 2606).
pub const APP_HOST: &str = "app.invalid";

/// Which URLs matter; told by whoever knows the scope.
pub trait Relevance {
    /// Whether a URL with this host (lower case) and path is part of a sign-in.
    fn covers(&self, host: &str, path: &str) -> bool;

    /// Whether a query or fragment of another host holds something of a sign-in.
    fn needs(&self, query: &str) -> bool;
}

/// Everything matters.
pub(super) struct Everything;

impl Relevance for Everything {
    fn covers(&self, _: &str, _: &str) -> bool {
        true
    }

    fn needs(&self, _: &str) -> bool {
        true
    }
}

impl Url {
    /// Cuts the path to what cannot name anyone.
    pub(super) fn shorten(&mut self) {
        self.path = short_path(&self.path);
    }
}

/// The beginning of a path where it is a plain word, and the kind of file at its end.
///
/// Applied to its own result it changes nothing.
pub(super) fn short_path(path: &str) -> Box<str> {
    const WORD: usize = 24;
    const FILES: &[&str] =
        &["css", "gif", "html", "ico", "jpg", "js", "json", "pac", "png", "svg", "woff", "woff2"];
    /// Names that files have by a convention.
    const NAMES: &[&str] = &["favicon.ico", "wpad.dat"];
    let rest = path.trim_start_matches('/');
    if rest.is_empty() || NAMES.contains(&rest) {
        return format!("/{rest}").into();
    }
    let (first, behind) = rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)));
    let is_word = first.len() <= WORD && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let mut short = String::from("/");
    if is_word {
        short.push_str(first);
    }
    if !is_word || behind.is_some_and(|behind| !behind.is_empty()) {
        short.push_str(if is_word && !first.is_empty() { "/..." } else { "..." });
    }
    let last = rest.rsplit('/').next().unwrap_or_default();
    let extension = last.rsplit_once('.').map_or("", |(_, extension)| extension);
    if NAMES.contains(&last) {
        short.push('/');
        short.push_str(last);
    } else if let Some(known) = FILES.iter().find(|known| extension.eq_ignore_ascii_case(known)) {
        short.push_str("/*.");
        short.push_str(known);
    }
    short.into()
}

/// The text with percent escapes undone as often as it takes, at most three times.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..3 {
        if !text.contains('%') {
            break;
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((byte, behind)) = rest.split_first() {
            let pair = behind.first_chunk::<2>().filter(|_| *byte == b'%');
            let value = pair
                .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))
                .and_then(|pair| std::str::from_utf8(pair).ok())
                .and_then(|pair| u8::from_str_radix(pair, 16).ok());
            bytes.push(value.unwrap_or(*byte));
            let taken = if value.is_some() { 2 } else { 0 };
            rest = behind.get(taken..).unwrap_or_default();
        }
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

/// At most `length` bytes of a text, in whole characters.
pub(super) fn head(text: &str, length: usize) -> &str {
    let mut end = text.len().min(length);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// A path without user names and tokens, and the user name that was in it.
pub(super) fn clean_path(path: &str) -> (Box<str>, Option<String>) {
    let path = head(path, limits::PATH);
    let mut user = None;
    let mut clean = String::with_capacity(path.len());
    for segment in path.trim_start_matches('/').split('/') {
        clean.push('/');
        let lower = segment.to_ascii_lowercase();
        // Percent may stand for an at sign at any depth of encoding.
        if segment.contains('@') || (lower.contains('%') && lower.contains("40")) {
            let name = decoded(segment);
            if name.contains('@') {
                user.get_or_insert(name);
            }
            clean.push_str("{user}");
        } else if is_opaque(segment) {
            clean.push_str("{opaque}");
        } else {
            clean.push_str(segment);
        }
    }
    (clean.into(), user)
}

/// Whether a path segment looks like a token rather than a name: long, and neither a GUID nor words.
fn is_opaque(segment: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'$' | b',')
    };
    if !segment.bytes().all(plain) {
        return true;
    }
    if segment.starts_with("eyJ") {
        return true;
    }
    if is_guid(segment) || segment.len() < 8 {
        return false;
    }
    // A file name with its hash is long too, and harmless: it ends in a short extension.
    if let Some((_, extension)) = segment.rsplit_once('.')
        && matches!(
            extension.to_ascii_lowercase().as_str(),
            "js" | "css"
                | "svg"
                | "png"
                | "ico"
                | "html"
                | "htm"
                | "srf"
                | "aspx"
                | "jpg"
                | "gif"
                | "woff"
                | "woff2"
                | "json"
                | "pac"
                | "com"
                | "example"
                | "net"
                | "org"
        )
    {
        return segment.len() > 160;
    }
    let digits = segment.bytes().any(|byte| byte.is_ascii_digit());
    let upper = segment.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = segment.bytes().any(|byte| byte.is_ascii_lowercase());
    let mixed = digits && upper && lower;
    segment.len() > 64 || mixed || segment.len() >= 20 && digits && (upper || lower)
}

/// Whether the text is a GUID in its usual form.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(path: &str) -> String {
        clean_path(path).0.into()
    }

    #[test]
    fn names_and_tokens_leave_the_path() {
        assert_eq!(cleaned("/common/SAS/BeginAuth"), "/common/SAS/BeginAuth");
        assert_eq!(cleaned("/common/userrealm/alice@contoso.com"), "/common/userrealm/{user}");
        assert_eq!(cleaned("/common/userrealm/alice%40contoso.com"), "/common/userrealm/{user}");
        assert_eq!(cleaned("/x/alice%2540contoso.com"), "/x/{user}");
        assert_eq!(cleaned("/magic/Zk93jd0wPl2mQa81Tn55"), "/magic/{opaque}");
        assert_eq!(cleaned("/t/eyJhbGciOiJub25lIn0"), "/t/{opaque}");
        let tenant = "/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/oauth2/v2.0/token";
        assert_eq!(cleaned(tenant), tenant);
        assert_eq!(cleaned(""), "/");
        let script = "/shared/1.0/content/js/ConvergedLogin_PCore_1AbCdEfGh2.js";
        assert_eq!(cleaned(script), script);
    }

    #[test]
    fn the_user_of_the_path_is_kept_apart() {
        let user = |path| clean_path(path).1;
        for path in ["/a/bo@x.example", "/a/bo%40x.example", "/a/bo%2540x.example"] {
            assert_eq!(user(path).as_deref(), Some("bo@x.example"), "{path}");
        }
        assert_eq!(user("/a/bo%252540x.example").as_deref(), Some("bo@x.example"));
        assert_eq!(user("/a/40%25"), None);
        assert_eq!(user("/a/%2x%40%").as_deref(), Some("%2x@%"));
    }

    #[test]
    fn a_short_path_names_no_one() {
        for (path, short) in [
            ("/", "/"),
            ("/personal", "/personal"),
            ("/personal/", "/personal"),
            ("/personal/alice_smith_contoso_com/x", "/personal/..."),
            ("/users/alice.smith/profile", "/users/..."),
            ("/reset/493021hunter2/x", "/reset/..."),
            ("/alice.smith/x", "/..."),
            ("/{user}", "/..."),
            ("/a/b/logo.PNG", "/a/.../*.png"),
            ("/alice.json", "/.../*.json"),
            ("/favicon.ico", "/favicon.ico"),
            ("/wpad.dat", "/wpad.dat"),
            ("/Contoso2026/proxy.pac", "/.../*.pac"),
            ("/x1/favicon.ico", "/.../favicon.ico"),
            ("//x", "/x"),
        ] {
            assert_eq!(&*short_path(path), short, "{path}");
            assert_eq!(&*short_path(short), short, "again: {path}");
        }
    }
}
