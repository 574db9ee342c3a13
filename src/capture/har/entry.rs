//! One entry as it is written: borrowed fields, none of them trusted.
//!
//! Every field may be missing, doubled, or of another type than the format says; that costs the field
//! and never the entry. Text is unescaped only when it is asked for. What fields mean is decided in
//! `map`.
//!
//! Invariant: reading an entry fails only when it is not JSON.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Members that a list usually has: room for them is made at once.
const USUAL: usize = 16;
/// Members kept of one list: more header fields than this are an attack on memory.
const LIST: usize = 2_000;

/// A value as it is written, or nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Leaf<'a>(Option<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Leaf<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'a RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw.get())))
    }
}

impl<'a> Leaf<'a> {
    /// The value, unless it is missing or `null`.
    fn given(self) -> Option<&'a str> {
        self.0.filter(|raw| *raw != "null")
    }

    /// Whether there is a value, and not `null` or `false`.
    pub(super) fn is_given(self) -> bool {
        self.given().is_some_and(|raw| raw != "false")
    }

    /// Whether the member is there and says `null`.
    pub(super) fn is_null(self) -> bool {
        self.0 == Some("null")
    }

    /// Whether it is an object without members.
    pub(super) fn is_empty_object(self) -> bool {
        let inside = self.0.and_then(|raw| raw.strip_prefix('{')?.strip_suffix('}'));
        inside.is_some_and(|inside| inside.trim().is_empty())
    }

    /// The inside of a string, still escaped.
    pub(super) fn escaped(self) -> Option<&'a str> {
        self.0?.strip_prefix('"')?.strip_suffix('"')
    }

    /// A string, or a number as it is written.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        self.text_up_to(usize::MAX)
    }

    /// The same, at least `limit` bytes of it where it is longer.
    pub(super) fn text_up_to(self, limit: usize) -> Option<Cow<'a, str>> {
        match self.escaped() {
            Some(inside) => Some(unescape(inside, limit)),
            None => self
                .0
                .filter(|raw| raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
                .map(Cow::Borrowed),
        }
    }

    /// A string that is not empty.
    pub(super) fn filled(self) -> Option<Cow<'a, str>> {
        self.text().filter(|text| !text.trim().is_empty())
    }

    /// A finite number, maybe written as a string.
    pub(super) fn number(self) -> Option<f64> {
        let text = self.escaped().or(self.0)?;
        text.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A number of bytes; writers put -1 where they do not know.
    pub(super) fn size(self) -> Option<u64> {
        let text = self.escaped().or(self.0)?.trim();
        // Some write a fraction, which is nothing to go by.
        text.parse().ok().or_else(|| text.split_once('.')?.0.parse().ok())
    }
}

/// Unescapes the inside of a JSON string; a lone surrogate becomes U+FFFD. Stops behind `limit`.
fn unescape(text: &str, limit: usize) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len().min(limit.saturating_add(64)));
    let mut rest = text;
    let mut next = Some(first);
    while let Some(at) = next {
        out.push_str(rest.get(..at).unwrap_or_default());
        if out.len() > limit {
            return Cow::Owned(out);
        }
        let mut characters = rest.get(at..).unwrap_or_default().chars();
        characters.next();
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => out.push(unicode(&mut characters)),
            Some(other) => out.push(other),
            None => {}
        }
        rest = characters.as_str();
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of `\uXXXX`, with its second half where it is one of a pair.
fn unicode(characters: &mut std::str::Chars<'_>) -> char {
    let unit = |characters: &mut std::str::Chars<'_>| {
        let text = characters.as_str();
        let unit = u16::from_str_radix(text.get(..4)?, 16).ok()?;
        *characters = text.get(4..)?.chars();
        Some(unit)
    };
    let Some(first) = unit(characters) else { return char::REPLACEMENT_CHARACTER };
    if let Some(Ok(character)) = char::decode_utf16([first]).next() {
        return character;
    }
    let mut ahead = characters.clone();
    if ahead.next() == Some('\\')
        && ahead.next() == Some('u')
        && let Some(second) = unit(&mut ahead)
        && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
    {
        *characters = ahead;
        return character;
    }
    char::REPLACEMENT_CHARACTER
}

/// The key of a member.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Keys)
    }
}

/// Values of a type that was not asked for: they are read over and count as nothing.
macro_rules! read_over {
    ($value:ty) => {
        type Value = $value;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value")
        }
        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok(<$value>::default())
        }
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok(<$value>::default())
        }
        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok(<$value>::default())
        }
        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok(<$value>::default())
        }
        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok(<$value>::default())
        }
        fn visit_str<E>(self, _: &str) -> Result<$value, E> {
            Ok(<$value>::default())
        }
    };
}

/// A list of `T`; anything else is an empty list.
#[derive(Default)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            read_over!(Vec<T>);
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Vec::new())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut members = Vec::new();
                while members.len() < LIST {
                    let Some(member) = list.next_element()? else { return Ok(members) };
                    if members.is_empty() {
                        members.reserve(USUAL);
                    }
                    members.push(member);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(members)
            }
        }
        deserializer.deserialize_any(Members(PhantomData)).map(List)
    }
}

/// An object of known members; the last of equal keys holds, unknown ones are read over.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal $(| $other:literal)*,)+ }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name<'a> {
            /// Whether it is there at all.
            #[allow(dead_code, reason = "of some objects nobody asks it")]
            pub(super) present: bool,
            $($(#[$field_doc])* pub(super) $field: $type,)+
            marker: PhantomData<&'a ()>,
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members<'a>(PhantomData<&'a ()>);
                impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
                    read_over!($name<'a>);
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name<'a>, A::Error> {
                        let mut object = $name { present: true, ..$name::default() };
                        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                            match &*key {
                                $($key $(| $other)* => object.$field = map.next_value()?,)+
                                _ => drop(map.next_value::<IgnoredAny>()?),
                            }
                        }
                        Ok(object)
                    }
                    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<$name<'a>, A::Error> {
                        while list.next_element::<IgnoredAny>()?.is_some() {}
                        Ok($name::default())
                    }
                }
                deserializer.deserialize_any(Members(PhantomData))
            }
        }
    };
}

