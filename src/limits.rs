//! Every bound in the program, with its unit and its reason.
//!
//! A capture is hostile until proven otherwise, so whatever grows with the input is bounded here and
//! nowhere else. What a user may change is a field of [`Limits`]; what is fixed is a constant.
//!
//! Invariant: reaching a bound never ends the program; it makes a partial result and a diagnostic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One kibibyte, in bytes.
pub const KIB: u64 = 1 << 10;
/// One mebibyte, in bytes.
pub const MIB: u64 = 1 << 20;
/// One gibibyte, in bytes.
pub const GIB: u64 = 1 << 30;

/// The bounds that an option can change (SPEC section 8).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Bytes read of one input, before decompression; `None` is no bound, right for files.
    pub input: Option<u64>,
    /// Bytes of a stream that must be held in memory because it cannot be rewound.
    pub buffered: u64,
    /// Bytes that members of archives and bodies together may expand to.
    pub expanded: u64,
    /// The same where a packet capture is among what is expanded: they are long.
    pub expanded_packets: u64,
    /// Expanded bytes per compressed byte of one body or member, above [`RATIO_FLOOR`].
    pub ratio: u64,
    /// Bytes kept of one HTTP body of a sign-in host.
    pub body: u64,
    /// Bytes held of one HAR entry; larger bodies are skipped in the stream.
    pub har_entry: u64,
    /// Archives inside archives.
    pub archive_depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: None,
            buffered: 4 * GIB,
            expanded: GIB,
            expanded_packets: 8 * GIB,
            ratio: 1_000,
            body: MIB,
            har_entry: 32 * MIB,
            archive_depth: 4,
        }
    }
}

