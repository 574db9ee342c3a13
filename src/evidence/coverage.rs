//! What a capture could and could not see.
//!
//! A claim that something did not happen needs proof that the capture would have shown it. The proof
//! is a [`CoverageProof`], and only this file makes one.
//!
//! Invariant: a proof is given for a window that lies wholly inside what one input recorded without
//! a known gap, and never for an input that sees tunnels only.

use std::time::Duration;

use super::{EvidenceRef, InputId};
use crate::time::{Span, Timestamp};

/// Where the capture was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vantage {
    /// Inside one browser: its own requests, with their contents.
    Browser,
    /// In a proxy on the client machine: the requests of all programs that use it.
    Proxy,
    /// Inside a program that is no browser: the requests of a library.
    Program,
    /// On the wire.
    Wire,
}

/// What hides traffic from a capture of packets, although its packets are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// Lookups inside TLS or QUIC.
    DnsOverTls,
    /// A proxy on the computer itself.
    LoopbackProxy,
    /// A virtual private network, by its protocol or port.
    Vpn,
}

impl Tunnel {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DnsOverTls => "DNS over TLS",
            Self::LoopbackProxy => "a proxy on the computer itself",
            Self::Vpn => "a VPN",
        }
    }
}

/// What a capture of packets could see.
#[derive(Clone, Debug, Default)]
pub struct WireCoverage {
    /// Frames that carry TCP, and UDP.
    pub segments: u64,
    /// Frames that carry UDP.
    pub datagrams: u64,
    /// Whether packets of one direction only were captured: nothing may be called unanswered.
    pub is_one_sided: bool,
    /// Frames whose ends were not captured.
    pub cut: u64,
    /// Bytes that a frame was cut to at most.
    pub cut_to: u64,
    /// Frames that the capturing system says it lost.
    pub dropped: u64,
    /// Frames that are copies of others.
    pub copies: u64,
    /// Connections that were open when the capture began.
    pub mid_stream: u64,
    /// Connections that were opened while it ran.
    pub opened: u64,
    /// Questions to name servers.
    pub lookups: u64,
    /// Bytes that a receiver acknowledged and the capture does not have.
    pub missing: u64,
    /// What hides traffic, how many packets or connections of it there are, and the first.
    pub tunnels: Vec<(Tunnel, u64, EvidenceRef)>,
    /// Frames of a link type, or with contents, that are not decoded.
    pub undecoded: u64,
    /// What keys made of the connections of TLS, where there are keys.
    pub keys: Option<KeyCoverage>,
    /// The first frame, to point at.
    pub first_frame: Option<EvidenceRef>,
}

/// What keys made of the connections of TLS of one capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCoverage {
    /// Connections that were opened.
    pub opened: u64,
    /// Connections for which there is no secret.
    pub no_secret: u64,
    /// Connections whose handshake was not captured, so that their secret cannot be found.
    pub mid_stream: u64,
    /// Connections with a cipher suite or a version that is not supported.
    pub unsupported: u64,
    /// Connections that their secret did not open.
    pub failed: u64,
    /// Bytes of application data that stayed closed in those that were opened.
    pub dark: u64,
}

impl KeyCoverage {
    /// Connections that stayed closed.
    pub const fn closed(&self) -> u64 {
        self.no_secret
            .saturating_add(self.mid_stream)
            .saturating_add(self.unsupported)
            .saturating_add(self.failed)
    }
}

/// What one input could see.
#[derive(Clone, Debug)]
pub struct InputCoverage {
    /// The input.
    pub input: InputId,
    /// Where it was taken.
    pub vantage: Vantage,
    /// From the first to the last sign of life in it.
    pub span: Option<Span>,
    /// Whether its end is known to be missing.
    pub truncated: bool,
    /// Whether the exporter removed cookies and tokens.
    pub sanitised: bool,
    /// Bodies of sign-in hosts that a response announced.
    pub bodies_expected: u32,
    /// Bodies of sign-in hosts that are not in the capture.
    pub bodies_missing: u32,
    /// CONNECT tunnels that were not decrypted.
    pub blind_tunnels: u32,
    /// Exchanges over HTTPS whose contents can be read.
    pub decrypted: u32,
    /// Records that could not be read.
    pub records_lost: u64,
    /// What a capture of packets could see.
    pub wire: Option<WireCoverage>,
}

