//! Reads a capture of a Microsoft Entra ID sign-in and says why multifactor authentication did not complete.

pub mod analyze;
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod entra;
pub mod evidence;
pub mod finding;
pub mod limits;
pub mod manual;
pub mod proto;
pub mod report;
pub mod rules;
pub mod signin;
pub mod time;
pub mod verdict;