/// Bytes below which the ratio of expansion is not looked at: small text may shrink a lot.
pub const RATIO_FLOOR: u64 = MIB;
/// Nesting of XML.
pub const XML_DEPTH: usize = 64;
/// Bytes of a failure page kept of a host that is not a sign-in host: enough for a vendor's text.
pub const FAILURE_PAGE: u64 = 16 * KIB;
/// Fields read of one head.
pub const HEADER_FIELDS: usize = 512;
/// Bytes of one head; what comes after them is not looked at for it.
pub const HEAD: u64 = 64 * KIB;
/// Bytes kept of a header value that is read to its end: a redirect, a challenge.
pub const HEADER_VALUE: usize = 16 * 1024;
/// Bytes kept of any other header value: enough for the sign of a product.
pub const SHORT_HEADER_VALUE: usize = 2 * 1024;
/// Bytes kept of a cookie that is set: its name is what matters.
pub const COOKIE: usize = 256;
/// Bytes kept of one query or fragment; browsers and servers stop at about as much.
pub const QUERY: usize = 16 * 1024;
/// Characters kept of the words behind a status.
pub const REASON: usize = 120;
/// Bytes of one path kept; longer ones are cut.
pub const PATH: usize = 1024;
/// Exchanges kept of hosts that matter for the sign-in.
pub const EXCHANGES_IN_SCOPE: usize = 50_000;
/// Exchanges kept of all other hosts; the rest are counted only.
pub const EXCHANGES_OUT_OF_SCOPE: usize = 50_000;
/// Bytes of evidence kept for one case: connections, look-ups, and exchanges with all they hold.
pub const EVIDENCE: u64 = 64 * MIB;
/// The part of [`EVIDENCE`] that connections and look-ups may take.
pub const WIRE: u64 = 16 * MIB;
/// The part of [`EVIDENCE`] that is left to exchanges that lost headers and bodies.
pub const BARE: u64 = 12 * MIB;
/// Bytes made free at once when exchanges give way to others: each time all are looked at.
pub const FOLD_STEP: u64 = 8 * MIB;
/// The part of [`EVIDENCE`] that bodies may take.
pub const BODIES: u64 = 24 * MIB;
/// Connections kept.
pub const CONNECTIONS: usize = 200_000;
/// Hosts for which background traffic is counted apart.
pub const BACKGROUND_HOSTS: usize = 10_000;
/// Diagnostics kept of one kind for one input; the rest are counted.
pub const DIAGNOSTICS_PER_KIND: usize = 16;
/// Distinct secret values that get a label of their own.
pub const SECRET_LABELS: usize = 100_000;
/// Bytes read of the metadata part of one Fiddler session; real ones have a few thousand.
pub const SAZ_METADATA: u64 = 256 * KIB;
/// Bytes read of a protected member to see whether a password fits it.
pub const SAZ_PASSWORD_MEMBER: u64 = 16 * MIB;
/// Content codings of one body, one inside the other.
pub const CODINGS: usize = 4;
/// Bytes of one record of a packet capture, as tshark has it for blocks; it must be held whole.
pub const PACKET_RECORD: u32 = 16 << 20;
/// Bytes of one frame, unless the capture itself announces more: a longer one is damage.
pub const FRAME_USUAL: u32 = 256 << 10;
/// Bytes of a record by which reading finds its way again after damage.
pub const RESUMED_RECORD: u32 = 1 << 20;
/// Bytes of options in a block that describes a capture; a list of them takes ten times as much.
pub const BLOCK_OPTIONS: usize = 512 << 10;
/// Options read of one frame; writers give three or four.
pub const FRAME_OPTIONS: usize = 64;
/// Interfaces kept of one section of a capture.
pub const INTERFACES: usize = 4096;
/// Bytes that wait for holes to be filled, of all streams of packets together: those of 32 streams
/// that wait for as much as one may.
pub const REASSEMBLY: usize = 16 << 20;
/// Bytes that wait so on one side of one stream: the largest window that is usual.
pub const HELD_BYTES: usize = 512 << 10;
/// Segments that wait so on one side of one stream.
pub const HELD_SEGMENTS: usize = 256;
/// Streams of TCP whose numbers are remembered: a table of this many entries, which takes 50 MiB, is
/// full before it would double.
pub const STREAM_NUMBERS: usize = 1_800_000;
/// The same of UDP; its numbers are asked for less.
pub const DATAGRAM_STREAM_NUMBERS: usize = 900_000;
/// Flows followed at once.
pub const LIVE_FLOWS: usize = 32_768;
/// Flows of them that came to their end and wait for stragglers: on a busy link that is about a second.
pub const LINGERING_FLOWS: usize = 2_048;
/// Flows of them whose payload is looked into.
pub const LIVE_CONTENTS: usize = 8_192;
/// Connections of QUIC followed at once; each may hold 32 KiB of hellos.
pub const QUIC_FLOWS: usize = 1_024;
/// Bytes that all of them hold of messages that are not whole, and what was read of handshakes: those
/// of 256 connections that hold as much as one may, or of some 15 000 usual ones.
pub const CONTENT_BYTES: usize = 24 << 20;
/// Addresses whose names are remembered.
pub const NAMED_ADDRESSES: usize = 50_000;
/// Lookups that wait for their answers.
pub const OPEN_LOOKUPS: usize = 20_000;
/// Bytes that do not tell yet what they are, of one side.
pub const UNDECIDED: usize = 64;
/// Proxies behind proxies on one connection.
pub const PROXIES: usize = 8;
/// Window of a zstd body; a sender must not need more than 8 MiB (RFC 9659 section 3).
pub const ZSTD_WINDOW: u64 = 16 * MIB;
/// Window of a compressed file: what `xz -9` needs, and more than `zstd -19` does.
pub const ARCHIVE_WINDOW: u64 = 64 * MIB;
/// Members listed of one archive.
pub const ARCHIVE_MEMBERS: usize = 500_000;
/// Bytes of the name of one of them, on average.
pub const ARCHIVE_NAME: u64 = 64;
/// Bytes kept of what comes through standard input and pipes, as it comes, to be read once more when
/// keys come late: most attachments are smaller, and a million connections leave as much of the memory.
pub const KEPT: u64 = 32 * MIB;
/// Bytes held in memory of archives inside archives and of protected members, all that are open at
/// once together: they can be read at random only there.
pub const HELD: u64 = 96 * MIB;
/// Bytes of a head read from a stream, as [`HEAD`] of one in a file: servers refuse longer ones.
pub const STREAM_HEAD: usize = 64 << 10;
/// Bytes kept of the target of a request in clear: servers refuse longer ones (RFC 9110 section 4.1).
pub const STREAM_TARGET: usize = 8 << 10;
/// Bytes kept of the name of a field read from a stream; real ones have under a hundred.
pub const STREAM_FIELD_NAME: usize = 256;
/// Bytes kept of one body in clear: a page that a proxy or a portal puts in the way is shorter.
pub const STREAM_BODY: usize = 64 << 10;
/// Requests of one connection that wait for their response; browsers sent six when they pipelined.
pub const STREAM_WAITING: usize = 32;
/// Bytes that such requests may hold together; above it they keep no fields.
pub const STREAM_WAITING_BYTES: usize = 256 << 10;
/// Streams of one connection of HTTP/2 that are followed at once; servers allow 100 to 256.
pub const HTTP2_STREAMS: usize = 256;
/// Bytes that these hold, beside bodies above [`STREAM_BODY`]; beyond it no fields and content are kept.
pub const HTTP2_HELD: usize = 1 << 20;
/// Bytes that one header block of HTTP/2 may expand to, counted as RFC 9113 section 6.5.2 does: a
/// byte of it can stand for a field of 4 KiB.
pub const HTTP2_FIELDS: usize = 128 << 10;
/// Streams of HTTP/2 remembered as reset, so that an answer on its way is not taken for another one.
pub const HTTP2_RESET: usize = 64;
/// `GOAWAY` frames told of one side; a server sends one or two.
pub const HTTP2_GOAWAYS: u32 = 8;
/// Bytes of the table of HPACK, as RFC 7541 section 4.1 counts: the most that browsers offer.
pub const HPACK_TABLE: usize = 64 << 10;
/// Bytes kept that a client sent into a tunnel before it was granted: one flight of a TLS handshake.
pub const EARLY_BYTES: usize = 16 << 10;
/// Pieces of such bytes, each with the frame it came in.
pub const EARLY_PIECES: usize = 32;
/// Bytes of SOCKS messages held until the server chose a method: all that a client may send by then.
pub const SOCKS_HELD: usize = 1 << 10;

