//! The paths of a sign-in and the step that each stands for.
//!
//! It knows nothing of bodies. Two steps share a path and are told apart by what was sent: EndAuth
//! is named `mfa_poll` here and is `mfa_code` when it carries a typed code; the older
//! `StrongAuthCheck.srf` starts a method as well as polling it. A page is named by what it is, not
//! by the request that brought it.
//!
//! Paths are compared without case, without query and without empty segments. In a pattern `{t}`
//! is a tenant or nothing, `{s}` is one segment, and a last `*` is any rest. The row with the most
//! fixed characters wins.

use std::sync::LazyLock;

use super::hosts::{self, HostRole};
use super::table::{self, vocabulary};

const ENDPOINTS: &str = include_str!("endpoints.tsv");

/// No path of ours is longer, apart from the rest that a `*` takes.
const MAX_SEGMENTS: usize = 12;

static ROWS: LazyLock<Vec<EndpointRow>> =
    LazyLock::new(|| table::rows(ENDPOINTS).filter_map(EndpointRow::parse).collect());

vocabulary! {
    /// A step of a sign-in, in the order of the published list.
    StepKind {
        /// Metadata and keys.
        Discovery = "discovery",
        /// Start of a sign-in.
        Authorize = "authorize",
        /// Managed or federated?
        HomeRealm = "home_realm",
        /// Which credentials does the user have?
        CredentialType = "credential_type",
        /// Password.
        Password = "password",
        /// To a federated identity provider.
        FederationRedirect = "federation_redirect",
        /// Back from a federated identity provider.
        FederationReturn = "federation_return",
        /// Kerberos sign-in of a joined computer.
        SeamlessSso = "seamless_sso",
        /// Device claim by a client certificate.
        DeviceCertificate = "device_certificate",
        /// Sign-in with a user certificate.
        UserCertificate = "user_certificate",
        /// Passkey or security key.
        Passkey = "passkey",
        /// Phone as first factor.
        PhoneSignIn = "phone_sign_in",
        /// The page that asks for MFA.
        MfaPage = "mfa_page",
        /// Start of an MFA method.
        MfaBegin = "mfa_begin",
        /// Poll for the answer.
        MfaPoll = "mfa_poll",
        /// A typed code.
        MfaCode = "mfa_code",
        /// The result is handed to the sign-in service.
        MfaFinish = "mfa_finish",
        /// External MFA provider.
        ExternalMethod = "external_method",
        /// Registration of a method.
        Registration = "registration",
        /// Stay signed in?
        KeepSignedIn = "keep_signed_in",
        /// Consent to an application.
        Consent = "consent",
        /// A policy is not met.
        PolicyPage = "policy_page",
        /// An error page.
        ErrorPage = "error_page",
        /// Choice of an account.
        AccountChoice = "account_choice",
        /// The request goes on after an interrupt.
        Continue = "continue",
        /// Back to the application.
        AppReturn = "app_return",
        /// Token request.
        Token = "token",
        /// Device code.
        DeviceCode = "device_code",
        /// Request to an application.
        Resource = "resource",
        /// Password reset.
        ResetPassword = "reset_password",
        /// End of the session.
        Logout = "logout",
        /// Telemetry.
        Telemetry = "telemetry",
        /// Anything else.
        Other = "other",
    }
}

/// A row of the table of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    /// The role of the host; none for a host of the customer.
    pub role: Option<HostRole>,
    /// The whole name or one label of the host, if the role alone does not say enough.
    pub label: &'static str,
    /// The pattern of the path.
    pub path: &'static str,
    /// The HTTP method, or `*`.
    pub method: &'static str,
    /// The step it stands for.
    pub step: StepKind,
    /// What it is.
    pub meaning: &'static str,
    /// Public source.
    pub source: &'static str,
}

