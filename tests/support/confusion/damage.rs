//! What happens to a capture, or has happened before it was saved.

use super::label::{Decided, Format, Story};
use super::teller::{End, Fault, Item, Teller, get, post_json};
use super::wire::Wire;
use super::{har, saz, wire};
use crate::support::random::Random;

/// A damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Damage {
    None,
    /// The bodies of the answers were not saved.
    BodiesDropped,
    /// The clock of the computer is put right, or wrong, in the middle.
    ClockJump,
    /// Each packet twice.
    Copies,
    /// The file ends after nine tenths of its bytes.
    CutAtNineTenths,
    /// The file ends before the answer that decides.
    CutBefore,
    /// The capture lost some frames in a hundred.
    FramesLost,
    /// Other traffic, some of which fails.
    Noise,
    /// Only what the client sent, or only what it got.
    OneDirection,
    /// Packets change places.
    Reordered,
    /// Cookies and credentials were taken out.
    Sanitised,
    /// Entries in any order.
    Shuffled,
    /// 96 bytes of each frame.
    Snapped,
    /// The capture was started after the page had come.
    StartsLate,
    /// The capture was stopped before the answer that decides.
    StopsBefore,
}

impl Damage {
    pub(crate) const ALL: [Self; 15] = [
        Self::None,
        Self::BodiesDropped,
        Self::ClockJump,
        Self::Copies,
        Self::CutAtNineTenths,
        Self::CutBefore,
        Self::FramesLost,
        Self::Noise,
        Self::OneDirection,
        Self::Reordered,
        Self::Sanitised,
        Self::Shuffled,
        Self::Snapped,
        Self::StartsLate,
        Self::StopsBefore,
    ];

    /// Those that take the end away.
    pub(crate) const CUTS: [Self; 3] = [Self::CutAtNineTenths, Self::CutBefore, Self::StopsBefore];

    /// Whether it takes the end away.
    pub(crate) const fn is_cut(self) -> bool {
        matches!(self, Self::CutAtNineTenths | Self::CutBefore | Self::StopsBefore)
    }

    /// Whether captures of a format meet it.
    pub(crate) const fn meets(self, format: Format) -> bool {
        match self {
            Self::None
            | Self::ClockJump
            | Self::CutAtNineTenths
            | Self::CutBefore
            | Self::Noise
            | Self::StartsLate
            | Self::StopsBefore => true,
            Self::BodiesDropped | Self::Sanitised | Self::Shuffled => format.is_har(),
            Self::Copies | Self::FramesLost | Self::Reordered => format.is_packets(),
            Self::OneDirection | Self::Snapped => matches!(format, Format::Dark),
        }
    }
}

/// A capture, and whether what decides is in it.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) decided: Decided,
}

/// A file, and where in it the item that decides begins.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) decides_at: Option<usize>,
    /// Where that item ends, when nothing of it is missing.
    pub(crate) decided_at: Option<usize>,
}

fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The capture of a story; `None` where the damage has nothing to take.
pub(crate) fn capture(story: &Story, format: Format, damage: Damage) -> Option<Capture> {
    let seed = seed(&format!("{} {format:?}", story.name));
    let mut teller = Teller::new(seed);
    (story.tell)(&mut teller);
    let (items, extras) = (std::mem::take(&mut teller.items), std::mem::take(&mut teller.extras));
    let mut decides = teller.decides;
    let mut items = items;
    let mut random = Random::new(seed ^ 0x00da_4a9e);
    let end = items.last().map_or(0.0, |item| item.at + item.took);
    let mut wire = Wire::new(seed, extras, end);
    match damage {
        Damage::BodiesDropped => {
            for item in &mut items {
                item.body = item.body.take().map(|(kind, _)| (kind, String::new()));
            }
        }
        Damage::ClockJump if !format.is_packets() => {
            let middle = items.len() / 2;
            let jump = if random.below(2) == 0 { 1800.0 } else { 61.0 };
            for item in items.iter_mut().skip(middle) {
                item.at += jump;
            }
        }
        Damage::Noise => {
            let end = items.last()?.at;
            let before = decides.map(|decides| items[decides].at);
            items.extend(noise(&mut teller, end));
            items.sort_by(|one, other| one.at.total_cmp(&other.at));
            decides = before.and_then(|at| items.iter().position(|item| item.at >= at));
        }
        Damage::Sanitised => {
            let is_secret = |(name, _): &(String, String)| {
                ["cookie", "set-cookie", "authorization"]
                    .contains(&name.to_ascii_lowercase().as_str())
            };
            for item in &mut items {
                item.sent.retain(|one| !is_secret(one));
                item.fields.retain(|one| !is_secret(one));
            }
        }
        Damage::StartsLate => {
            let late = teller.late?;
            wire.from = items.get(late)?.at - 0.01;
            // Packets of connections that are older than the capture are in it all the same.
            if !format.is_packets() {
                items.drain(..late);
                decides = decides.and_then(|decides| decides.checked_sub(late));
            }
        }
        Damage::StopsBefore => {
            // What was asked before may have been answered after: the request is all there is of it.
            let at = items.get(decides?)?.at;
            wire.until = at - 0.01;
            if !format.is_packets() {
                items.retain(|item| item.at < at);
                for item in items.iter_mut().filter(|item| item.at + item.took > at) {
                    item.end = End::None;
                }
                decides = None;
            }
        }
        _ => {}
    }
    wire.damage = damage;
    if matches!(damage, Damage::Shuffled) {
        wire.shuffle = true;
    }
    let file = if format.is_har() {
        har::write(format, &items, decides, &mut teller, wire.shuffle)
    } else if format == Format::Saz {
        saz::write(&items, decides, &mut teller)
    } else {
        wire::write(format, &items, decides, &wire)
    };
    let mut bytes = file.bytes;
    let mut decided = if damage == Damage::StopsBefore { Decided::No } else { Decided::Yes };
    match damage {
        Damage::CutAtNineTenths => {
            let at = bytes.len() * 9 / 10;
            decided = match (file.decides_at, file.decided_at) {
                (_, Some(end)) if end <= at => Decided::Yes,
                (Some(start), _) if start < at => Decided::InPart,
                _ => Decided::No,
            };
            bytes.truncate(at);
        }
        Damage::CutBefore => {
            let at = file.decides_at?;
            bytes.truncate(at + 7);
            decided = Decided::No;
        }
        _ => {}
    }
    Some(Capture { bytes, decided })
}

/// What a computer does besides, and fails at.
fn noise(t: &mut Teller, end: f64) -> Vec<Item> {
    let kept = std::mem::take(&mut t.items);
    let process = t.process.take();
    let ads = if t.random.below(2) == 0 { Fault::NameUnknown } else { Fault::BlockedByClient };
    let mut places: Vec<f64> = (0..6).map(|_| 0.0).collect();
    for place in &mut places {
        *place = t.between(0.2, end.max(1.0));
    }
    places.sort_by(f64::total_cmp);
    let items = [
        get("https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js").fails(ads).part(),
        post_json("https://browser.events.data.microsoft.com/OneCollector/1.0/", "{}")
            .fails(Fault::Unanswered)
            .took(5.0)
            .part(),
        get("https://www.woodgrove.example/feed").html("<html><title>Feed</title></html>"),
        get("https://intranet.woodgrove.example/whoami")
            .status(401)
            .field("WWW-Authenticate", "Negotiate")
            .html(""),
        get("https://cdn.woodgrove.example/logo.png").fails(Fault::Reset).part(),
        post_json("https://eu-mobile.events.data.microsoft.com/OneCollector/1.0/", "{}")
            .fails(Fault::ResetAfterHello)
            .part(),
    ];
    for (place, item) in places.into_iter().zip(items) {
        t.now = place;
        t.put(item);
    }
    t.process = process;
    std::mem::replace(&mut t.items, kept)
}
