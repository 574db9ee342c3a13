//! The vocabulary of a sign-in to Entra ID: tables of hosts, codes, pages, signatures and paths.
//!
//! It knows nothing of captures, files or rules and imports nothing else of this crate. It looks
//! things up and never judges a case.
//!
//! Each table is a tab separated file beside the code, sorted, unique and with a public source in
//! every row; it is parsed when it is first asked. A row whose source is `unverified` may be told
//! to a reader and never decides a verdict alone.

pub mod alerts;
pub mod code_notes;
mod concealers;
pub mod endpoints;
pub mod errors;
pub mod failures;
pub mod hosts;
pub mod methods;
pub mod notes;
pub mod outcome;
pub mod pages;
pub mod policy_pages;
pub mod results;
pub mod service;
mod table;
pub mod vendors;

pub use self::alerts::{AlertRow, AlertStatus, alert};
pub use self::code_notes::{CodeNote, code_note};
pub use self::concealers::{Concealer, ConcealerKind, concealer};
pub use self::endpoints::{EndpointRow, StepKind, endpoint};
pub use self::errors::{ErrorCategory, ErrorRow, Nature, code_for_name, error};
pub use self::failures::{FailureRow, FailureStage, Fault};
pub use self::hosts::{HostRole, HostRow};
pub use self::methods::{MethodRow, MethodShape, method};
pub use self::notes::{NoteRow, NoteSubject, note};
pub use self::outcome::{GuideCause, MfaState, Outcome, Side};
pub use self::pages::{PageRow, page};
pub use self::policy_pages::{PolicyNumber, PolicyPageRow, policy_description, policy_title};
pub use self::results::{ResultClass, ResultRow, result};
pub use self::vendors::{Certainty, SignatureKind, Vendor, VendorClass};

/// The day on which the tables were compiled; what the service changed later is not in them.
pub const AS_OF: &str = "2026-11-24";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_makes_a_lookup_panic(one in any::<String>(), two in "[ -~]{0,40}") {
            for text in [&one, &two] {
                let _ = (hosts::host(text), hosts::path(text), hosts::alternatives(text));
                let _ = (endpoint(text, text, text), endpoint("login.windows.net", "GET", text));
                let _ = (code_for_name(text), result(text), method(text), page(text));
                let _ = note(NoteSubject::Page, text);
                let _ = (failures::browser(text), failures::fiddler(text, text));
                let _ = (vendors::issuer(text), vendors::is_expected_issuer(text));
                let _ = (vendors::block_page(text), vendors::redirect(text));
                let _ = (vendors::response_header(text, text), vendors::cookie(text));
                let _ = (service::is_secret_field(text), service::is_secret_cookie(text));
            }
        }

        #[test]
        fn the_order_of_an_issuer_does_not_count(
            parts in Just(["CN=Zscaler Root CA", "O=Zscaler Inc.", "C=US", "L=San Jose"])
                .prop_shuffle(),
            separator in prop::sample::select(vec![", ", ",", "; ", "/", "\n", " + "]),
        ) {
            let name = parts.join(separator);
            prop_assert_eq!(vendors::issuer(&name).map(|row| row.name), Some("Zscaler"));
        }

        #[test]
        fn only_names_below_a_host_of_the_service_are_the_service(label in "[a-z0-9.-]{0,20}") {
            let name = format!("login.microsoftonline.com.{label}.example");
            prop_assert!(!hosts::is_sign_in_service(&name));
            let name = format!("{label}login.microsoftonline.com.example");
            prop_assert!(!hosts::is_sign_in_service(&name));
        }
    }
}
