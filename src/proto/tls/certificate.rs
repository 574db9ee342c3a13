//! Certificates as a handshake shows them; the only place that knows the X.509 crate.
//!
//! It follows RFC 5280 sections 4.1 and 4.2.1.6, RFC 5246 section 7.4.2 and RFC 8446 section 4.4.2.
//! Nothing is verified here: no signature, no trust, no time.
//!
//! Invariants: names are printable and bounded; a certificate that cannot be read is counted.

use std::borrow::Cow;

use x509_parser::asn1_rs::{Any, BmpString, Oid, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::reader::Reader;
use crate::limits;
use crate::proto::Mark;
use crate::time::Timestamp;

/// What a certificate says about itself. Distinguished names are text in the order of the
/// certificate: `C=US, O="Example, Inc.", CN=login.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Distinguished name of the subject.
    pub subject: String,
    /// The first common name of the subject.
    pub subject_common_name: Option<String>,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// The first organization of the issuer.
    pub issuer_organization: Option<String>,
    /// The first common name of the issuer.
    pub issuer_common_name: Option<String>,
    /// Host names among the alternative names of the subject, in lower case.
    pub names: Vec<String>,
    /// Begin of validity.
    pub not_before: Timestamp,
    /// End of validity; years that a [`Timestamp`] does not reach become its last moment.
    pub not_after: Timestamp,
    /// Whether subject and issuer are the same name.
    pub is_self_issued: bool,
    /// The frame that completed the record it came with.
    pub mark: Mark,
}

impl CertificateFacts {
    /// Reads one certificate in DER; `None` when it is none.
    pub fn parse(der: &[u8], mark: Mark) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let validity = certificate.validity();
        let mut names = Vec::new();
        for extension in certificate.extensions() {
            let ParsedExtension::SubjectAlternativeName(found) = extension.parsed_extension()
            else {
                continue;
            };
            for name in &found.general_names {
                if let GeneralName::DNSName(name) = name
                    && names.len() < limits::TLS_CERTIFICATE_NAMES
                {
                    names.push(printable(name, MAX_HOST).to_ascii_lowercase());
                }
            }
        }
        Some(Self {
            subject: name_text(subject),
            subject_common_name: attribute(subject, "CN"),
            issuer: name_text(issuer),
            issuer_organization: attribute(issuer, "O"),
            issuer_common_name: attribute(issuer, "CN"),
            names,
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
            is_self_issued: subject.as_raw() == issuer.as_raw(),
            mark,
        })
    }
}

/// The certificates of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Those that could be read, leaf first, at most [`limits::TLS_CERTIFICATES`].
    pub certificates: Vec<CertificateFacts>,
    /// How many there were.
    pub count: u32,
    /// How many of those looked at could not be read.
    pub unread: u32,
}

impl Chain {
    /// Reads the body of a Certificate message of TLS 1.2 or older. Of one that was cut, the
    /// certificates that are whole are read.
    pub fn parse(body: &[u8], mark: Mark) -> Self {
        let mut reader = Reader::new(body);
        Self::read(reader.block24().map_or(&[], |list| list.bytes), false, mark)
    }

    /// Reads the body of a Certificate message of TLS 1.3, after decryption.
    pub fn parse_13(body: &[u8], mark: Mark) -> Self {
        let mut reader = Reader::new(body);
        let list = reader.block8().and_then(|_| reader.block24());
        Self::read(list.map_or(&[], |list| list.bytes), true, mark)
    }

    fn read(list: &[u8], has_extensions: bool, mark: Mark) -> Self {
        let mut found = Self::default();
        let mut reader = Reader::new(list);
        while let Some(der) = reader.block24() {
            found.count = found.count.saturating_add(1);
            if found.certificates.len() < limits::TLS_CERTIFICATES {
                match CertificateFacts::parse(der.bytes, mark).filter(|_| der.is_whole) {
                    Some(facts) => found.certificates.push(facts),
                    None => found.unread = found.unread.saturating_add(1),
                }
            }
            if has_extensions && reader.block16().is_none() {
                break;
            }
        }
        found
    }
}

/// What the client showed when it was asked for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// A message without a certificate: the client had none, or none that it would give.
    Empty,
    /// A certificate; the first of its chain, `None` when it could not be read.
    Given(Option<Box<CertificateFacts>>),
}