impl InputCoverage {
    pub(super) const fn new(input: InputId) -> Self {
        Self {
            input,
            vantage: Vantage::Program,
            span: None,
            truncated: false,
            sanitised: false,
            bodies_expected: 0,
            bodies_missing: 0,
            blind_tunnels: 0,
            decrypted: 0,
            records_lost: 0,
            wire: None,
        }
    }

    /// Whether HTTPS is there and none of it can be read.
    pub const fn is_tunnels_only(&self) -> bool {
        self.blind_tunnels > 0 && self.decrypted == 0
    }
}

/// What all inputs of the case could see.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// One for each input, in their order.
    pub inputs: Vec<InputCoverage>,
}

/// Proof that a window was recorded, so that what is not in it did not happen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageProof {
    input: InputId,
    window: Span,
}

impl CoverageProof {
    /// The input that recorded the window.
    pub const fn input(self) -> InputId {
        self.input
    }

    /// The window.
    pub const fn window(self) -> Span {
        self.window
    }
}

/// Why a capture cannot say that something did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unseen {
    /// Contents that would tell were not saved.
    BodiesMissing,
    /// The capture ended too early.
    CaptureEnded,
    /// The capture began too late.
    CaptureStarted,
    /// The traffic is encrypted.
    Encrypted,
    /// It was not shown although the capture went on.
    NotShown,
    /// Part of the capture could not be read.
    RecordsLost,
    /// The capture has no times.
    Timeless,
}

impl Unseen {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodiesMissing => "bodies_missing",
            Self::CaptureEnded => "capture_ended",
            Self::CaptureStarted => "capture_started",
            Self::Encrypted => "encrypted",
            Self::NotShown => "not_shown",
            Self::RecordsLost => "records_lost",
            Self::Timeless => "timeless",
        }
    }
}

/// Whether something happened, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It happened.
    Present,
    /// It did not, and the capture would have shown it.
    Proven(CoverageProof),
    /// The capture cannot tell.
    Unknown(Unseen),
}

impl Coverage {
    /// What one input could see.
    pub fn of(&self, input: InputId) -> Option<&InputCoverage> {
        self.inputs.iter().find(|coverage| coverage.input == input)
    }

    /// Whether an input recorded the time from `from` on for at least `length`, so that what is not
    /// in it then did not happen.
    pub fn absent(&self, input: InputId, from: Timestamp, length: Duration) -> Absence {
        let Some(coverage) = self.of(input) else { return Absence::Unknown(Unseen::Timeless) };
        if coverage.is_tunnels_only() {
            return Absence::Unknown(Unseen::Encrypted);
        }
        let Some(span) = coverage.span else { return Absence::Unknown(Unseen::Timeless) };
        let window = Span::new(from, from.plus(length));
        if from < span.first() {
            return Absence::Unknown(Unseen::CaptureStarted);
        }
        if window.last() > span.last() {
            return Absence::Unknown(Unseen::CaptureEnded);
        }
        if coverage.records_lost > 0 {
            return Absence::Unknown(Unseen::RecordsLost);
        }
        Absence::Proven(CoverageProof { input, window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_needs_the_whole_window() {
        let at = |seconds: i64| Timestamp::from_nanoseconds(seconds * 1_000_000_000);
        let mut one = InputCoverage::new(InputId(0));
        one.span = Some(Span::new(at(10), at(100)));
        let mut coverage = Coverage { inputs: vec![one] };
        let ask = |coverage: &Coverage, from| {
            coverage.absent(InputId(0), at(from), Duration::from_secs(30))
        };
        assert!(matches!(ask(&coverage, 20), Absence::Proven(_)));
        assert_eq!(ask(&coverage, 5), Absence::Unknown(Unseen::CaptureStarted));
        assert_eq!(ask(&coverage, 80), Absence::Unknown(Unseen::CaptureEnded));
        coverage.inputs[0].records_lost = 1;
        assert_eq!(ask(&coverage, 20), Absence::Unknown(Unseen::RecordsLost));
        coverage.inputs[0].blind_tunnels = 1;
        assert_eq!(ask(&coverage, 20), Absence::Unknown(Unseen::Encrypted));
    }
}
