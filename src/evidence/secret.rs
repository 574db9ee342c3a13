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
        let mut characters = local.chars();
        let first = characters.next().unwrap_or('*');
        // A short local part would be given away by its first and last character.
        let masked = match characters.next_back() {
            Some(last) if local.chars().count() > 3 => format!("{first}***{last}"),
            _ => format!("{first}***"),
        };
        match super::HostName::parse(domain) {
            Some(domain) => format!("{masked}@{domain}"),
            None => masked,
        }
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
    fn a_user_is_masked() {
        let user = Identity::new("Alice.Example@Contoso.com", 1);
        assert_eq!(user.to_string(), "a***e@contoso.com");
        assert_eq!(user.shown(Redaction::Strict), "user-1");
        assert_eq!(user.shown(Redaction::None), "alice.example@contoso.com");
        assert_eq!(Identity::new("bo@contoso.com", 1).to_string(), "b***@contoso.com");
        assert_eq!(Identity::new("x", 1).to_string(), "x***");
    }
}
