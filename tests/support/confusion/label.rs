//! What is right: the label of a story, and what of it each view and each damage leaves.
//!
//! A label is the outcome and the side that the specification demands. Where a view cannot show what
//! happened, what it can show is the label; where two readings are thinkable, both are named.

use super::damage::Damage;
use super::teller::Teller;

/// An outcome, and the side that it stands for.
pub(crate) type Reading = (&'static str, &'static str);

/// What cannot be told.
pub(crate) const UNDETERMINED: Reading = ("undetermined", "cannot_tell");
pub(crate) const UNREADABLE: Reading = ("unreadable", "cannot_tell");
pub(crate) const NOTHING: Reading = ("no_sign_in", "cannot_tell");
pub(crate) const BEFORE: Reading = ("sign_in_prevented_by_network", "network");
pub(crate) const AFTER: Reading = ("mfa_prevented_by_network", "network");

/// What stories come to.
pub(crate) const APPLICATION: Reading = ("other_error", "application");
pub(crate) const BLOCKED: Reading = ("blocked_by_policy", "policy");
pub(crate) const DENIED: Reading = ("mfa_denied", "user");
pub(crate) const LEFT: Reading = ("mfa_abandoned", "user");
pub(crate) const METHOD: Reading = ("mfa_method_failed", "user");
pub(crate) const NEVER: Reading = ("mfa_not_attempted", "user");
pub(crate) const PASSED: Reading = ("mfa_completed", "nothing_wrong");
pub(crate) const PROMPT: Reading = ("interaction_required", "application");
pub(crate) const WITHOUT: Reading = ("completed_without_mfa", "nothing_wrong");
pub(crate) const WRONG: Reading = ("mfa_wrong_code", "user");

/// A format of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Format {
    /// Chromium's developer tools.
    Devtools,
    Firefox,
    Playwright,
    /// mitmproxy's export.
    Mitmproxy,
    /// Fiddler Classic, decrypting.
    Saz,
    /// Packets with their secrets in the file.
    Keyed,
    /// The same with HTTP/2.
    KeyedTwo,
    /// Packets without secrets.
    Dark,
    /// Packets of a client behind a proxy, without secrets.
    DarkProxy,
}

impl Format {
    pub(crate) const ALL: [Self; 9] = [
        Self::Devtools,
        Self::Firefox,
        Self::Playwright,
        Self::Mitmproxy,
        Self::Saz,
        Self::Keyed,
        Self::KeyedTwo,
        Self::Dark,
        Self::DarkProxy,
    ];

    pub(crate) const fn is_har(self) -> bool {
        matches!(self, Self::Devtools | Self::Firefox | Self::Playwright | Self::Mitmproxy)
    }

    pub(crate) const fn is_dark(self) -> bool {
        matches!(self, Self::Dark | Self::DarkProxy)
    }

    pub(crate) const fn is_packets(self) -> bool {
        matches!(self, Self::Keyed | Self::KeyedTwo) || self.is_dark()
    }
}

/// Whether what decides is in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    Yes,
    /// The cut goes through it.
    InPart,
    No,
}

/// Rules for damages that were changed after a run, with the reason.
pub(crate) const CHANGED: &[(&str, &str)] = &[
    (
        "bodies dropped, begins late",
        "`sign_in_prevented_by_network` for `mfa_prevented_by_network` as well: the page with the challenge is not in the capture, so nothing tells that it was posed",
    ),
    (
        "packets that begin late",
        "what the same packets without keys show: a connection whose handshake is missing stays closed, keys or not",
    ),
    (
        "cuts of packets without keys",
        "what the story allows for a cut as well (`no_sign_in` where nothing was asked yet): it had been left out by mistake",
    ),
    (
        "cuts through the exchange that decides",
        "both what the whole and what a cut before it allows: it had been taken for a cut before it",
    ),
];

/// Who asks in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Browser,
    Program,
}

/// A story and its label.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    /// What happened, in words.
    pub(crate) told: &'static str,
    /// Only measured: nothing is changed because of what it shows.
    pub(crate) is_measured: bool,
    /// Nothing that the sign-in needs fails on the way.
    pub(crate) is_healthy: bool,
    pub(crate) client: Client,
    pub(crate) want: Reading,
    pub(crate) also: Vec<Reading>,
    pub(crate) host: Option<&'static str>,
    pub(crate) mfa: Option<&'static str>,
    /// Views that show something else.
    views: Vec<(Format, Vec<Reading>)>,
    dark: Vec<Reading>,
    /// The capture ends before what decides.
    early: Vec<Reading>,
    /// It begins after the page.
    late: Vec<Reading>,
    /// Right as well, in some formats and damages.
    besides: Vec<(Vec<Format>, Vec<Damage>, Vec<Reading>)>,
    only: Vec<Format>,
    pub(crate) tell: fn(&mut Teller),
}

/// A story in which the network is well and the outcome is this one.
pub(crate) fn story(
    name: &'static str,
    told: &'static str,
    want: Reading,
    tell: fn(&mut Teller),
) -> Story {
    Story {
        name,
        told,
        is_measured: false,
        is_healthy: want.1 != "network",
        client: Client::Browser,
        want,
        also: Vec::new(),
        host: None,
        mfa: None,
        views: Vec::new(),
        dark: vec![UNREADABLE],
        early: vec![UNDETERMINED],
        late: Vec::new(),
        besides: Vec::new(),
        only: Vec::new(),
        tell,
    }
}