impl EndpointRow {
    fn parse(row: [&'static str; 7]) -> Option<Self> {
        let [role, label, path, method, step, meaning, source] = row;
        let role = match role {
            "customer" => None,
            role => Some(HostRole::parse(role)?),
        };
        Some(Self { role, label, path, method, step: StepKind::parse(step)?, meaning, source })
    }

    /// Whether a public source stands behind the row.
    pub fn is_verified(&self) -> bool {
        table::is_verified(self.source)
    }

    fn fits(&self, host: &str, method: &str, path: &[&str]) -> bool {
        (self.method == "*" || self.method.eq_ignore_ascii_case(method))
            && (self.label.is_empty()
                || host.eq_ignore_ascii_case(self.label)
                || host.split('.').any(|label| label.eq_ignore_ascii_case(self.label)))
            && fits(self.path.split('/').skip(1), path)
    }

    fn fixed_characters(&self) -> usize {
        self.path.split('/').filter(|part| !is_wild(part)).map(str::len).sum()
    }
}

/// The step that a request to a known host stands for.
pub fn endpoint(host: &str, method: &str, path: &str) -> Option<&'static EndpointRow> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let role = match hosts::host(host).map(|row| row.role) {
        Some(HostRole::StsAlias) => Some(HostRole::Sts),
        Some(role) => Some(role),
        None => None,
    };
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty()).take(MAX_SEGMENTS).collect();
    ROWS.iter()
        .filter(|row| row.role == role && row.fits(host, method, &parts))
        .max_by_key(|row| (row.fixed_characters(), !row.label.is_empty(), row.method != "*"))
}

/// Every row.
pub fn endpoints() -> impl Iterator<Item = &'static EndpointRow> {
    ROWS.iter()
}

fn is_wild(part: &str) -> bool {
    matches!(part, "*" | "{s}" | "{t}")
}

fn fits<'a>(mut pattern: impl Iterator<Item = &'a str> + Clone, path: &[&str]) -> bool {
    let tail = path.split_first();
    match pattern.next() {
        None => path.is_empty(),
        Some("*") => true,
        Some("{t}") => {
            fits_rest(pattern.clone(), path)
                || tail.is_some_and(|(_, rest)| fits_rest(pattern, rest))
        }
        Some("{s}") => tail.is_some_and(|(_, rest)| fits(pattern, rest)),
        Some(word) => {
            tail.is_some_and(|(part, rest)| part.eq_ignore_ascii_case(word) && fits(pattern, rest))
        }
    }
}

