//! Takes the frames out of an Initial packet (RFC 9000 sections 12.4 and 19).
//!
//! Few kinds are allowed there: padding, ping, acknowledgements, CRYPTO, and the end of the
//! connection. It must not know what CRYPTO frames carry.
//!
//! Invariant: each step takes at least one byte.

use nom::bytes::complete::take_while;
use nom::combinator::map;
use nom::error::ErrorKind;
use nom::multi::length_data;
use nom::{IResult, Parser};

use super::header::number;

/// A frame that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A piece of the TLS handshake.
    Crypto {
        /// Where it belongs.
        offset: u64,
        /// The piece.
        data: &'a [u8],
    },
    /// The sender ends the connection.
    ConnectionClose {
        /// Why; 0x100 and above carry a TLS alert (RFC 9001 section 4.8).
        code: u64,
        /// Whether the application, not the transport, gave the code.
        is_application: bool,
    },
    /// One that only keeps the connection going.
    Silent,
}

/// The frames of a payload, until its end or the first that is not allowed there.
pub(super) fn frames(payload: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (after, frame) = frame(rest).ok()?;
        rest = after;
        Some(frame)
    })
}

fn frame(input: &[u8]) -> IResult<&[u8], Frame<'_>> {
    let (body, kind) = number(input)?;
    match kind {
        // A run of padding is taken at once.
        0x00 => map(take_while(|byte| byte == 0), |_| Frame::Silent).parse(body),
        0x01 => Ok((body, Frame::Silent)),
        0x02 => acknowledgement(body),
        0x03 => {
            let (body, _) = acknowledgement(body)?;
            map((number, number, number), |_| Frame::Silent).parse(body)
        }
        0x06 => map((number, length_data(number)), |(offset, data)| Frame::Crypto { offset, data })
            .parse(body),
        0x1c => map((number, number, length_data(number)), |(code, _, _)| Frame::ConnectionClose {
            code,
            is_application: false,
        })
        .parse(body),
        0x1d => map((number, length_data(number)), |(code, _)| Frame::ConnectionClose {
            code,
            is_application: true,
        })
        .parse(body),
        _ => Err(nom::Err::Error(nom::error::Error::new(input, ErrorKind::Switch))),
    }
}

/// RFC 9000 section 19.3, without the counts of ECN.
fn acknowledgement(input: &[u8]) -> IResult<&[u8], Frame<'_>> {
    let (mut rest, (_, _, ranges, _)) = (number, number, number, number).parse(input)?;
    for _ in 0..ranges {
        (rest, _) = (number, number).parse(rest)?;
    }
    Ok((rest, Frame::Silent))
}
