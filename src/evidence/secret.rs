//! Wrappers that keep secrets and user names out of every output.
//!
//! [`Secret`] is put around a token, code, cookie, password or body at the moment a reader sees it;
//! whatever prints it prints a label. [`Identity`] is put around a user name; whatever prints it
//! prints a mask.
//!
//! Invariant: no trait of these types shows the value. `Secret::expose` is banned by lint outside
//! the few files that parse what is inside.

use std::fmt;

/// What kind of secret a label stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// A whole body of a message.
    Body,
    /// A header value.
    Header,
    /// A query string or a fragment.
    Query,
    /// A token, code or piece of flow state.
    Token,
}

impl SecretKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Header => "header",
            Self::Query => "query",
            Self::Token => "token",
        }
    }
}

/// A value that must never be printed; it shows itself as a numbered label such as `token-3`.
#[derive(Clone)]
pub struct Secret<T> {
    value: T,
    kind: SecretKind,
    number: u32,
}

impl<T> Secret<T> {
    /// Wraps a value under the label `kind-number`; only the builder gives numbers.
    pub(crate) const fn new(value: T, kind: SecretKind, number: u32) -> Self {
        Self { value, kind, number }
    }

    /// The value. Banned by lint: the caller states why nothing of it can reach an output.
    pub fn expose(&self) -> &T {
        &self.value
    }
}

impl Secret<Box<str>> {
    /// Bytes of the value.
    pub(super) fn length(&self) -> usize {
        self.value.len()
    }
}

impl Secret<Box<[u8]>> {
    /// Bytes of the value.
    pub(super) fn length(&self) -> usize {
        self.value.len()
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.as_str(), self.number)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T> serde::Serialize for Secret<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How user names are shown; secrets are shown in no mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// User names in full.
    None,
    /// User names masked: `a***e@contoso.com`.
    #[default]
    Secrets,
    /// User names as stable pseudonyms: `user-1`.
    Strict,
}

/// A user name, shown as a mask or as a pseudonym.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    name: Box<str>,
    number: u32,
}

impl Identity {
    /// Wraps a user name; `number` counts distinct users of the case from 1.
    pub fn new(name: &str, number: u32) -> Self {
        Self { name: name.trim().to_lowercase().into(), number }
    }

    /// The number of the user in the case, from 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whether both names are one user.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.trim())
    }

    /// The name in the form the redaction mode allows.
    pub fn shown(&self, redaction: Redaction) -> String {
        match redaction {
            Redaction::None => self.name.chars().filter(|c| !c.is_control()).collect(),
            Redaction::Secrets => self.mask(),
            Redaction::Strict => format!("user-{}", self.number),
        }
    }

    fn mask(&self) -> String {
        let (local, domain) = self.name.split_once('@').unwrap_or((&self.name, ""));
        let masked = masked(local);
        match super::HostName::parse(domain) {
            Some(domain) => format!("{masked}@{domain}"),
            None => masked,
        }
    }
}

/// The first and last character of a name, with the rest left out.
fn masked(local: &str) -> String {
    let mut characters = local.chars();
    let first = characters.next().unwrap_or('*');
    // A short local part would be given away by its first and last character.
    match characters.next_back() {
        Some(last) if local.chars().count() > 3 => format!("{first}***{last}"),
        _ => format!("{first}***"),
    }
}

/// The at sign, as it may stand in a name: escaped, escaped twice, and in its wide and its small form (Unicode).
const AT_SIGNS: &[&str] = &["@", "%40", "%2540", "\u{ff20}", "\u{fe6b}"];

/// A text with everything in it that has the form of a mail address masked as an [`Identity`] is:
/// names of files, of members of archives and of programs may hold any. With `whole` nothing of the
/// address is left, its domain neither.
pub(crate) fn mask_addresses(text: &str, whole: bool) -> String {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-'#".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, sign)) =
        AT_SIGNS.iter().filter_map(|sign| Some((rest.find(sign)?, *sign))).min()
    {
        let (before, behind) = rest.split_at(at);
        let behind = behind.get(sign.len()..).unwrap_or_default();
        let begin = before
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_local(*c))
            .last()
            .map_or(before.len(), |(index, _)| index);
        let (front, local) = before.split_at(begin);
        let domain = behind.split(|c| !is_domain(c)).next().unwrap_or_default();
        out.push_str(front);
        let address = !local.is_empty() && domain.trim_matches('.').contains('.');
        if address && whole {
            out.push_str("(address)");
            rest = behind.get(domain.len()..).unwrap_or_default();
            continue;
        }
        if address {
            out.push_str(&masked(local));
        } else {
            out.push_str(local);
        }
        out.push_str(sign);
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A text with the mail addresses in it in the form that the redaction mode allows.
pub(crate) fn named(text: &str, redaction: Redaction) -> std::borrow::Cow<'_, str> {
    match redaction {
        Redaction::None => text.into(),
        Redaction::Secrets => mask_addresses(text, false).into(),
        Redaction::Strict => mask_addresses(text, true).into(),
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mask())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_label_only() {
        let secret = Secret::new("hunter2", SecretKind::Token, 3);
        assert_eq!(format!("{secret} {secret:?}"), "token-3 token-3");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"token-3\"");
    }

    #[test]
    fn nothing_of_an_address_is_left_where_names_are_withheld() {
        for (text, want) in [
            ("/x/alice@contoso.com.saz", "/x/(address)"),
            ("CN=alice@contoso.com, O=X", "CN=(address), O=X"),
            ("alice%40contoso.com!bob.b@y.z/c", "(address)!(address)/c"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(named(text, Redaction::Strict), want);
        }
    }

    #[test]
    fn addresses_in_a_text_are_masked() {
        for (text, want) in [
            ("a.saz", "a.saz"),
            ("/x/alice@contoso.com.saz", "/x/a***e@contoso.com.saz"),
            ("C:\\bo@x.example\\a@b", "C:\\b***@x.example\\a@b"),
            ("alice%40contoso.com!bob.b@y.z/c", "a***e%40contoso.com!b***b@y.z/c"),
            ("one@two@three.example", "one@t***@three.example"),
            ("@x.example @", "@x.example @"),
            ("müller@x.example", "m***r@x.example"),
            ("alice%2540contoso.com", "a***e%2540contoso.com"),
            ("alice\u{ff20}contoso.com", "a***e\u{ff20}contoso.com"),
            ("alice\u{fe6b}contoso.com", "a***e\u{fe6b}contoso.com"),
        ] {
            assert_eq!(mask_addresses(text, false), want);
        }
        assert_eq!(named("alice@contoso.com", Redaction::None), "alice@contoso.com");
        assert_eq!(named("alice@contoso.com", Redaction::Secrets), "a***e@contoso.com");
    }

    #[test]
    fn a_user_is_masked() {
        let user = Identity::new("Alice.Example@Contoso.com", 1);
        assert_eq!(user.to_string(), "a***e@contoso.com");
        assert_eq!(user.shown(Redaction::Strict), "user-1");
        assert_eq!(user.shown(Redaction::None), "alice.example@contoso.com");
        assert_eq!(Identity::new("bo@contoso.com", 1).to_string(), "b***@contoso.com");
        assert_eq!(Identity::new("x", 1).to_string(), "x***");
    }
}
