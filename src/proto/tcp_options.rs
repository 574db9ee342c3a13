//! Options of TCP.
//!
//! It follows RFC 9293 section 3.2 (maximum segment size), RFC 7323 sections 2 and 3 (window scale,
//! timestamps), RFC 2018 (selective acknowledgment). It must not know a connection.
//!
//! Invariant: an option that is too short or unknown is passed over; one that reaches beyond the end
//! ends the list; what stood before counts.

/// The options of a segment that matter for following a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// The largest segment that the sender takes.
    pub mss: Option<u16>,
    /// The shift of windows; at most 14 means something (RFC 7323 section 2.3).
    pub window_scale: Option<u8>,
    /// Whether selective acknowledgments may be sent.
    pub sack_permitted: bool,
    /// The timestamp and the echo of one.
    pub timestamps: Option<(u32, u32)>,
    sack: [(u32, u32); MAX_SACK],
    sack_length: usize,
}

impl TcpOptions {
    /// Reads the options of a header.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut options = Self::default();
        let mut rest = bytes;
        while let Some((&kind, after)) = rest.split_first() {
            match kind {
                END => break,
                NOP => {
                    rest = after;
                    continue;
                }
                _ => {}
            }
            let Some(&length) = after.first() else { break };
            let Some((option, behind)) = rest.split_at_checked(usize::from(length.max(2))) else {
                break;
            };
            options.take(kind, option.get(2..).unwrap_or_default());
            rest = behind;
        }
        options
    }

    /// Blocks that arrived out of order, each from its first sequence number to the one behind it.
    #[must_use]
    pub fn sack(&self) -> &[(u32, u32)] {
        self.sack.get(..self.sack_length).unwrap_or_default()
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        match (kind, value) {
            (MSS, &[high, low]) => self.mss = Some(u16::from_be_bytes([high, low])),
            (WINDOW_SCALE, &[shift]) => self.window_scale = Some(shift),
            (SACK_PERMITTED, _) => self.sack_permitted = true,
            (SACK, blocks) => {
                for (slot, block) in self.sack.iter_mut().zip(blocks.chunks_exact(8)) {
                    let Some(pair) = pair(block) else { break };
                    *slot = pair;
                    self.sack_length = self.sack_length.saturating_add(1).min(MAX_SACK);
                }
            }
            (TIMESTAMPS, value) if value.len() == 8 => self.timestamps = pair(value),
            _ => {}
        }
    }
}

/// Two numbers of 32 bits.
fn pair(bytes: &[u8]) -> Option<(u32, u32)> {
    let (one, two) = bytes.split_at_checked(4)?;
    Some((u32::from_be_bytes(*one.first_chunk()?), u32::from_be_bytes(*two.first_chunk()?)))
}

/// Blocks that fit into 40 bytes of options.
const MAX_SACK: usize = 4;
const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// Entry for fuzzing: any bytes as options.
#[doc(hidden)]
pub fn fuzz_tcp_options(bytes: &[u8]) {
    assert!(TcpOptions::parse(bytes).sack().len() <= MAX_SACK, "no more blocks than are kept");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_usual_opening() {
        let options =
            TcpOptions::parse(&[2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 8]);
        assert_eq!(options.mss, Some(1460));
        assert_eq!(options.window_scale, Some(8));
        assert!(options.sack_permitted);
        assert_eq!(options.timestamps, Some((7, 9)));
        assert!(options.sack().is_empty());
    }

    #[test]
    fn blocks() {
        let bytes = [1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 9];
        assert_eq!(TcpOptions::parse(&bytes).sack(), [(1, 2), (5, 9)]);
    }

    #[test]
    fn garbage_costs_only_itself() {
        // A length of 0, an unknown option, a short one, the end of the list.
        let bytes = [76, 0, 30, 4, 1, 2, 2, 3, 9, 3, 3, 7, 0, 2, 4, 1, 1];
        let options = TcpOptions::parse(&bytes);
        assert_eq!((options.mss, options.window_scale), (None, Some(7)));
        assert_eq!(TcpOptions::parse(&[3, 3, 7, 8, 10, 1]).window_scale, Some(7));
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            fuzz_tcp_options(&bytes);
        }
    }
}
