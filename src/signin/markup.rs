//! Forms and marks of HTML pages, and faults in XML.
//!
//! Only what a carrier of an error needs is read: hidden fields of forms, the page's name, texts of a
//! fault. No tree is built, no entity is fetched, nothing is run.
//!
//! Invariants: at most [`FIELDS`] fields and [`TEXTS`] texts are kept; depth of XML is bounded by
//! `limits`-sized constants here, because this module may not import them.

use std::borrow::Cow;

use html5gum::{Token, Tokenizer};
use quick_xml::events::Event;

/// Hidden fields kept of one page.
const FIELDS: usize = 200;
/// Texts kept of one XML document.
const TEXTS: usize = 50;
/// Elements inside one another.
const DEPTH: usize = 64;

/// What is read of an HTML page.
#[derive(Debug, Default)]
pub(super) struct Html {
    /// The `PageID` of the page.
    pub page_id: Option<String>,
    /// Where the first form with fields goes.
    pub action: Option<String>,
    /// Names and values of its inputs.
    pub fields: Vec<(String, String)>,
}

/// Reads forms and marks of a page.
pub(super) fn html(page: &str) -> Html {
    let mut html = Html::default();
    let mut action = None;
    for token in Tokenizer::new(page) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        let attribute = |name: &str| {
            tag.attributes
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
                .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        match tag.name.as_slice() {
            b"meta" if attribute("name").is_some_and(|n| n.eq_ignore_ascii_case("PageID")) => {
                html.page_id = attribute("content");
            }
            b"form" if html.fields.is_empty() => action = attribute("action"),
            b"input" if html.fields.len() < FIELDS => {
                if let (Some(name), Some(value)) = (attribute("name"), attribute("value")) {
                    html.action = html.action.or_else(|| action.clone());
                    html.fields.push((name, value));
                }
            }
            _ => {}
        }
    }
    html
}

/// What is read of a SOAP or SAML message.
#[derive(Debug, Default)]
pub(super) struct Xml {
    /// The name of the outermost element.
    pub root: Option<String>,
    /// Whether there is a SOAP fault.
    pub fault: bool,
    /// Whether there is a token or assertion.
    pub token: bool,
    /// Values of SAML status codes, outermost first.
    pub status: Vec<String>,
    /// Texts of faults and status messages.
    pub texts: Vec<String>,
    /// The user name of a request with one.
    pub user: Option<String>,
}

/// Reads a SOAP or SAML message as far as it goes.
pub(super) fn xml(document: &str) -> Xml {
    let mut xml = Xml::default();
    let mut reader = quick_xml::Reader::from_str(document);
    let mut open: Vec<String> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                let name = element.local_name().as_ref().to_owned();
                note(&mut xml, &name, &element);
                if open.len() >= DEPTH {
                    return xml;
                }
                open.push(name);
            }
            Ok(Event::Empty(element)) => {
                let name = element.local_name().as_ref().to_owned();
                note(&mut xml, &name, &element);
            }
            Ok(Event::End(_)) => {
                open.pop();
            }
            Ok(Event::Text(text)) => {
                let text: Cow<'_, str> = text.into_inner();
                let here = open.last().map_or("", String::as_str);
                if here == "Username" {
                    xml.user = Some(text.into_owned());
                } else if matches!(
                    here,
                    "text" | "Text" | "StatusMessage" | "faultstring" | "Detail"
                ) && xml.texts.len() < TEXTS
                {
                    xml.texts.push(text.into_owned());
                }
            }
            Ok(Event::Eof) | Err(_) => return xml,
            Ok(_) => {}
        }
    }
}

fn note(xml: &mut Xml, name: &str, element: &quick_xml::events::BytesStart<'_>) {
    xml.root.get_or_insert_with(|| name.to_owned());
    match name {
        "Fault" => xml.fault = true,
        "Assertion" | "EncryptedAssertion" | "RequestedSecurityToken" => xml.token = true,
        "StatusCode" if xml.status.len() < TEXTS => {
            let value =
                element.attributes().flatten().find(|attribute| attribute.key.as_ref() == "Value");
            if let Some(value) = value {
                xml.status.push(value.value.into_owned());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_form() {
        let page = r#"<html><head><title>Working...</title><meta name="PageID" content="X"></head>
            <form method="POST" name="hiddenform" action="https://app.example/cb?a=1&amp;b=2">
            <input type="hidden" name="error" value="interaction_required"/>
            <input type='hidden' name='error_description' value='AADSTS50076: &quot;x&quot;'/></form>"#;
        let html = html(page);
        assert_eq!(html.page_id.as_deref(), Some("X"));
        assert_eq!(html.action.as_deref(), Some("https://app.example/cb?a=1&b=2"));
        assert_eq!(html.fields[1].1, "AADSTS50076: \"x\"");
    }

    #[test]
    fn a_soap_fault() {
        let xml = xml("<S:Envelope xmlns:S='s'><S:Body><S:Fault><S:Reason><S:Text>Authentication \
                       Failure</S:Text></S:Reason><S:Detail><psf:error><psf:internalerror>\
                       <psf:text>AADSTS50076: x</psf:text></psf:internalerror></psf:error>\
                       </S:Detail></S:Fault></S:Body></S:Envelope>");
        assert!(xml.fault);
        assert_eq!(xml.texts, ["Authentication Failure", "AADSTS50076: x"]);
    }

    #[test]
    fn a_saml_status() {
        let xml = xml("<samlp:Response><samlp:Status><samlp:StatusCode \
                       Value='urn:oasis:names:tc:SAML:2.0:status:Responder'><samlp:StatusCode \
                       Value='urn:oasis:names:tc:SAML:2.0:status:NoPassive'/></samlp:StatusCode>\
                       <samlp:StatusMessage>AADSTS50058: x</samlp:StatusMessage></samlp:Status>\
                       </samlp:Response>");
        assert_eq!(xml.status.len(), 2);
        assert_eq!(xml.texts, ["AADSTS50058: x"]);
        assert!(!xml.token && !xml.fault);
    }

    #[test]
    fn a_billion_laughs_stays_small() {
        let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><x><text>&b;</text></x>";
        assert!(xml(bomb).texts.iter().all(|text| text.len() < 100));
    }
}