fn time(at: ASN1Time) -> Timestamp {
    let far = if at.timestamp() < 0 { i64::MIN } else { i64::MAX };
    at.timestamp()
        .checked_mul(1000)
        .and_then(Timestamp::from_milliseconds)
        .unwrap_or(Timestamp::from_nanoseconds(far))
}

/// A distinguished name as text; what is longer than the bound is cut.
fn name_text(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    for relative in name.iter_rdn() {
        for (index, attribute) in relative.iter().enumerate() {
            if out.len() >= limits::TLS_NAME {
                return out;
            }
            out.push_str(match (out.is_empty(), index) {
                (true, _) => "",
                (false, 0) => ", ",
                (false, _) => " + ",
            });
            out.push_str(&key(attribute.attr_type()));
            out.push('=');
            let value = printable(&text(attribute.attr_value()), MAX_VALUE);
            if value.contains([',', '+', '"', ';']) || value.trim() != value {
                out.push('"');
                out.push_str(&value.replace('"', "\"\""));
                out.push('"');
            } else {
                out.push_str(&value);
            }
        }
    }
    out
}

/// The first value of an attribute, by its short name.
fn attribute(name: &X509Name<'_>, wanted: &str) -> Option<String> {
    name.iter_attributes()
        .find(|attribute| key(attribute.attr_type()) == wanted)
        .map(|attribute| printable(&text(attribute.attr_value()), MAX_VALUE))
}

/// The short name of an attribute (RFC 4514 section 3 and those that tools print besides), or its
/// number.
fn key(oid: &Oid<'_>) -> Cow<'static, str> {
    let short = match oid.as_bytes() {
        [0x55, 0x04, number] => match number {
            3 => "CN",
            4 => "SN",
            5 => "serialNumber",
            6 => "C",
            7 => "L",
            8 => "ST",
            9 => "street",
            10 => "O",
            11 => "OU",
            12 => "title",
            13 => "description",
            15 => "businessCategory",
            17 => "postalCode",
            42 => "GN",
            46 => "dnQualifier",
            97 => "organizationIdentifier",
            _ => "",
        },
        // 1.2.840.113549.1.9.1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        // 0.9.2342.19200300.100.1.25 and .1
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "UID",
        // 1.3.6.1.4.1.311.60.2.1, names of the forum of browsers and authorities
        [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3c, 0x02, 0x01, number] => match number {
            1 => "jurisdictionL",
            2 => "jurisdictionST",
            3 => "jurisdictionC",
            _ => "",
        },
        _ => "",
    };
    if short.is_empty() { Cow::Owned(oid.to_id_string()) } else { Cow::Borrowed(short) }
}

/// The value of an attribute; kinds that are no text are shown by their bytes.
fn text<'a>(value: &'a Any<'_>) -> Cow<'a, str> {
    match value.tag() {
        Tag::BmpString => BmpString::try_from(value.clone())
            .map_or_else(|_| hexadecimal(value.data), |text| Cow::Owned(text.string())),
        Tag::T61String => match std::str::from_utf8(value.data) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(value.data.iter().copied().map(char::from).collect()),
        },
        Tag::NumericString
        | Tag::VisibleString
        | Tag::PrintableString
        | Tag::GeneralString
        | Tag::Utf8String
        | Tag::Ia5String => String::from_utf8_lossy(value.data),
        _ => hexadecimal(value.data),
    }
}

fn hexadecimal(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.get(..bytes.len().min(MAX_VALUE / 2)).unwrap_or_default();
    Cow::Owned(format!("#{}", data_encoding::HEXUPPER.encode(bytes)))
}

/// The text without control characters and the marks that turn the direction of writing.
fn printable(text: &str, most: usize) -> String {
    text.chars()
        .take(most)
        .map(|c| {
            let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || turns { '\u{fffd}' } else { c }
        })
        .collect()
}

/// Characters of a host name kept (RFC 1035 section 2.3.4 allows 255 bytes on the wire).
const MAX_HOST: usize = 253;
/// Characters kept of one attribute of a name; RFC 5280 appendix A allows 64 for most.
const MAX_VALUE: usize = 256;
