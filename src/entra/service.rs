//! Marks of the sign-in service itself: headers and cookies that only it writes, and the names of
//! fields whose values are secrets or identities.
//!
//! It knows nothing of exchanges. It says what a name means; taking values out of reports is done
//! elsewhere.
//!
//! Names are compared without case. A cookie name that ends in `*` stands for every name with that
//! beginning.

/// Response headers of the sign-in service. An answer for one of its hosts that has none of them
/// was very likely written by something else.
pub const SERVICE_HEADERS: &[&str] =
    &["x-ms-clitelem", "x-ms-ests-server", "x-ms-gateway-requestid", "x-ms-request-id", "x-ms-srs"];

/// Cookies that the sign-in service sets.
pub const SERVICE_COOKIES: &[&str] = &[
    "ESTSAUTH*",
    "SignInStateCookie",
    "buid",
    "esctx*",
    "fpc",
    "stsservicecookie",
    "x-ms-cpim-*",
    "x-ms-gateway-slice",
];

/// Cookies whose values are secrets.
pub const SECRET_COOKIES: &[&str] = &[
    "CCState",
    "ESTSAUTH*",
    "ESTSWCTXFLOWTOKEN",
    "SignInStateCookie",
    "buid",
    "esctx*",
    "estsState*",
    "x-ms-RefreshTokenCredential*",
];

/// Form fields, JSON keys, query parameters and headers whose values are secrets: passwords,
/// codes, tokens, assertions and the state of a flow.
pub const SECRET_FIELDS: &[&str] = &[
    "AdditionalAuthData",
    "Authorization",
    "Cookie",
    "PPFT",
    "Proxy-Authorization",
    "SAMLResponse",
    "Set-Cookie",
    "access_token",
    "accesspass",
    "apiCanary",
    "arrFidoAllowList",
    "assertion",
    "canary",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "ctx",
    "device_code",
    "evo_code",
    "flowToken",
    "id_token",
    "id_token_hint",
    "mspcanary",
    "otc",
    "passwd",
    "password",
    "refresh_token",
    "request",
    "sCanaryToken",
    "sCtx",
    "sFT",
    "sProofUpAuthState",
    "sProofUpToken",
    "user_code",
    "wresult",
    "x-ms-RefreshTokenCredential",
    "x-ms-ctx",
    "x-ms-flowToken",
];

/// Fields whose values name a person or show part of a phone number.
pub const IDENTITY_FIELDS: &[&str] = &[
    "Display",
    "domain_hint",
    "login",
    "login_hint",
    "loginfmt",
    "preferred_username",
    "sPOST_Username",
    "unique_name",
    "upn",
    "username",
];

/// Whether only the sign-in service writes this response header.
pub fn is_service_header(name: &str) -> bool {
    holds(SERVICE_HEADERS, name)
}

/// Whether the sign-in service sets a cookie of this name.
pub fn is_service_cookie(name: &str) -> bool {
    holds(SERVICE_COOKIES, name)
}

/// Whether the value of this cookie is a secret.
pub fn is_secret_cookie(name: &str) -> bool {
    holds(SECRET_COOKIES, name)
}

/// Whether the value of this field, parameter or header is a secret.
pub fn is_secret_field(name: &str) -> bool {
    holds(SECRET_FIELDS, name)
}

/// Whether the value of this field names a person.
pub fn is_identity_field(name: &str) -> bool {
    holds(IDENTITY_FIELDS, name)
}

fn holds(list: &[&str], name: &str) -> bool {
    list.iter().any(|entry| match entry.strip_suffix('*') {
        Some(start) => name
            .as_bytes()
            .get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes())),
        None => entry.eq_ignore_ascii_case(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    #[test]
    fn the_lists_are_sorted_and_unique() {
        for list in
            [SERVICE_HEADERS, SERVICE_COOKIES, SECRET_COOKIES, SECRET_FIELDS, IDENTITY_FIELDS]
        {
            check::rising(list);
        }
    }

    #[test]
    fn names_match_without_case_and_by_beginning() {
        assert!(is_service_header("X-MS-Request-Id"));
        assert!(!is_service_header("server"));
        assert!(is_service_cookie("esctx-abc"));
        assert!(is_secret_cookie("ESTSAUTHPERSISTENT"));
        assert!(is_secret_cookie("x-ms-RefreshTokenCredential1"));
        assert!(!is_secret_cookie("ESTSAUT"));
        assert!(!is_secret_cookie("fpc"));
    }

    #[test]
    fn secrets_and_identities_are_told_apart() {
        for name in ["passwd", "FlowToken", "ctx", "AdditionalAuthData", "authorization"] {
            assert!(is_secret_field(name), "{name}");
        }
        for name in ["ResultValue", "AuthMethodId", "correlationId", "hpgrequestid", "login"] {
            assert!(!is_secret_field(name), "{name}");
        }
        assert!(is_identity_field("Username"));
    }
}
