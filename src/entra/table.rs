//! Reads the tab separated tables that lie beside the code, and spells closed lists once.
//!
//! It knows nothing of what a table means: it hands out fields, and each module gives them a
//! type. A closed list is declared with `vocabulary!`, so that its names, its parser and its
//! serialised form cannot drift apart.
//!
//! A line with the wrong number of fields is skipped, never a panic; unit tests prove that no
//! table of ours has such a line. The first line is a header and carries no data.

/// The data lines of a table that has exactly `N` columns.
pub(super) fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let mut row = [""; N];
        for slot in &mut row {
            *slot = fields.next()?;
        }
        fields.next().is_none().then_some(row)
    })
}

/// Whether a public source stands behind a row.
pub(super) fn is_verified(source: &str) -> bool {
    !source.starts_with("unverified")
}

/// A filled field that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// An empty field is no value; a filled one must parse.
pub(super) fn optional<T>(
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Malformed> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some).ok_or(Malformed) }
}

/// `yes` or `no`.
pub(super) fn yes_no(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Declares a closed list: the enum, its names, its parser and its serialised form.
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every value of the list, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that tables and reports use.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The value of this exact name.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(super) use vocabulary;

#[cfg(test)]
pub(super) mod check {
    /// Every line has `columns` fields, the header included, and no field has outer blanks.
    pub(in crate::entra) fn shape(table: &str, columns: usize) {
        assert!(table.ends_with('\n'), "last line has no line end");
        for line in table.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            assert_eq!(fields.len(), columns, "{line}");
            assert!(fields.iter().all(|field| field.trim() == *field), "{line}");
        }
    }

    /// The keys rise strictly, so they are sorted and unique.
    pub(in crate::entra) fn rising<K: Ord + std::fmt::Debug>(keys: impl IntoIterator<Item = K>) {
        let keys: Vec<_> = keys.into_iter().collect();
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1], "{:?} does not come before {:?}", pair[0], pair[1]);
        }
    }

    /// Every data line became a row, so none is malformed.
    pub(in crate::entra) fn complete(table: &str, rows: usize) {
        assert_eq!(table.lines().count() - 1, rows, "a row was skipped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_lines_are_skipped() {
        let got: Vec<[&str; 2]> = rows("h\th\na\tb\nonly\nx\ty\tz\n\tq\n").collect();
        assert_eq!(got, [["a", "b"], ["", "q"]]);
    }

    #[test]
    fn an_empty_field_is_no_value() {
        assert_eq!(optional("", yes_no), Ok(None));
        assert_eq!(optional("no", yes_no), Ok(Some(false)));
        assert_eq!(optional("maybe", yes_no), Err(Malformed));
    }

    #[test]
    fn unverified_sources_are_told_apart() {
        assert!(is_verified("RFC 9110"));
        assert!(!is_verified("unverified (by analogy)"));
    }
}