object! {
    /// `log.entries[]`.
    Entry {
        started: Leaf<'a> = "startedDateTime",
        time: Leaf<'a> = "time",
        page: Leaf<'a> = "pageref",
        request: RequestPart<'a> = "request",
        response: ResponsePart<'a> = "response",
        cache: Cache<'a> = "cache",
        timings: Timings<'a> = "timings",
        server: Leaf<'a> = "serverIPAddress",
        connection: Leaf<'a> = "connection",
        error: Leaf<'a> = "_error",
        failure: Leaf<'a> = "_failureText",
        from_cache: Leaf<'a> = "_fromCache" | "fromCache",
        served_from_cache: Leaf<'a> = "_served_from_cache",
        service_worker: Leaf<'a> = "_fetchedViaServiceWorker",
        security: Security<'a> = "_securityDetails" | "securityDetails",
        security_state: Leaf<'a> = "_securityState",
    }
}

object! {
    /// `request`.
    RequestPart {
        method: Leaf<'a> = "method",
        url: Leaf<'a> = "url",
        headers: List<Field<'a>> = "headers",
        body_size: Leaf<'a> = "bodySize",
        post: PostData<'a> = "postData",
    }
}

object! {
    /// `response`.
    ResponsePart {
        status: Leaf<'a> = "status",
        status_text: Leaf<'a> = "statusText",
        headers: List<Field<'a>> = "headers",
        content: Content<'a> = "content",
        redirect: Leaf<'a> = "redirectURL",
        body_size: Leaf<'a> = "bodySize",
        error: Leaf<'a> = "_error" | "_charlesErrorMessage" | "_errorMessage",
        charles: Leaf<'a> = "_charlesStatus",
        failure: Leaf<'a> = "_failureText",
    }
}

object! {
    /// A header field or a posted parameter.
    Field {
        name: Leaf<'a> = "name",
        value: Leaf<'a> = "value",
    }
}

object! {
    /// `request.postData`.
    PostData {
        text: Leaf<'a> = "text",
        params: List<Field<'a>> = "params",
        encoding: Leaf<'a> = "encoding" | "_encoding",
    }
}

object! {
    /// `response.content`.
    Content {
        size: Leaf<'a> = "size",
        kind: Leaf<'a> = "mimeType",
        text: Leaf<'a> = "text",
        encoding: Leaf<'a> = "encoding",
    }
}

object! {
    /// `cache`.
    Cache {
        before: Leaf<'a> = "beforeRequest",
    }
}

object! {
    /// `timings`, in milliseconds.
    Timings {
        blocked: Leaf<'a> = "blocked",
        dns: Leaf<'a> = "dns",
        connect: Leaf<'a> = "connect",
        send: Leaf<'a> = "send",
        wait: Leaf<'a> = "wait",
        receive: Leaf<'a> = "receive",
        proxy: Leaf<'a> = "_blocked_proxy",
    }
}

object! {
    /// What Chromium's exporters tell about TLS.
    Security {
        protocol: Leaf<'a> = "protocol",
        cipher: Leaf<'a> = "cipher",
        subject: Leaf<'a> = "subjectName",
        names: List<Leaf<'a>> = "sanList",
        issuer: Leaf<'a> = "issuer",
        from: Leaf<'a> = "validFrom",
        to: Leaf<'a> = "validTo",
    }
}

object! {
    /// `log.creator` and `log.browser`.
    Program {
        name: Leaf<'a> = "name",
        version: Leaf<'a> = "version",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_types_cost_the_field_only() {
        let text = r#"{"startedDateTime":5,"request":[1],"response":{"status":"200","headers":{"a":1},
            "content":null,"status":302,"redirectURL":null},"timings":7,"cache":"x","time":"12.5","x":1e999}"#;
        let entry: Entry<'_> = serde_json::from_str(text).unwrap();
        assert!(!entry.request.present && entry.response.present);
        assert_eq!(entry.response.status.number(), Some(302.0));
        assert_eq!(entry.started.text().as_deref(), Some("5"));
        assert_eq!(entry.time.number(), Some(12.5));
        assert!(entry.response.headers.0.is_empty());
        assert!(!entry.response.redirect.is_given());
    }

    #[test]
    fn text_is_unescaped() {
        let leaf = |text: &'static str| Leaf(Some(text)).text().unwrap().into_owned();
        assert_eq!(leaf(r#""a\n\u0041\/\"\\""#), "a\nA/\"\\");
        assert_eq!(leaf(r#""\ud83d\ude00""#), "\u{1f600}");
        assert_eq!(leaf(r#""\ud83dx\u""#), "\u{fffd}x\u{fffd}");
        assert_eq!(leaf("-12"), "-12");
        assert_eq!(Leaf(Some("{}")).text(), None);
        assert_eq!(Leaf(Some("-1")).size(), None);
        assert_eq!(Leaf(Some("12.0")).size(), Some(12));
        assert_eq!(Leaf(Some("\"NaN\"")).number(), None);
    }

    #[test]
    fn deep_nesting_is_read_over() {
        let deep = format!("{{\"x\":{}{},\"time\":1}}", "[".repeat(100_000), "]".repeat(100_000));
        let entry: Entry<'_> = serde_json::from_str(&deep).unwrap();
        assert_eq!(entry.time.number(), Some(1.0));
    }
}
