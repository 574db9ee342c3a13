//! Certificates in DER (RFC 5280), with a signature that is noise.

use super::bytes::noise;
use super::random::Random;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// As in `C=US, O=DigiCert Inc, CN=...`.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// Alternative names.
    pub(crate) names: Vec<String>,
    /// Dates as `2026-01-20`.
    pub(crate) from: String,
    pub(crate) until: String,
    /// Whether it may issue others.
    pub(crate) authority: bool,
}

impl Certificate {
    /// The bytes; `random` gives key, number and signature.
    pub(crate) fn encode(&self, random: &mut Random) -> Vec<u8> {
        let mut number = noise(random, 16);
        number[0] = number[0] & 0x7f | 0x40;
        let signed_with = sequence(&[object(SHA256_WITH_RSA), vec![0x05, 0x00]]);
        let mut modulus = vec![0];
        modulus.extend(noise(random, 256));
        modulus[1] |= 0x80;
        modulus[256] |= 1;
        let key = sequence(&[tagged(0x02, &modulus), tagged(0x02, &[1, 0, 1])]);
        let key =
            sequence(&[sequence(&[object(RSA), vec![0x05, 0x00]]), tagged(0x03, &prefixed(&key))]);
        let body = sequence(&[
            tagged(0xa0, &tagged(0x02, &[2])),
            tagged(0x02, &number),
            signed_with.clone(),
            name(&self.issuer),
            sequence(&[date(&self.from), date(&self.until)]),
            name(&self.subject),
            key,
            tagged(0xa3, &self.extensions()),
        ]);
        let signature = tagged(0x03, &prefixed(&noise(random, 256)));
        sequence(&[body, signed_with, signature])
    }

    fn extensions(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let usage: &[u8] =
            if self.authority { &[0x03, 0x02, 0x01, 0x86] } else { &[0x03, 0x02, 0x05, 0xa0] };
        all.push(extension(KEY_USAGE, true, usage));
        let constraints =
            if self.authority { sequence(&[vec![0x01, 0x01, 0xff]]) } else { sequence(&[]) };
        all.push(extension(BASIC_CONSTRAINTS, true, &constraints));
        if !self.authority {
            let purposes = sequence(&[object(SERVER_AUTH), object(CLIENT_AUTH)]);
            all.push(extension(EXTENDED_USAGE, false, &purposes));
        }
        if !self.names.is_empty() {
            let names: Vec<Vec<u8>> =
                self.names.iter().map(|name| tagged(0x82, name.as_bytes())).collect();
            all.push(extension(ALTERNATIVE_NAMES, false, &sequence(&names)));
        }
        sequence(&all)
    }
}

/// The answer of a certificate authority that a certificate is good (RFC 6960).
pub(crate) fn good(random: &mut Random) -> Vec<u8> {
    let digest = |random: &mut Random| tagged(0x04, &noise(random, 20));
    let time = |text: &str| tagged(0x18, text.as_bytes());
    let mut number = noise(random, 16);
    number[0] = number[0] & 0x7f | 0x40;
    let certificate = sequence(&[
        sequence(&[object(SHA1), vec![0x05, 0x00]]),
        digest(random),
        digest(random),
        tagged(0x02, &number),
    ]);
    let single = sequence(&[certificate, vec![0x80, 0x00], time("20260309180000Z")]);
    let body =
        sequence(&[tagged(0xa2, &digest(random)), time("20260309181500Z"), sequence(&[single])]);
    let basic = sequence(&[
        body,
        sequence(&[object(SHA256_WITH_RSA), vec![0x05, 0x00]]),
        tagged(0x03, &prefixed(&noise(random, 256))),
    ]);
    let kind = object(OCSP_BASIC);
    let inner = sequence(&[kind, tagged(0x04, &basic)]);
    sequence(&[vec![0x0a, 0x01, 0x00], tagged(0xa0, &inner)])
}

fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![object(kind)];
    if critical {
        parts.push(vec![0x01, 0x01, 0xff]);
    }
    parts.push(tagged(0x04, value));
    sequence(&parts)
}

fn name(text: &str) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = text
        .split(", ")
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap();
            let kind: &[u8] = match key {
                "C" => &[0x55, 0x04, 0x06],
                "CN" => &[0x55, 0x04, 0x03],
                "L" => &[0x55, 0x04, 0x07],
                "O" => &[0x55, 0x04, 0x0a],
                "OU" => &[0x55, 0x04, 0x0b],
                "ST" => &[0x55, 0x04, 0x08],
                other => panic!("no part of a name: {other}"),
            };
            // Countries are PrintableString, the rest UTF8String.
            let tag = if key == "C" { 0x13 } else { 0x0c };
            tagged(0x31, &sequence(&[object(kind), tagged(tag, value.as_bytes())]))
        })
        .collect();
    sequence(&parts)
}

/// A `UTCTime` of a day's beginning.
fn date(day: &str) -> Vec<u8> {
    let digits: String = day.chars().filter(char::is_ascii_digit).skip(2).collect();
    tagged(0x17, format!("{digits}000000Z").as_bytes())
}

fn object(encoded: &[u8]) -> Vec<u8> {
    tagged(0x06, encoded)
}

/// A bit string without unused bits.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&[0][..], bytes].concat()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = value.len();
    if length < 0x80 {
        bytes.push(length as u8);
    } else if length < 0x100 {
        bytes.extend([0x81, length as u8]);
    } else {
        bytes.extend([0x82, (length >> 8) as u8, length as u8]);
    }
    bytes.extend(value);
    bytes
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const OCSP_BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
