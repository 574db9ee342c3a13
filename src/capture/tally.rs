//! Counts the frames of a packet capture and says what is worth knowing of it as a whole.
//!
//! It must not look into a frame: that is for [`Packets`], to whom each is handed.
//!
//! Invariant: what is kept does not grow with the capture: counters, and one of them for each of a
//! bounded number of link types and interfaces.

use std::collections::BTreeMap;

use super::ReadOptions;
use super::frames::{Fault, Item, LinkType, Loss, PacketError, Sink, walk};
use super::packets::Packets;
use super::source::Source;
use crate::evidence::{
    Diagnostic, DiagnosticCode, EvidenceBuilder, Format, InputId, Vantage, WireCoverage, shown,
};
use crate::limits::{self, Budget};
use crate::time::{Span, Timestamp};

/// The type of secrets that are a TLS key log (pcapng, section 4.7).
pub(super) const TLS_KEYS: u32 = 0x544c_534b;
/// Characters kept of the name of the program that wrote the file.
const PRODUCER: usize = 80;

/// Reads a packet capture and counts what it holds.
pub(super) fn count(
    format: Format,
    source: &mut Source,
    options: &ReadOptions<'_>,
    budget: &Budget,
    input: InputId,
    into: &mut EvidenceBuilder,
) -> Result<(), PacketError> {
    let packets = Packets::new(input, budget.share());
    let mut tally = Tally { options, input, into, packets, counts: Counts::default() };
    let outcome = walk(format, source, &mut tally);
    let is_limited = source.is_limited();
    let Tally { counts, packets, .. } = tally;
    let wire = packets.finish(options, into);
    if options.is_cancelled() {
        let text = format!("stopped; the {} frames before it are read", counts.frames);
        into.add_diagnostic(Diagnostic {
            code: DiagnosticCode::Cancelled,
            input: Some(input),
            offset: Some(source.offset()),
            lost: None,
            text,
        });
    }
    counts.conclude(
        outcome.is_err() || is_limited || options.is_cancelled(),
        is_limited,
        input,
        wire,
        into,
    );
    outcome
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    /// The number of the last frame.
    frames: u64,
    span: Option<Span>,
    /// Frames whose ends were not captured, and the longest of them as captured.
    cut: u64,
    longest_cut: u64,
    /// Frames of link types that are not decoded.
    foreign: BTreeMap<LinkType, u64>,
    /// Frames of interfaces that are not described, and where the first of them stands.
    undescribed: Option<(u64, u64)>,
    /// Frames that the capturing system dropped, by section and interface.
    dropped: BTreeMap<(u32, u32), u64>,
    /// Parts that could not be read.
    losses: u64,
    /// The end is missing: where, how many bytes of the last record are there, and how many are not.
    end: Option<(u64, u64, u64)>,
    producer: Option<String>,
}

struct Tally<'a, 'o> {
    options: &'a ReadOptions<'o>,
    input: InputId,
    into: &'a mut EvidenceBuilder,
    packets: Packets,
    counts: Counts,
}

impl Tally<'_, '_> {
    fn diagnose(&mut self, offset: u64, lost: Option<u64>, text: String) {
        let (code, input) = (DiagnosticCode::PacketRecord, Some(self.input));
        self.into.add_diagnostic(Diagnostic { code, input, offset: Some(offset), lost, text });
    }
}

impl Sink for Tally<'_, '_> {
    fn item(&mut self, offset: u64, item: &Item<'_>) {
        let counts = &mut self.counts;
        match item {
            Item::Frame(frame) => {
                // Keys that stand before the first frame are in time.
                self.options.keys.begin();
                counts.frames = frame.number.get();
                if let Some(at) = frame.at {
                    counts.saw(at);
                }
                if frame.is_cut() {
                    counts.cut = counts.cut.saturating_add(1);
                    counts.longest_cut =
                        counts.longest_cut.max(super::source::as_u64(frame.data.len()));
                }
                match frame.link {
                    Some(LinkType::ETHERNET) => {}
                    Some(link) if link.is_known() => {}
                    Some(link) => counts.is_foreign(link),
                    None => {
                        let (count, _) = counts.undescribed.get_or_insert((0, offset));
                        *count = count.saturating_add(1);
                    }
                }
                self.packets.frame(frame, self.options, self.into);
            }
            Item::Listed(number) => counts.frames = number.get(),
            Item::Passed(fault) => {
                counts.losses = counts.losses.saturating_add(1);
                let text = format!("after frame {}: {fault}; passed over", counts.frames);
                self.diagnose(offset, Some(1), text);
            }
            Item::Section(Some(program)) if counts.producer.is_none() => {
                let program = String::from_utf8_lossy(program);
                let program = shown(program.trim(), PRODUCER);
                counts.producer = Some(program).filter(|program| !program.is_empty());
            }
            Item::Statistics { section, interface, dropped } => {
                if counts.dropped.len() < limits::INTERFACES {
                    let known = counts.dropped.entry((*section, *interface)).or_insert(0);
                    *known = (*known).max(*dropped);
                }
            }
            Item::Secrets(secrets) if secrets.kind == TLS_KEYS => {
                let read = self.options.keys.add(secrets.bytes);
                if read.dropped > 0 {
                    let text = "more secrets than are kept";
                    self.into.diagnose(DiagnosticCode::KeyLog, Some(self.input), text);
                }
            }
            Item::Interface(_) | Item::Secrets(_) | Item::Section(_) => {}
        }
    }

