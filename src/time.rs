//! Points in time and stretches of it, as captures tell them.
//!
//! A [`Timestamp`] counts nanoseconds since 1970-01-01 UTC. Nothing here looks at a wall clock: the
//! only clock of the library is the capture itself.
//!
//! Invariant: a printed time is RFC 3339 in UTC with milliseconds, so two reports of one capture
//! are equal byte for byte.

use std::fmt;
use std::time::Duration;

/// A point in time, in nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// From milliseconds since the Unix epoch; out of range gives `None`.
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        milliseconds.checked_mul(1_000_000).map(Self)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanoseconds(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 and the near misses that captures hold, with the offset in seconds.
    ///
    /// Accepted: up to nine decimals, `Z`, `+hh:mm`, `+hhmm`, a blank in place of `T`. A time
    /// without an offset is read as UTC and the offset is `None`. Fiddler's unset timer
    /// (`0001-01-01T00:00:00`) is no time.
    pub fn parse(text: &str) -> Option<(Self, Option<i32>)> {
        let text = text.trim();
        if text.starts_with("0001-01-01") {
            return None;
        }
        let pieces = jiff::fmt::temporal::DateTimeParser::new();
        let parsed = pieces.parse_pieces(text).ok()?;
        let civil =
            parsed.date().to_datetime(parsed.time().unwrap_or(jiff::civil::Time::midnight()));
        let (offset, known) = match parsed.to_numeric_offset() {
            Some(offset) => (offset, Some(offset.seconds())),
            None => (jiff::tz::Offset::UTC, None),
        };
        let known = if parsed.offset().is_some() && known.is_none() { Some(0) } else { known };
        let stamp = offset.to_timestamp(civil).ok()?;
        let nanoseconds = i64::try_from(stamp.as_nanosecond()).ok()?;
        Some((Self(nanoseconds), known))
    }

    /// Parses an HTTP date (RFC 9110 section 5.6.7, the IMF-fixdate form).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let text = text.trim();
        let text =
            text.strip_suffix("GMT").map_or_else(|| text.to_owned(), |t| format!("{t}+0000"));
        let zoned = jiff::fmt::rfc2822::parse(&text).ok()?;
        i64::try_from(zoned.timestamp().as_nanosecond()).ok().map(Self)
    }

    /// The time that lies `duration` later; saturates at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The time that lies `duration` earlier; saturates at the beginning of the range.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        let nanoseconds = i128::from(self.0).saturating_sub(i128::from(earlier.0));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => write!(f, "{}", stamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")),
            Err(_) => f.write_str("unknown time"),
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A stretch of time, both ends included; `first <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    first: Timestamp,
    last: Timestamp,
}

impl Span {
    /// The span that holds both times, in whichever order they come.
    pub fn new(one: Timestamp, other: Timestamp) -> Self {
        Self { first: one.min(other), last: one.max(other) }
    }

    /// Its beginning.
    pub const fn first(self) -> Timestamp {
        self.first
    }

    /// Its end.
    pub const fn last(self) -> Timestamp {
        self.last
    }

    /// The smallest span that holds this one and `at`.
    #[must_use]
    pub fn extended(self, at: Timestamp) -> Self {
        Self { first: self.first.min(at), last: self.last.max(at) }
    }

    /// Its length.
    pub fn length(self) -> Duration {
        self.last.since(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<(String, Option<i32>)> {
        Timestamp::parse(text).map(|(at, offset)| (at.to_string(), offset))
    }

    #[test]
    fn reads_the_forms_that_captures_hold() {
        let want = |at: &str, offset| Some((at.to_owned(), offset));
        assert_eq!(shown("2030-01-01T10:00:00.123Z"), want("2030-01-01T10:00:00.123Z", Some(0)));
        assert_eq!(
            shown("2020-09-01T13:57:52.4163147-06:00"),
            want("2020-09-01T19:57:52.416Z", Some(-21_600))
        );
        assert_eq!(shown("2030-01-01T10:00:00"), want("2030-01-01T10:00:00.000Z", None));
        assert_eq!(shown("2030-01-01 10:00:00Z"), want("2030-01-01T10:00:00.000Z", Some(0)));
        assert_eq!(shown("2030-01-01T12:00:00+0200"), want("2030-01-01T10:00:00.000Z", Some(7200)));
        assert_eq!(shown("0001-01-01T00:00:00"), None);
        assert_eq!(shown("yesterday"), None);
    }

    #[test]
    fn reads_http_dates() {
        let at = Timestamp::parse_http_date("Wed, 18 Sep 2019 21:25:17 GMT").unwrap();
        assert_eq!(at.to_string(), "2019-09-18T21:25:17.000Z");
        assert_eq!(Timestamp::parse_http_date("0"), None);
    }

    #[test]
    fn a_span_is_ordered() {
        let early = Timestamp::from_nanoseconds(1);
        let late = Timestamp::from_nanoseconds(5);
        assert_eq!(Span::new(late, early), Span::new(early, late));
        assert_eq!(Span::new(early, late).length(), Duration::from_nanos(4));
    }
}
