//! Secrets of TLS, in every form in which they are given.
//!
//! A key log is text; a packet capture may hold the same text in blocks of its own. It must not know
//! what a secret opens.
//!
//! Invariant: nothing of what is read is shown, not even where it is no key log.

use super::{Place, Walk};
use crate::capture::Source;
use crate::capture::frames::{Item, Loss, Sink, walk};
use crate::capture::look::{Looks, look};
use crate::capture::tally::TLS_KEYS;
use crate::capture::{PacketError, ReadOptions};
use crate::evidence::{DiagnosticCode, Format, InputId, Likeness};
use crate::proto;
use crate::proto::tls::{KeyLog, KeyLogRead};

/// What to give where no secret is.
const WANTED: &str = "a key log has lines such as CLIENT_RANDOM and two numbers: give the file that \
                      SSLKEYLOGFILE named";

/// What is said of something without a secret.
pub(super) fn no_secret(looks: &Looks) -> String {
    format!("no secret of TLS is in it; it looks like {looks}; {WANTED}")
}

impl Walk<'_, '_> {
    /// Takes the keys of what is neither an archive nor surely a key log.
    pub(super) fn keys_of(
        &mut self,
        place: &Place,
        source: Source,
        head: &[u8],
        format: Option<Format>,
    ) -> Option<Looks> {
        let looks = match format {
            Some(Format::Pcapng) => return self.keys_of_capture(place, source),
            Some(Format::Pcap) => {
                Looks::new("a packet capture in a form that holds no secrets", Likeness::Other)
            }
            Some(Format::Har) => Looks::new("a HAR", Likeness::Other),
            // The beginning of a key log may be damaged; in an archive it may be any text.
            _ if !place.is_member || KeyLog::probe(head) != proto::Probe::No => {
                self.keys(place, source);
                return None;
            }
            _ => look(head),
        };
        if !place.is_member {
            self.unrecognised(place, source, &looks);
        }
        Some(looks)
    }

    /// Takes the keys in the blocks of a packet capture.
    fn keys_of_capture(&mut self, place: &Place, mut source: Source) -> Option<Looks> {
        self.raise_for_packets();
        let mut blocks = Blocks { options: self.options, sum: KeyLogRead::default() };
        let outcome = walk(Format::Pcapng, &mut source, &mut blocks);
        let sum = blocks.sum;
        if sum.secrets == 0 && outcome.is_ok() {
            let looks = Looks::new("a packet capture without secrets in it", Likeness::Other);
            if !place.is_member {
                self.unrecognised(place, source, &looks);
            }
            return Some(looks);
        }
        let id = self.add_input(place, Format::KeyLog);
        if let Err(PacketError { error, .. }) = outcome {
            self.report_stream(Some(id), place, &error);
        }
        self.conclude_keys(id, &source, sum, source.is_limited());
        None
    }

    /// Takes the keys of a key log.
    pub(super) fn keys(&mut self, place: &Place, mut source: Source) {
        let id = self.add_input(place, Format::KeyLog);
        let outcome = self.options.keys.read(&mut source);
        match outcome {
            Ok((read, is_longer)) => self.conclude_keys(id, &source, read, is_longer),
            Err(error) => {
                self.report_stream(Some(id), place, &error);
                if let Some(input) = self.into.input_mut(id) {
                    input.bytes = source.size();
                }
            }
        }
    }

    /// Says what came of an input with keys.
    fn conclude_keys(&mut self, id: InputId, source: &Source, read: KeyLogRead, is_longer: bool) {
        let mut say = |text: &str| self.into.diagnose(DiagnosticCode::KeyLog, Some(id), text);
        if read.secrets == 0 {
            say(&format!("no secret of TLS is in it; {WANTED}"));
        } else if read.malformed > 0 {
            say(&format!("{} lines are none of a key log; passed over", read.malformed));
        }
        if is_longer || read.dropped > 0 {
            say("more secrets than are kept: give a key log of the time of the capture");
        }
        if let Some(input) = self.into.input_mut(id) {
            input.records = u64::from(read.secrets);
            if read.secrets == 0 {
                input.format = Format::Unrecognised;
            }
            input.bytes = source.size();
        }
    }
}

/// Takes the secrets of a capture, and nothing else.
struct Blocks<'a, 'o> {
    options: &'a ReadOptions<'o>,
    sum: KeyLogRead,
}

impl Sink for Blocks<'_, '_> {
    fn item(&mut self, _: u64, item: &Item<'_>) {
        if let Item::Secrets(secrets) = item
            && secrets.kind == TLS_KEYS
        {
            self.sum.add(self.options.keys.add(secrets.bytes));
        }
    }

    fn lost(&mut self, _: Loss) {}

    fn is_stopped(&self) -> bool {
        self.options.is_cancelled()
    }
}
