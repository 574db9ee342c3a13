//! JSON whose strings do nothing to a terminal or an editor.
//!
//! What they would act on is written as escapes, pretty printed or on one line. It must not change
//! what a reader of the JSON gets.
//!
//! Invariant: the only control character in the output is the line end that a formatter writes.

use std::io;

use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use crate::report::model::acts;

/// A document, pretty printed, with one line end behind it.
pub(in crate::report) fn pretty(document: &impl serde::Serialize) -> String {
    written(document, Harmless(PrettyFormatter::new()))
}

/// A document on one line, with its line end.
pub(in crate::report) fn line(document: &impl serde::Serialize) -> String {
    written(document, Harmless(CompactFormatter))
}

fn written(document: &impl serde::Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut serializer = Serializer::with_formatter(&mut bytes, formatter);
    // Writing to memory cannot fail, and no type of the document refuses to be written.
    let _ = document.serialize(&mut serializer);
    bytes.push(b'\n');
    // Serialisation writes UTF-8 only.
    String::from_utf8(bytes).unwrap_or_default()
}

/// A formatter that writes what a terminal or an editor would act on as escapes: control
/// characters of both sets, marks that turn the direction of text, and line separators.
struct Harmless<F>(F);

impl<F: Formatter> Formatter for Harmless<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = fragment;
        while let Some((before, c)) = plain
            .char_indices()
            .find(|(_, c)| acts(*c))
            .and_then(|(index, c)| Some((plain.get(..index)?, c)))
        {
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = plain.get(before.len().saturating_add(c.len_utf8())..).unwrap_or_default();
        }
        writer.write_all(plain.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