/// The tenant comes once, so what follows it is compared part by part.
fn fits_rest<'a>(pattern: impl Iterator<Item = &'a str>, path: &[&str]) -> bool {
    let mut path = path.iter();
    for want in pattern {
        match (want, path.next()) {
            ("*", _) => return true,
            ("{s}", Some(_)) => {}
            (word, Some(part)) if part.eq_ignore_ascii_case(word) => {}
            _ => return false,
        }
    }
    path.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::table::check;

    const STS: &str = "login.microsoftonline.com";

    fn step(host: &str, method: &str, path: &str) -> Option<&'static str> {
        endpoint(host, method, path).map(|row| row.step.as_str())
    }

    #[test]
    fn the_table_is_sorted_unique_and_sourced() {
        check::shape(ENDPOINTS, 7);
        check::complete(ENDPOINTS, ROWS.len());
        check::rising(
            table::rows(ENDPOINTS)
                .map(|[role, label, path, method, ..]: [&str; 7]| (role, label, path, method)),
        );
        for row in endpoints() {
            assert!(!row.source.is_empty() && row.meaning.ends_with('.'), "{}", row.path);
            assert!(row.path.starts_with('/') && row.path == row.path.to_ascii_lowercase());
            let star = row.path.find('*');
            assert!(star.is_none_or(|at| at + 1 == row.path.len()), "{}", row.path);
            assert!(row.path.matches("{t}").count() <= 1, "{}", row.path);
        }
    }

    #[test]
    fn the_published_list_is_whole() {
        assert_eq!(StepKind::ALL.len(), 33);
        for kind in StepKind::ALL {
            assert_eq!(StepKind::parse(kind.as_str()), Some(*kind));
        }
    }

    #[test]
    fn the_ladder_of_a_managed_sign_in_is_named() {
        for (method, path, want) in [
            ("GET", "/common/oauth2/v2.0/authorize?client_id=x", "authorize"),
            ("GET", "/contoso.example/oauth2/authorize", "authorize"),
            ("POST", "/common/GetCredentialType?mkt=en-US", "credential_type"),
            ("POST", "/common/login", "password"),
            ("POST", "/common/SAS/BeginAuth", "mfa_begin"),
            ("GET", "/common/sas/endauth?pollCount=3", "mfa_poll"),
            ("POST", "/common/SAS/ProcessAuth", "mfa_finish"),
            ("POST", "/kmsi", "keep_signed_in"),
            ("POST", "//organizations/oauth2/v2.0/token/", "token"),
            ("POST", "/StrongAuthCheck.srf", "mfa_poll"),
            ("POST", "/login.srf", "federation_return"),
            ("GET", "/login.srf?wa=wsignin1.0", "authorize"),
            ("POST", "/common/federation/externalauthprovider", "external_method"),
            ("POST", "/t/DeviceAuthTls/reprocess", "device_certificate"),
            ("POST", "/t/reprocess?ctx=x", "continue"),
            ("POST", "/t/v2.0/.well-known/openid-configuration", "discovery"),
            ("POST", "/common/handlers/watson", "telemetry"),
            ("GET", "/common/instrumentation/reportpageload", "telemetry"),
            ("GET", "/jsdisabled", "error_page"),
            ("GET", "/common/userrealm/a@contoso.example", "home_realm"),
            ("POST", "/rst2.srf", "token"),
        ] {
            assert_eq!(step(STS, method, path), Some(want), "{method} {path}");
        }
    }

    #[test]
    fn other_hosts_have_their_own_steps() {
        for (host, path, want) in [
            ("LOGIN.MICROSOFT.COM.", "/t/fido/get?uiflavor=Web", "passkey"),
            ("device.login.microsoftonline.com", "/t/deviceauth", "device_certificate"),
            ("t1.certauth.login.microsoftonline.com", "/t/certauth", "user_certificate"),
            ("autologon.microsoftazuread-sso.com", "/t/winauth/ssoprobe", "seamless_sso"),
            (
                "autologon.microsoftazuread-sso.com",
                "/contoso.example/winauth/trust/2005/usernamemixed",
                "token",
            ),
            ("mysignins.microsoft.com", "/register", "registration"),
            ("aka.ms", "/mfasetup", "registration"),
            ("passwordreset.microsoftonline.com", "/?ru=x", "reset_password"),
            ("login.live.com", "/Me.htm?v=3", "other"),
            ("sts.contoso.example", "/adfs/ls/?wa=wsignin1.0", "federation_redirect"),
            ("sts.contoso.example", "/adfs/ls", "federation_redirect"),
            ("contoso.okta.com", "/app/x", "federation_redirect"),
            (
                "contoso.b2clogin.com",
                "/contoso.onmicrosoft.com/B2C_1_sign/oauth2/v2.0/authorize",
                "authorize",
            ),
            ("contoso.ciamlogin.com", "/contoso.onmicrosoft.com/oauth2/v2.0/token", "token"),
        ] {
            assert_eq!(step(host, "GET", path), Some(want), "{host}{path}");
        }
    }

    #[test]
    fn look_alikes_have_no_step() {
        assert_eq!(step("login.microsoftonline.com.evil.example", "POST", "/common/login"), None);
        assert_eq!(step("www.example.org", "GET", "/common/oauth2/authorize"), None);
        assert_eq!(step(STS, "GET", "/common/login"), None);
        assert_eq!(step(STS, "GET", "/a/b/c/SAS/BeginAuth"), None);
        assert_eq!(step(STS, "GET", "/"), None);
        assert_eq!(step("aka.ms", "GET", "/other"), None);
        assert_eq!(step("aadcdn.msauth.net", "GET", "/shared/x.js"), None);
    }
}
