//! Takes questions, records and names out of a message (RFC 1035 sections 3.1 and 4.1).
//!
//! It must not know what a record says.
//!
//! Invariants: `at` is at most the length of the message; a pointer leads only to what stands before
//! it, and at most [`limits::DNS_POINTERS`] of them make a name.

use crate::limits;

use super::{Question, is_class};

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The message ends where more of it should be.
    Cut,
    /// What stands there cannot be.
    Malformed,
}

/// A record whose data is not looked at.
pub(super) struct Frame<'a> {
    /// Where its owner stands in the message.
    pub(super) owner: usize,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    /// Where its data stands in the message.
    pub(super) at: usize,
    pub(super) data: &'a [u8],
}

impl Frame<'_> {
    /// Whether it may be a record of any type; the class of OPT is a size (RFC 6891 section 6.1.2).
    pub(super) fn is_plausible(&self) -> bool {
        self.kind == super::OPT || (self.kind != 0 && is_class(self.class))
    }
}

/// A place in a message.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.message.len()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.saturating_add(length);
        let bytes = self.message.get(self.at..end).ok_or(Stop::Cut)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.bytes(N)?.try_into().map_err(|_| Stop::Cut)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn question(&mut self) -> Result<Question, Stop> {
        let (name, end) = name(self.message, self.at)?;
        self.at = end;
        Ok(Question { name, qtype: self.u16()?, qclass: self.u16()? })
    }

    pub(super) fn skip_question(&mut self) -> Result<(), Stop> {
        self.skip_name()?;
        self.bytes(4).map(|_| ())
    }

    pub(super) fn frame(&mut self) -> Result<Frame<'a>, Stop> {
        let owner = self.at;
        self.skip_name()?;
        let (kind, class, ttl, length) = (self.u16()?, self.u16()?, self.u32()?, self.u16()?);
        let at = self.at;
        let data = self.bytes(usize::from(length))?;
        Ok(Frame { owner, kind, class, ttl, at, data })
    }

    /// Whether a name stands at `at`.
    pub(super) fn check_name(&self, at: usize) -> Result<(), Stop> {
        walk(self.message, at, &mut |_| ()).map(|_| ())
    }

    /// The name that stands at `at`.
    pub(super) fn name_from(&self, at: usize) -> Result<String, Stop> {
        name(self.message, at).map(|(name, _)| name)
    }

    /// The name that the data of a record consists of.
    pub(super) fn name_in(&self, frame: &Frame<'_>) -> Option<String> {
        let (name, end) = name(self.message, frame.at).ok()?;
        (end == frame.at.saturating_add(frame.data.len())).then_some(name)
    }

    /// Passes over a name without following pointers.
    fn skip_name(&mut self) -> Result<(), Stop> {
        loop {
            match self.array()? {
                [0] => return Ok(()),
                [length] if length < LABEL => self.bytes(length.into())?,
                [length] if length >= POINTER => return self.bytes(1).map(|_| ()),
                _ => return Err(Stop::Malformed),
            };
        }
    }
}

/// The name at a place of the message, and where it ends there.
fn name(message: &[u8], at: usize) -> Result<(String, usize), Stop> {
    // Names are short, and a text that grows by its labels is moved with each of them.
    let mut text = String::with_capacity(USUAL_NAME);
    let mut fits = true;
    let end = walk(message, at, &mut |label| {
        if let Some(label) = label {
            fits = fits && push_label(&mut text, label);
        } else {
            text.clear();
            text.push_str("<Unknown extended label>");
        }
    })?;
    if text.is_empty() {
        text.push('.');
    }
    Ok((text, end))
}

/// Goes through the labels of a name, and gives the place where it ends; a label that is none of those
/// known is `None`, and the last.
fn walk(message: &[u8], at: usize, label: &mut impl FnMut(Option<&[u8]>)) -> Result<usize, Stop> {
    let mut reader = Reader { message, at };
    let mut end = None;
    let mut wire = 1_usize;
    let mut pointers = 0_usize;
    loop {
        let start = reader.at;
        match reader.array()? {
            [0] => break,
            [length] if length < LABEL => {
                // RFC 1035 section 2.3.4: 255 bytes, the lengths and the root included.
                wire = wire.saturating_add(usize::from(length)).saturating_add(1);
                if wire > limits::DNS_NAME {
                    return Err(Stop::Malformed);
                }
                label(Some(reader.bytes(length.into())?));
            }
            [length] if length >= POINTER => {
                let [low] = reader.array()?;
                let target = usize::from(u16::from_be_bytes([length & !POINTER, low]));
                end.get_or_insert(reader.at);
                pointers = pointers.saturating_add(1);
                if target >= start || pointers > limits::DNS_POINTERS {
                    return Err(Stop::Malformed);
                }
                reader.at = target;
            }
            // RFC 6891 section 5: no such label is in use; what follows cannot be told apart.
            _ => {
                label(None);
                break;
            }
        }
    }
    Ok(end.unwrap_or(reader.at))
}

/// Adds a label: lower case, what is no visible ASCII as Wireshark shows it: control bytes in octal or
/// with their letter, bytes beyond ASCII as the sign for what is none.
///
/// `false` when the text became as long as a name may be, which only escapes can bring about.
fn push_label(text: &mut String, label: &[u8]) -> bool {
    let mut fits = text.is_empty() || push_within(text, ".");
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\');
    if fits
        && text.len().saturating_add(label.len()) <= limits::DNS_NAME
        && label.iter().all(is_plain)
    {
        text.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        return true;
    }
    for &byte in label {
        fits = fits
            && match byte {
                b'.' => push_within(text, "\\."),
                b'\\' => push_within(text, "\\\\"),
                b'!'..=b'~' => {
                    let byte = char::from(byte.to_ascii_lowercase());
                    push_within(text, byte.encode_utf8(&mut [0; 4]))
                }
                b'\t' => push_within(text, "\\t"),
                b'\n' => push_within(text, "\\n"),
                b'\r' => push_within(text, "\\r"),
                0x80.. => push_within(text, "\u{fffd}"),
                _ => push_within(text, &format!("\\{byte:03o}")),
            };
    }
    fits
}

fn push_within(text: &mut String, piece: &str) -> bool {
    let fits = text.len().saturating_add(piece.len()) <= limits::DNS_NAME;
    if fits {
        text.push_str(piece);
    }
    fits
}

/// Bytes that a usual name takes at most.
const USUAL_NAME: usize = 64;
/// The first length that is none of a label (RFC 1035 section 3.1).
const LABEL: u8 = 0x40;
/// The bits of a pointer (RFC 1035 section 4.1.4).
const POINTER: u8 = 0xc0;
