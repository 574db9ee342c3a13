//! Whether a connection begins as SOCKS does.
//!
//! It looks at the first bytes of the client. It must not read further than the first message.
//!
//! Invariant: on a port other than the usual one only a first message that is whole is certain.

use crate::proto::Probe;

/// Whether the first bytes of a client are those of SOCKS; `port` is that of the server.
pub fn probe(bytes: &[u8], port: u16) -> Probe {
    let usual = port == USUAL_PORT;
    match bytes {
        [] => Probe::Unsure,
        [4, rest @ ..] => probe_v4(rest, usual),
        [5, rest @ ..] => probe_v5(rest, usual),
        _ => Probe::No,
    }
}

fn probe_v4(rest: &[u8], usual: bool) -> Probe {
    let part = if usual && !rest.is_empty() { Probe::Certain } else { Probe::Unsure };
    if rest.first().is_some_and(|command| !matches!(command, 1 | 2)) {
        return Probe::No;
    }
    let Some(([_, high, low, address @ ..], text)) = rest.split_first_chunk::<7>() else {
        return part;
    };
    if (*high, *low) == (0, 0) {
        return Probe::No;
    }
    let named = matches!(address, [0, 0, 0, last] if *last != 0);
    let texts = if named { 2 } else { 1 };
    let mut text = text;
    for _ in 0..texts {
        let end = text.iter().position(|byte| *byte == 0);
        let (word, behind) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or_default();
        if word.len() > 255 || word.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return Probe::No;
        }
        if end.is_none() {
            return part;
        }
        text = behind.get(1..).unwrap_or_default();
    }
    // A client that does not wait for its answer is rare.
    if usual || text.is_empty() { Probe::Certain } else { Probe::No }
}

fn probe_v5(rest: &[u8], usual: bool) -> Probe {
    let Some((count, rest)) = rest.split_first() else { return Probe::Unsure };
    if *count == 0 || (!usual && *count > 8) {
        return Probe::No;
    }
    let (methods, behind) =
        rest.split_at_checked(usize::from(*count)).map_or((rest, None), |(m, b)| (m, Some(b)));
    // Methods up to 9 are assigned, those above 0x7f are private, and 0xff cannot be offered.
    let fit = methods.iter().all(|method| matches!(method, 0..=9 | 0x80..=0xfe));
    match behind {
        _ if !fit => Probe::No,
        None if usual => Probe::Certain,
        None => Probe::Unsure,
        Some([] | [1 | 5, ..]) => Probe::Certain,
        Some(_) => Probe::No,
    }
}

/// The port registered for SOCKS.
const USUAL_PORT: u16 = 1080;