/// Datagrams whose fragments are held at once; each is 64 KiB at most.
pub const DATAGRAMS: usize = 64;
/// Fragments taken of one datagram: with the smallest that IPv4 allows there are 1 366.
pub const FRAGMENTS: u32 = 2048;
/// How long fragments wait for the others, by the clock of the capture; Linux waits as long.
pub const FRAGMENT_AGE: std::time::Duration = std::time::Duration::from_secs(30);
/// Tunnels one inside the other.
pub const TUNNELS: u8 = 8;
/// Steps of one sign-in, polls folded, that a comparison aligns: its table holds the square of it, 1 MiB.
/// Real sign-ins have under 30.
pub const COMPARED_STEPS: usize = 512;
/// Hosts of one sign-in that a comparison looks at; real ones have under 20.
pub const COMPARED_HOSTS: usize = 256;
/// Places kept behind one value of a comparison.
pub const COMPARED_PLACES: usize = 64;
/// A step counts as slower only if it took at least so many times as long as the other side's...
pub const SLOWER_TIMES: u32 = 3;
/// ... and so much longer: below it, networks and service differ from one minute to the next.
pub const SLOWER_BY: std::time::Duration = std::time::Duration::from_secs(2);
/// How long a capture must go on behind a step before the lack of the next one is called one: as long
/// as for the verdict.
pub const COMPARED_SILENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// Records kept of the answer section of one DNS message; real answers have fewer than 30.
pub const DNS_ANSWERS: usize = 64;
/// Bytes of a domain name (RFC 1035 section 2.3.4), and of the text that is made of one.
pub const DNS_NAME: usize = 255;
/// Pointers followed for one name; writers need one or two, and each costs a jump for every record.
pub const DNS_POINTERS: usize = 32;
/// Protocols, and addresses of each family, kept of one HTTPS record.
pub const DNS_PARAMETERS: usize = 16;
/// Bytes of one handshake message of TLS, held while it is incomplete; chains of certificates and
/// post-quantum keys take a fifth of it. A longer message is passed over.
pub const TLS_MESSAGE: u32 = 64 << 10;
/// Hellos kept of each side of one connection: a second one follows a `HelloRetryRequest`.
pub const TLS_HELLOS: usize = 8;
/// Certificates read of one chain, as deep as common clients go.
pub const TLS_CERTIFICATES: usize = 10;
/// Host names kept of one certificate; authorities stop at 100.
pub const TLS_CERTIFICATE_NAMES: usize = 100;
/// Bytes of a distinguished name behind which no further attribute is written.
pub const TLS_NAME: usize = 512;
/// Alerts kept of one connection; real ones have up to three.
pub const TLS_ALERTS: usize = 16;
/// Numbers kept of each list of a ClientHello: versions, groups, key shares.
pub const TLS_OFFERS: usize = 64;
/// Application protocols kept of a ClientHello.
pub const TLS_PROTOCOLS: usize = 16;
/// Bytes kept of what stands where TLS should be: enough for the head of an HTTP answer.
pub const TLS_FOREIGN: usize = 512;
/// Bytes read of one key log; a browser writes as much in some years, the newest last.
pub const KEY_LOG_TEXT: u64 = 512 * MIB;
/// Bytes of it that are in memory at once; it must be even, for text of two bytes a character.
pub const KEY_LOG_PIECE: usize = 1 << 20;
/// Bytes of secrets kept of key logs, names included: those of 30 000 connections of TLS 1.3.
pub const KEY_LOG: usize = 16 << 20;
/// Bytes of a line of a key log; a premaster secret of 4096 bits takes 1100.
pub const KEY_LOG_LINE: usize = 4 << 10;
/// Secrets kept of one connection; each renewal of its keys may add two.
pub const KEY_LOG_SECRETS: usize = 64;
/// Bytes held of data that a client of TLS sends before the server took them: a request or two.
pub const TLS_EARLY_DATA: usize = 32 << 10;
/// Records of such data.
pub const TLS_EARLY_RECORDS: usize = 32;
/// Bytes that undoing the compression of one side of TLS takes: the window of DEFLATE and its tables.
pub const TLS_INFLATER: usize = 48 << 10;
/// Bytes that a gap may be long so that the place in the key stream of a stream cipher is found again.
pub const TLS_KEY_STREAM: usize = 64 << 10;
/// Records that may be missing where decryption goes on after a gap: each is one trial.
pub const TLS_TRIALS: u64 = 64;
/// Bytes that decryption may try in vain on one connection; what it opens earns it four times as much.
pub const TLS_TRIAL_BYTES: u64 = 8 << 20;
/// The same on all connections together, less what was opened: about two seconds. Beyond it each may
/// try [`TLS_LAST_TRIAL_BYTES`], and those that give up so are counted in one diagnostic.
pub const TLS_ALL_TRIAL_BYTES: u64 = 1 << 30;
/// Bytes that a connection may try in vain where all together tried much: a few records.
pub const TLS_LAST_TRIAL_BYTES: u64 = 128 << 10;
/// Bytes of the TLS handshake that are put together of one side of a QUIC flow: a client hello with
/// keys for after quantum computers has about 2000, the longest message that is let through 16 KiB.
pub const QUIC_CRYPTO: usize = 16 * 1024;
/// Pieces of it that do not touch; browsers scatter a client hello over some 20.
pub const QUIC_PIECES: usize = 64;
/// Packets of one QUIC flow that are tried in vain: each costs about ten microseconds.
pub const QUIC_FAILURES: u32 = 32;

