//! URLs, cut so that what is visible of them is safe to print.
//!
//! The path is cleaned when it is built: a segment that names a user or looks like a token is
//! replaced. Query and fragment are secrets.
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

/// A path without user names and tokens, and the user name that was in it.
pub(super) fn clean_path(path: &str) -> (Box<str>, Option<String>) {
    let mut end = path.len().min(limits::PATH);
    while !path.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let path = path.get(..end).unwrap_or_default();
    let mut user = None;
    let mut clean = String::with_capacity(path.len());
    for segment in path.trim_start_matches('/').split('/') {
        clean.push('/');
        let lower = segment.to_ascii_lowercase();
        // Percent may stand for an at sign at any depth of encoding.
        if segment.contains('@') || (lower.contains('%') && lower.contains("40")) {
            let decoded = segment.replace("%40", "@");
            user.get_or_insert(decoded);
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
    if is_guid(segment) || segment.len() < 20 {
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
    segment.len() > 64 || (digits && (upper || lower))
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
        assert_eq!(clean_path("/a/bo%40x.example").1.as_deref(), Some("bo@x.example"));
    }
}
