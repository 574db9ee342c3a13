//! Names of hosts, in one spelling.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A host name or a literal address: lower case, without a trailing dot, ASCII (IDNA).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Takes a name in any spelling; an empty or overlong (over 253 bytes) one gives `None`.
    ///
    /// What cannot be a host name (blanks, control bytes, markup) gives `None` too, so that a name
    /// can be printed as it is.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('.');
        if text.is_empty() || text.len() > 253 {
            return None;
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if text.bytes().all(plain) {
            let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
            return Some(Self(if is_lower {
                text.into()
            } else {
                text.to_ascii_lowercase().into()
            }));
        }
        match url::Host::parse(text).ok()? {
            url::Host::Domain(name) if name.bytes().all(plain) => Some(Self(name.into())),
            url::Host::Ipv6(address) => Some(Self(format!("[{address}]").into())),
            _ => None,
        }
    }

    /// A name that a name server was asked for: visible ASCII, and the sign for what is none.
    pub(super) fn looked_up(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('.');
        let fits = !text.is_empty() && text.len() <= 1024;
        let visible =
            |c: char| c.is_ascii_graphic() || c == ' ' || c == char::REPLACEMENT_CHARACTER;
        (fits && text.chars().all(visible)).then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for HostName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        let name = HostName::parse("Login.MicrosoftOnline.COM.").unwrap();
        assert_eq!(name.as_str(), "login.microsoftonline.com");
        assert_eq!(HostName::parse("münchen.example").unwrap().as_str(), "xn--mnchen-3ya.example");
        assert_eq!(HostName::parse("[::1]").unwrap().as_str(), "[::1]");
        assert!(HostName::parse("<script>").is_none());
        assert!(HostName::parse("").is_none());
    }
}