/// Files of a folder, or captures of a folder in an archive, up to which they may belong to one case whatever their names:
/// a folder with more is a heap of cases.
pub const TRIAGE_BESIDE: usize = 8;
/// Files of a folder that can be one case with `triage --case folder`.
pub const TRIAGE_CASE: usize = 64;
/// Bytes of a path in a list of paths.
pub const TRIAGE_PATH: usize = 64 << 10;
/// Captures of one file that get a record.
pub const TRIAGE_CAPTURES: usize = 1_000;
/// Bytes of the records of one file, about.
pub const TRIAGE_BYTES: usize = 32 << 20;
/// Bytes of records, about, that wait for those before them.
pub const TRIAGE_WAITING: usize = 32 << 20;
/// Bytes of one record in its line, report and rows included.
pub const TRIAGE_LINE: usize = 64 << 20;
/// Time to read a file in triage; then it is judged by what was read.
pub const TRIAGE_TIME: std::time::Duration = std::time::Duration::from_mins(1);
/// Time that a worker has beyond that before it counts as lost: a quarter of it, within these.
pub const TRIAGE_GRACE: (std::time::Duration, std::time::Duration) =
    (std::time::Duration::from_secs(2), std::time::Duration::from_secs(15));
/// Time that a worker has to take how to work.
pub const TRIAGE_START: std::time::Duration = std::time::Duration::from_mins(1);
/// Bytes of memory that a worker may need: the budget of one input, and what it takes to report.
pub const TRIAGE_WORKER: u64 = 384 * MIB;