impl Story {
    pub(crate) const fn measured(mut self) -> Self {
        self.is_measured = true;
        self
    }

    pub(crate) const fn program(mut self) -> Self {
        self.client = Client::Program;
        self
    }

    pub(crate) const fn faulty(mut self) -> Self {
        self.is_healthy = false;
        self
    }

    pub(crate) fn also(mut self, readings: &[Reading]) -> Self {
        self.also = readings.to_vec();
        self
    }

    pub(crate) const fn host(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self
    }

    pub(crate) const fn mfa(mut self, state: &'static str) -> Self {
        self.mfa = Some(state);
        self
    }

    pub(crate) fn seen(mut self, formats: &[Format], readings: &[Reading]) -> Self {
        self.views.extend(formats.iter().map(|format| (*format, readings.to_vec())));
        self
    }

    pub(crate) fn dark(mut self, readings: &[Reading]) -> Self {
        self.dark = readings.to_vec();
        self
    }

    pub(crate) fn early(mut self, readings: &[Reading]) -> Self {
        self.early = readings.to_vec();
        self
    }

    pub(crate) fn late(mut self, readings: &[Reading]) -> Self {
        self.late = readings.to_vec();
        self
    }

    pub(crate) fn besides(
        mut self,
        formats: &[Format],
        damages: &[Damage],
        readings: &[Reading],
    ) -> Self {
        self.besides.push((formats.to_vec(), damages.to_vec(), readings.to_vec()));
        self
    }

    pub(crate) fn only(mut self, formats: &[Format]) -> Self {
        self.only = formats.to_vec();
        self
    }

    /// The formats that this story is captured in.
    pub(crate) fn formats(&self) -> Vec<Format> {
        let fits = |format: &Format| {
            if !self.only.is_empty() {
                return self.only.contains(format);
            }
            match self.client {
                Client::Browser => *format != Format::Mitmproxy,
                Client::Program => !matches!(
                    format,
                    Format::Devtools | Format::Firefox | Format::Playwright | Format::KeyedTwo
                ),
            }
        };
        Format::ALL.into_iter().filter(fits).collect()
    }

    /// What is right for the whole capture of a format; the first is the label itself.
    pub(crate) fn whole(&self, format: Format) -> Vec<Reading> {
        if let Some((_, readings)) = self.views.iter().find(|(known, _)| *known == format) {
            return readings.clone();
        }
        if format.is_dark() {
            return self.dark.clone();
        }
        let mut readings = [&[self.want][..], &self.also].concat();
        // Firefox exports no reason of a request that failed: an extension looks the same.
        if format == Format::Firefox && self.want.1 == "network" {
            readings.push(UNDETERMINED);
        }
        readings
    }

    /// What is right for a damaged capture.
    pub(crate) fn right(&self, format: Format, damage: Damage, decided: Decided) -> Vec<Reading> {
        let mut right = self.usual(format, damage, decided);
        for (formats, damages, readings) in &self.besides {
            if formats.contains(&format) && damages.contains(&damage) {
                right.extend(readings);
            }
        }
        right
    }

    fn usual(&self, format: Format, damage: Damage, decided: Decided) -> Vec<Reading> {
        let whole = self.whole(format);
        let with = |more: &[Reading]| [&whole[..], more].concat();
        match damage {
            Damage::None
            | Damage::Copies
            | Damage::Noise
            | Damage::Reordered
            | Damage::Sanitised
            | Damage::Shuffled => whole,
            Damage::ClockJump => with(&[UNDETERMINED]),
            // The page with the challenge cannot be read any more: it may not have been posed yet.
            Damage::BodiesDropped if self.want == AFTER => with(&[UNDETERMINED, BEFORE]),
            Damage::BodiesDropped => with(&[UNDETERMINED]),
            Damage::CutAtNineTenths if decided == Decided::Yes => with(&[UNDETERMINED]),
            Damage::CutAtNineTenths if decided == Decided::InPart => {
                [with(&[UNDETERMINED]), self.early.clone()].concat()
            }
            // What is encrypted may show its fault, or no more than that it is encrypted.
            Damage::CutAtNineTenths | Damage::CutBefore | Damage::StopsBefore
                if format.is_dark() =>
            {
                [with(&[UNDETERMINED, UNREADABLE]), self.early.clone()].concat()
            }
            Damage::CutAtNineTenths | Damage::CutBefore | Damage::StopsBefore => self.early.clone(),
            // Connections that are older than the capture stay closed, keys or not.
            Damage::StartsLate if format.is_packets() => {
                [with(&[UNDETERMINED, UNREADABLE]), self.dark.clone(), self.late.clone()].concat()
            }
            Damage::StartsLate if !self.late.is_empty() => self.late.clone(),
            Damage::StartsLate if self.want == AFTER => with(&[UNDETERMINED, BEFORE]),
            Damage::StartsLate => with(&[UNDETERMINED]),
            Damage::FramesLost | Damage::OneDirection | Damage::Snapped => {
                with(&[UNDETERMINED, UNREADABLE])
            }
        }
    }
}