    fn lost(&mut self, loss: Loss) {
        let Loss { at, bytes, fault, resumed } = loss;
        let frames = self.counts.frames;
        if let (Fault::Cut { missing }, None) = (fault, resumed) {
            self.counts.end = Some((at, bytes, missing));
            return;
        }
        self.counts.losses = self.counts.losses.saturating_add(1);
        let then = match resumed {
            Some(resumed) => format!("lost {bytes} bytes, resumed at byte {resumed}"),
            None => format!("lost {bytes} bytes; no frame came after it"),
        };
        self.diagnose(at, Some(bytes), format!("after frame {frames}: {fault}; {then}"));
    }

    fn is_stopped(&self) -> bool {
        self.options.is_cancelled()
    }
}

impl Counts {
    fn saw(&mut self, at: Timestamp) {
        self.span = Some(self.span.map_or_else(|| Span::new(at, at), |span| span.extended(at)));
    }

    fn is_foreign(&mut self, link: LinkType) {
        if self.foreign.len() < limits::INTERFACES || self.foreign.contains_key(&link) {
            let count = self.foreign.entry(link).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    fn conclude(
        self,
        is_broken: bool,
        is_limited: bool,
        input: InputId,
        wire: WireCoverage,
        into: &mut EvidenceBuilder,
    ) {
        let frames = self.frames;
        let mut say = |code, offset, lost, text| {
            into.add_diagnostic(Diagnostic { code, input: Some(input), offset, lost, text });
        };
        // Where reading itself failed or was bounded, that is said elsewhere.
        if let Some((at, bytes, missing)) = self.end.filter(|_| !is_broken) {
            let text = format!(
                "the file ends inside a record, of which {bytes} bytes are there and {missing} are \
                 missing; the {frames} frames before it are read"
            );
            say(DiagnosticCode::Truncated, Some(at), Some(1), text);
        }
        for (link, count) in self.foreign.iter().take(limits::DIAGNOSTICS_PER_KIND) {
            let text = format!("{count} frames of link type {}, which is not decoded", link.0);
            say(DiagnosticCode::LinkType, None, Some(*count), text);
        }
        if let Some((count, at)) = self.undescribed {
            let text = format!(
                "{count} frames are of interfaces that are not described: they are counted, without \
                 a time and a link type"
            );
            say(DiagnosticCode::PacketRecord, Some(at), Some(count), text);
        }
        if self.cut > 0 {
            let text = format!(
                "{} of {frames} frames were not captured to their ends, at most {} bytes of each: \
                 capture whole packets (tcpdump -s 0, pktmon --pkt-size 0)",
                self.cut, self.longest_cut
            );
            say(DiagnosticCode::FramesCut, None, Some(self.cut), text);
        }
        let dropped = self.dropped.values().fold(0_u64, |all, one| all.saturating_add(*one));
        if dropped > 0 {
            let text = format!("the capturing system says that it dropped {dropped} packets");
            say(DiagnosticCode::FramesDropped, None, Some(dropped), text);
        }
        if let Some(coverage) = into.coverage_mut(input) {
            coverage.vantage = Vantage::Wire;
            coverage.wire = Some(WireCoverage { dropped: wire.dropped.max(dropped), ..wire });
            coverage.span = self.span;
            coverage.truncated |= is_broken || is_limited || self.end.is_some();
            let undescribed = self.undescribed.map_or(0, |(count, _)| count);
            let lost = self.losses.saturating_add(undescribed);
            let lost = lost.saturating_add(u64::from(self.end.is_some()));
            coverage.records_lost = coverage.records_lost.saturating_add(lost);
        }
        if let Some(about) = into.input_mut(input) {
            about.records = frames;
            about.producer = self.producer;
            about.first = self.span.map(Span::first);
            about.last = self.span.map(Span::last);
        }
    }
}