/// Bytes of one file that is uploaded.
pub const UPLOAD: u64 = 512 * MIB;
/// Bytes of uploads that are in memory at once, of all requests together.
pub const UPLOADS: u64 = GIB;
/// Bytes that an upload takes at once as it grows: an eighth of it, and no less than this.
pub const UPLOAD_STEP: u64 = 256 * KIB;
/// Bytes of an upload that came and belong to no part yet: only a broken one has as many.
pub const UPLOAD_AHEAD: u64 = 4 * MIB;
/// Files and key logs of one upload.
pub const UPLOAD_FILES: usize = 64;
/// Bytes of all options and passwords of one upload, with their names.
pub const UPLOAD_FIELDS: usize = 16 << 10;
/// Bytes kept of the name of a file that is uploaded: file systems allow 255.
pub const UPLOAD_NAME: usize = 1024;
/// How long an upload may stand still.
pub const UPLOAD_IDLE: std::time::Duration = std::time::Duration::from_secs(30);
/// How long an upload may take.
pub const UPLOAD_TIME: std::time::Duration = std::time::Duration::from_mins(10);
/// Analyses at a time: they take all of a processor and up to 256 MiB each.
pub const ANALYSES: usize = 2;
/// Uploads that wait for an analysis; more are sent away with a word when to come again.
pub const ANALYSES_WAITING: usize = 32;
/// How long the analysis of one upload may take (SPEC section 8); then what was read is reported.
pub const ANALYSIS_TIME: std::time::Duration = std::time::Duration::from_secs(30);
/// How long an analysis that was told to stop may take to do so, and to be reported.
pub const ANALYSIS_GRACE: std::time::Duration = std::time::Duration::from_secs(15);
/// Results that the drop page can still ask for; the oldest makes room.
pub const RESULTS: usize = 8;
/// Bytes of all of them.
pub const RESULT_BYTES: usize = 64 << 20;
/// How long a result can be asked for.
pub const RESULT_AGE: std::time::Duration = std::time::Duration::from_mins(30);
/// Connections to the drop page at once: some six browsers, or sixteen programs and room for slow ones.
pub const WEB_CONNECTIONS: usize = 64;
/// Bytes of the head of a request: a target, a token and a dozen fields of a browser.
pub const WEB_HEAD: usize = 16 << 10;
/// Fields of it.
pub const WEB_FIELDS: usize = 64;
/// How long the head of a request, and a connection between two of them, may take.
pub const WEB_HEAD_TIME: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a connection may live, whatever it does: longer than an upload, its wait and its analysis.
pub const WEB_CONNECTION_TIME: std::time::Duration = std::time::Duration::from_mins(20);
/// How long requests may go on when the server is told to stop.
pub const WEB_STOP: std::time::Duration = std::time::Duration::from_secs(5);

/// What may still be expanded, counted as produced: one for a whole input, through every decoder.
///
/// A decoder that lives inside a stream holds a share of it; all shares count down the same number.
#[derive(Debug)]
pub struct Budget {
    left: Arc<Mutex<Left>>,
    ratio: u64,
}

/// The number that all shares of a budget count down.
#[derive(Debug)]
struct Left {
    bytes: u64,
    exhausted: bool,
}

impl Budget {
    /// A budget of `bytes` in all, and of `ratio` expanded bytes per compressed byte of one stream.
    pub fn new(bytes: u64, ratio: u64) -> Self {
        Self { left: Arc::new(Mutex::new(Left { bytes, exhausted: false })), ratio }
    }

    /// The same budget for another decoder.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { left: Arc::clone(&self.left), ratio: self.ratio }
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges bytes that were produced; `false` when they are more than was left.
    pub fn charge(&mut self, bytes: u64) -> bool {
        let mut left = self.lock();
        left.exhausted |= bytes > left.bytes;
        left.bytes = left.bytes.saturating_sub(bytes);
        !left.exhausted
    }

    /// Adds to what may be expanded, for every share.
    pub fn raise(&mut self, bytes: u64) {
        let mut left = self.lock();
        left.bytes = left.bytes.saturating_add(bytes);
    }

    /// Whether one stream that took `compressed` bytes may have produced `expanded`. It says nothing
    /// of other streams.
    pub fn allows_ratio(&self, compressed: u64, expanded: u64) -> bool {
        expanded <= RATIO_FLOOR || expanded / self.ratio.max(1) <= compressed.max(1)
    }

    /// Bytes left.
    pub fn left(&self) -> u64 {
        self.lock().bytes
    }

    /// Whether a bound was met.
    pub fn is_exhausted(&self) -> bool {
        self.lock().exhausted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_runs_out_and_stays_so() {
        let mut budget = Budget::new(10, 1000);
        assert!(budget.charge(10));
        assert!(!budget.charge(1));
        assert!(!budget.charge(0));
        let budget = Budget::new(GIB, 1000);
        assert!(budget.allows_ratio(1, MIB));
        assert!(!budget.allows_ratio(1, 2 * MIB));
        assert!(!budget.is_exhausted());
    }

    #[test]
    fn shares_count_down_the_same_number() {
        let mut one = Budget::new(10, 1000);
        let mut two = one.share();
        assert!(one.charge(6));
        assert_eq!(two.left(), 4);
        one.raise(3);
        assert_eq!(two.left(), 7);
        assert!(!two.charge(8));
        assert!(one.is_exhausted());
    }
}
